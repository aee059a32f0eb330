import { retentionPolicySchema, TimeZone } from '@onevault/backup-format';
import { isBaseError } from '@onevault/base';
import { z } from 'zod';
import { parseDuration } from '../duration.ts';
import { parseSchedule } from '../schedule/schedule.ts';
import { parseWindow } from '../schedule/window.ts';
import { parseSelector } from '../select/selector.ts';

const name = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'lower-case letters, digits and dashes, at most 63');
const duration = checked(parseDuration);
const selector = checked(parseSelector);
const timezone = checked((text) => TimeZone.of(text));

/** Text that must be readable; it stays as it was written. */
function checked(read: (text: string) => unknown): z.ZodString {
  return z.string().superRefine((text, context) => {
    try {
      read(text);
    } catch (error) {
      if (!isBaseError(error)) throw error;
      context.addIssue({ code: 'custom', message: `${error.message}${error.hint === undefined ? '' : `; ${error.hint}`}` });
    }
  });
}

const schedule = z.strictObject({
  /** `every 4h`, cron, or a calendar event. */
  at: z.string(),
  mode: z.enum(['auto', 'full']).default('auto'),
  /** A run begins at most so long after its time. */
  startWithin: duration.default('1h'),
  missed: z.enum(['run', 'skip']).default('run'),
  /** Work begins only while it is open. */
  window: z.string().optional(),
  /** At the end of the window what runs is stopped in order, and comes again at the next run. */
  stopAtWindowEnd: z.boolean().default(false),
});

const command = z.strictObject({
  /** Program and arguments; no shell. */
  command: z.array(z.string().min(1)).min(1).max(64),
  timeout: duration.default('10m'),
  /** Whether the run goes on without it. */
  onFailure: z.enum(['fail', 'continue']).default('fail'),
});

const common = {
  name,
  description: z.string().max(1000).optional(),
  enabled: z.boolean().default(true),
  select: z.strictObject({ include: z.array(selector).min(1).max(100), exclude: z.array(selector).max(100).default([]) }),
  /** IANA name of the zone whose clock the schedules and windows mean. */
  timezone,
  schedules: z.array(schedule).min(1).max(20),
  /** Higher goes first. */
  priority: z.int().min(0).max(100).default(50),
  commands: z.strictObject({ before: command.optional(), after: command.optional() }).default({}),
  retry: z.strictObject({ times: z.int().min(0).max(10).default(2), after: duration.default('10m') }).default({ times: 2, after: '10m' }),
  /** So many failures of one VM in a row, and it is left alone for `pause`. */
  circuitBreaker: z.strictObject({ failures: z.int().min(1).max(100).default(5), pause: duration.default('1d') }).default({ failures: 5, pause: '1d' }),
};

/** What is backed up, when, to where and for how long, as it stands in YAML or JSON. */
export const backupPolicySchema = z
  .strictObject({
    kind: z.literal('backup'),
    ...common,
    /** Name of a repository of the settings. */
    repository: name,
    capture: z.enum(['auto', 'snapshot', 'live-copy', 'offline']).default('auto'),
    /** Disks that are left out: ids, targets (`vdb`), or patterns of image names (`image=*-scratch`). */
    excludeDisks: z
      .array(z.string().regex(/^(\d{1,4}|[hsv]d[a-z]{1,2}|image=.+)$/))
      .max(100)
      .default([]),
    /** Its zone is the policy's unless it says another. */
    retention: z.preprocess((value) => value, z.record(z.string(), z.unknown())).optional(),
    /** The greatest age of the newest good restore point; default: twice the longest time between two runs of its schedules. */
    rpo: duration.optional(),
    /** Writes the state of its protection to the VM's USER_TEMPLATE. */
    writeBack: z.boolean().default(false),
  })
  .transform((policy, context) => {
    checkSchedules(policy, context);
    if (policy.retention === undefined) return { ...policy, retention: undefined };
    const retention = retentionPolicySchema.safeParse({ timezone: policy.timezone, ...policy.retention });
    if (retention.success) return { ...policy, retention: retention.data };
    for (const { path, message } of retention.error.issues) context.addIssue({ code: 'custom', path: ['retention', ...path], message });
    return z.NEVER;
  });

/** Snapshots of VMs on their own storage, and how many stay. They are no backup. */
export const snapshotPolicySchema = z
  .strictObject({
    kind: z.literal('snapshot'),
    ...common,
    keep: z.int().min(1).max(100).optional(),
    maxAge: duration.optional(),
  })
  .superRefine((policy, context) => {
    checkSchedules(policy, context);
    if (policy.keep === undefined && policy.maxAge === undefined)
      context.addIssue({
        code: 'custom',
        path: ['keep'],
        message: 'the policy has no limit: give keep, maxAge or both, or snapshots would fill the datastore',
      });
  });

/** Schedules and windows can be read only together with the policy's zone. */
function checkSchedules(policy: { readonly timezone: string; readonly schedules: readonly z.output<typeof schedule>[] }, context: z.RefinementCtx): void {
  for (const [index, { at, window, stopAtWindowEnd }] of policy.schedules.entries()) {
    refuseUnread(context, ['schedules', index, 'at'], () => parseSchedule(at, policy.timezone));
    if (window !== undefined) refuseUnread(context, ['schedules', index, 'window'], () => parseWindow(window, policy.timezone));
    else if (stopAtWindowEnd) context.addIssue({ code: 'custom', path: ['schedules', index, 'stopAtWindowEnd'], message: 'there is no window to end' });
  }
}

function refuseUnread(context: z.RefinementCtx, path: (string | number)[], read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!isBaseError(error)) throw error;
    if (error.code === 'REPO_TIMEZONE_UNKNOWN') return; // said at the zone itself
    context.addIssue({ code: 'custom', path, message: `${error.message}${error.hint === undefined ? '' : `; ${error.hint}`}` });
  }
}

export type BackupPolicy = z.output<typeof backupPolicySchema>;
export type SnapshotPolicy = z.output<typeof snapshotPolicySchema>;
export type Policy = BackupPolicy | SnapshotPolicy;
