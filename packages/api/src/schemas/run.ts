import { z } from 'zod';
import { bytes, failure, ms, objectName, pageQuery, reason, timestamp } from './wire-values.ts';

export const RUN_STATES = ['queued', 'running', 'succeeded', 'degraded', 'failed', 'cancelled', 'skipped'] as const;

const vm = { vmId: z.int().min(0) };
const ofPoint = { repository: objectName, pointId: z.string().max(80) };

/** What can be asked for; each becomes a run. */
export const runRequest = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('backup'), ...vm, repository: objectName, mode: z.enum(['auto', 'full']).default('auto'), policy: objectName.optional() }),
    z.object({
      kind: z.literal('restore'),
      ...ofPoint,
      name: z.string().min(1).max(128),
      imageDatastore: z.int().optional(),
      systemDatastore: z.int().optional(),
      nics: z.enum(['keep', 'new-addresses', 'none']).optional(),
      networks: z.record(z.string(), z.string()).optional(),
      method: z.enum(['auto', 'direct', 'saveas']).default('auto'),
      hold: z.boolean().default(false),
    }),
    z.object({
      kind: z.literal('restore-in-place'),
      ...ofPoint,
      disks: z.array(z.int()).optional(),
      keepUndo: z.string().default('7d'),
      delta: z.boolean().default(false),
    }),
    z.object({ kind: z.literal('undo'), ...vm }),
    /** Of a snapshot policy: what its `keep` and `maxAge` do not want of its own sets goes afterwards. */
    z.object({ kind: z.literal('snapshot-create'), ...vm, name: z.string().min(1).max(80).optional(), policy: objectName.optional() }),
    z.object({ kind: z.literal('snapshot-revert'), ...vm, set: z.string().min(1).max(128), safety: z.boolean().default(true) }),
    z.object({ kind: z.literal('snapshot-delete'), ...vm, set: z.string().min(1).max(128) }),
    z.object({ kind: z.literal('drill'), ...ofPoint }),
    z.object({ kind: z.literal('forget'), ...ofPoint }),
    z.object({ kind: z.literal('verify'), repository: objectName, mode: z.enum(['structure', 'sample', 'all']).default('sample') }),
    z.object({ kind: z.literal('retention'), repository: objectName, policy: objectName }),
    z.object({ kind: z.literal('gc'), repository: objectName }),
    z.object({ kind: z.literal('recover') }),
  ])
  .meta({ id: 'RunRequest' });
export type RunRequest = z.output<typeof runRequest>;
export type RunKind = RunRequest['kind'];

export const diskProgress = z.object({ diskId: z.int(), phase: z.string(), doneBytes: bytes, totalBytes: bytes }).meta({ id: 'DiskProgress' });

export const run = z
  .object({
    id: z.string(),
    request: runRequest,
    state: z.enum(RUN_STATES),
    /** Of whom or what it was asked. */
    origin: z.object({ kind: z.enum(['user', 'token', 'schedule', 'system']), name: z.string() }),
    vmName: z.string().optional(),
    queuedAt: timestamp,
    startedAt: timestamp.optional(),
    endedAt: timestamp.optional(),
    attempt: z.int().min(1),
    worker: z.string().optional(),
    /** Why it waits: a cap, a window, a retry. */
    waitsFor: reason.optional(),
    progress: z.array(diskProgress),
    warnings: z.array(reason),
    failure: failure.optional(),
    /** What is still in the cloud and should not be. */
    residue: z.array(z.string()),
  })
  .meta({ id: 'Run' });

export const runDetail = z
  .object({
    ...run.shape,
    steps: z.array(
      z.object({
        step: z.string(),
        diskId: z.int().optional(),
        startedAt: timestamp,
        durationMs: ms.optional(),
        outcome: z.enum(['running', 'done', 'failed']),
        code: z.string().optional(),
      }),
    ),
    /** The workflow's own report. */
    report: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'RunDetail' });

export const runQuery = pageQuery.extend({
  state: z.enum(RUN_STATES).optional(),
  kind: z.string().max(40).optional(),
  vmId: z.coerce.number().int().optional(),
  policy: z.string().max(63).optional(),
});

export const runAccepted = z.object({ id: z.string() }).meta({ id: 'RunAccepted' });

/** An event of a run, as `--jsonl` prints it, or of the server. */
export const streamEvent = z
  .object({ id: z.string(), time: timestamp, runId: z.string().optional(), type: z.string(), data: z.record(z.string(), z.unknown()) })
  .meta({ id: 'StreamEvent' });
export type StreamEvent = z.output<typeof streamEvent>;

/** What a restore would create, change and check: nothing is done. */
export const restorePreview = z
  .object({
    objects: z.array(z.object({ kind: z.string(), name: z.string(), sizeBytes: bytes.optional(), datastore: z.string().optional() })),
    definition: z.array(
      z.object({ path: z.string(), action: z.string(), before: z.string().optional(), after: z.string().optional(), code: z.string(), reason: z.string() }),
    ),
    checks: z.array(z.object({ severity: z.enum(['ok', 'warning', 'error']), code: z.string(), what: z.string(), why: z.string(), remedy: z.string() })),
    possible: z.boolean(),
  })
  .meta({ id: 'RestorePreview' });
