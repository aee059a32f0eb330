import { z } from 'zod';
import { RepositoryError } from '../errors.ts';
import type { Envelopes } from '../format/envelopes.ts';
import { GROUP, HEX_ID, TIME, TIME_ID } from '../format/ids.ts';
import { FORMAT_VERSION } from '../format/limits.ts';
import { type MarkPlace, markKey } from './mark-keys.ts';
import type { Hold } from './marks-api.ts';

/** docs/format.md section 18. */
const time = z
  .string()
  .regex(TIME)
  .refine((text) => !Number.isNaN(Date.parse(text)), 'not a time');
const place = {
  formatVersion: z.literal(FORMAT_VERSION),
  repositoryId: z.string().regex(HEX_ID),
  group: z.string().regex(GROUP),
  pointId: z.string().regex(TIME_ID),
  id: z.string().regex(HEX_ID),
  createdAt: time,
};
const holdSchema = z.strictObject({
  ...place,
  kind: z.literal('hold'),
  reason: z.string().min(1).max(500),
  by: z.string().min(1).max(200),
  until: time.optional(),
});
const tagSchema = z.strictObject({ ...place, kind: z.literal('tag'), name: z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9._:@+-]{0,63}$/) });
const forgettingSchema = z.strictObject({ ...place, kind: z.literal('forgetting') });
const markSchema = z.discriminatedUnion('kind', [holdSchema, tagSchema, forgettingSchema]);

/** What can be read of a mark; sealed or not, none is larger. */
export const MAX_MARK_BYTES = 16 * 1024;

export type Mark =
  | ({ readonly kind: 'hold' } & Hold)
  | { readonly kind: 'tag'; readonly id: string; readonly name: string; readonly createdAt: string }
  /** Somebody is forgetting the point; the id is that of their lease. */
  | { readonly kind: 'forgetting'; readonly id: string; readonly createdAt: string };

export interface MarkOwner {
  readonly repositoryId: string;
  readonly group: string;
  readonly pointId: string;
}

/** Throws TypeError for what has no place in a mark. */
export function encodeMark(envelopes: Envelopes, owner: MarkOwner, mark: Mark): { readonly key: string; readonly bytes: Buffer } {
  const checked = markSchema.safeParse({ ...mark, ...owner, formatVersion: FORMAT_VERSION });
  if (!checked.success) throw new TypeError(`a ${mark.kind} cannot be like this: ${z.prettifyError(checked.error)}`);
  const key = markKey(owner.group, owner.pointId, mark.kind, mark.id);
  return { key, bytes: envelopes.encode('mark', key, bodyOf(checked.data)) };
}

function bodyOf(mark: z.output<typeof markSchema>): Parameters<Envelopes['encode']>[2] {
  if (mark.kind !== 'hold') return mark;
  const { until, ...body } = mark;
  return until === undefined ? body : { ...body, until };
}

/** Throws REPO_MARK_INVALID, also for a mark that belongs in another place (I40), or REPO_UNSUPPORTED_VERSION. */
export function decodeMark(envelopes: Envelopes, repositoryId: string, at: MarkPlace, key: string, bytes: Uint8Array): Mark {
  if (!at.kind) throw invalid(`the mark ${key} has a name that this onevault does not know`);
  const parsed = markSchema.safeParse(envelopes.decode('mark', key, bytes));
  if (!parsed.success) throw invalid(`the mark ${key} is not valid: ${z.prettifyError(parsed.error)}`, parsed.error);
  const { formatVersion: _version, repositoryId: ownRepository, group, pointId, ...mark } = parsed.data;
  if (ownRepository !== repositoryId || group !== at.group || pointId !== at.pointId || mark.id !== at.id || mark.kind !== at.kind)
    throw invalid(`the mark ${key} is really ${mark.kind}-${mark.id} of ${group}/${pointId} in the repository ${ownRepository}`);
  if (mark.kind !== 'hold') return mark;
  const { until, ...hold } = mark;
  return until === undefined ? hold : { ...hold, until };
}

function invalid(message: string, cause?: unknown): RepositoryError {
  return new RepositoryError({ code: 'REPO_MARK_INVALID', message, cause });
}
