import { isRepositoryError, parseStoreUrl } from '@onevault/backup-format';
import { isBaseError } from '@onevault/base';
import { parseDuration, parseSchedule } from '@onevault/policies';
import { z } from 'zod';
import { NOTIFICATION_CONDITIONS, type NotificationChannel, WEBHOOK_FORMATS } from '../ports/notification-channel.ts';
import type { Caps, RepositorySetting } from '../ports/settings-store.ts';

/** What the files beside the policies may hold. Secrets are names of files in the secrets directory and nothing else. */
const name = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'lower-case letters, digits and dashes, at most 63');
const secretFile = z.string().regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/, 'the name of a file in the secrets directory, not a path and not the secret');

const maintenance = z
  .strictObject({
    timezone: z.string().default('UTC'),
    gc: z.string().default('Sun 06:00'),
    verify: z.string().default('Sat 06:00'),
    verifyMode: z.enum(['structure', 'sample', 'all']).default('sample'),
  })
  .superRefine(({ timezone, gc, verify }, context) => {
    for (const [key, at] of Object.entries({ gc, verify })) {
      if (at === 'none') continue;
      try {
        parseSchedule(at, timezone);
      } catch (error) {
        if (!isBaseError(error)) throw error;
        const zone = isRepositoryError(error, 'REPO_TIMEZONE_UNKNOWN');
        context.addIssue({ code: 'custom', path: [zone ? 'timezone' : key], message: sayWhy(error) });
      }
    }
  })
  .transform(({ gc, verify, ...rest }) => ({ ...rest, gc: gc === 'none' ? undefined : gc, verify: verify === 'none' ? undefined : verify }));

export const repositorySchema = z.strictObject({
  place: z.string().min(1).max(2000).superRefine(mustBePlace),
  secretFile: secretFile.optional(),
  maintenance: maintenance.prefault({}),
});

export function repositoryOf(repository: string, { place, secretFile: secret, maintenance: looks }: z.output<typeof repositorySchema>): RepositorySetting {
  return { name: repository, place, secretFile: secret, maintenance: looks };
}

function mustBePlace(place: string, context: z.RefinementCtx): void {
  const message = faultOfPlace(place);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
}

/** Why a text names no place of a repository. */
export function faultOfPlace(place: string): string | undefined {
  try {
    const address = parseStoreUrl(place);
    const isWhole = address.kind !== 'file' || place.startsWith('/') || place.startsWith('file:///');
    return isWhole ? undefined : 'write the whole path: a server has no directory that it is in';
  } catch (error) {
    if (!isBaseError(error)) throw error;
    return sayWhy(error);
  }
}

const duration = z.string().superRefine((text, context) => {
  try {
    parseDuration(text);
  } catch (error) {
    if (!isBaseError(error)) throw error;
    context.addIssue({ code: 'custom', message: sayWhy(error) });
  }
});

const channel = {
  name,
  on: z.array(z.enum(NOTIFICATION_CONDITIONS)).min(1),
  /** Of nothing-ran: so long without a run that succeeded. */
  quietFor: duration.default('26h'),
  secretFile: secretFile.optional(),
};

export const notificationSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('webhook'),
      ...channel,
      url: z.url({ protocol: /^https?$/ }).superRefine(refuseUserInfo),
      format: z.enum(WEBHOOK_FORMATS).default('json'),
    }),
    z.strictObject({
      kind: z.literal('smtp'),
      ...channel,
      host: z.string().min(1).max(253),
      port: z.int().min(1).max(65_535).default(587),
      tls: z.enum(['starttls', 'tls', 'none']).default('starttls'),
      user: z.string().max(320).optional(),
      from: z.string().min(3).max(320),
      to: z.array(z.string().min(3).max(320)).min(1).max(50),
    }),
  ])
  .transform(({ quietFor, ...rest }): NotificationChannel => {
    const common = { quietForMs: parseDuration(quietFor), secretFile: rest.secretFile };
    return rest.kind === 'webhook' ? { ...rest, ...common } : { ...rest, ...common, user: rest.user };
  });

function refuseUserInfo(text: string, context: z.RefinementCtx): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.username === '' && url.password === '')) return;
  context.addIssue({
    code: 'custom',
    message: 'it has a user or password in it: put the secret into a file of the secrets directory and name that as secretFile',
  });
}

const places = z.int().min(1).max(100_000);
const LIMITS = ['total', 'perHost', 'perDatastore', 'perProxy', 'perRepository'] as const satisfies readonly (keyof Caps)[];
export const limitSchema = z.strictObject({
  ...(Object.fromEntries(LIMITS.map((limit) => [limit, places.optional()])) as Record<keyof Caps, z.ZodOptional<typeof places>>),
  heartbeatSeconds: z.int().min(10).max(3600).optional(),
});

export const rolesSchema = z.strictObject({
  /** Of everybody whom OpenNebula lets in and who has no role by name. */
  default: z.enum(['viewer', 'operator', 'none']).default('viewer'),
  users: z.record(z.string().min(1).max(256), z.enum(['viewer', 'operator', 'admin'])).default({}),
});

export function sayWhy(error: { readonly message: string; readonly hint?: string | undefined }): string {
  return `${error.message}${error.hint === undefined ? '' : `; ${error.hint}`}`;
}
