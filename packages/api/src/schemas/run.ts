import { z } from 'zod';
import { bytes, failure, ms, objectName, pageQuery, reason, timestamp } from './wire-values.ts';

export const RUN_STATES = ['queued', 'running', 'succeeded', 'degraded', 'failed', 'cancelled', 'skipped'] as const;

const vm = { vmId: z.int().min(0) };
const ofPoint = { repository: objectName, pointId: z.string().max(80) };
const diskIds = z.array(z.int().min(0)).max(256).optional();
/** `90s`, `5m`, `12h`, `7d`, `2w`. */
const span = z.string().regex(/^\d{1,6}[smhdw]$/, 'a number and s, m, h, d or w');
/** How a guest is brought to a stop: asked, and with `hard` the plug is pulled when the time is over. */
const stop = { stopTimeout: span.optional(), hard: z.boolean().optional() };
/** What a snapshot may cost. */
const snapshotLimits = { maxChain: z.int().min(1).max(1000).optional(), allowLongFreeze: z.boolean().optional(), acceptPermanent: z.boolean().optional() };

/** What can be asked for; each becomes a run. What is absent is what the CLI does without the option of that name. */
export const runRequest = z
  .discriminatedUnion('kind', [
    z.object({
      kind: z.literal('backup'),
      ...vm,
      repository: objectName,
      mode: z.enum(['auto', 'full']).default('auto'),
      policy: objectName.optional(),
      capture: z.enum(['auto', 'snapshot', 'live-copy', 'offline']).optional(),
      allowLongFreeze: z.boolean().optional(),
      excludeDisks: diskIds,
    }),
    z.object({
      kind: z.literal('restore'),
      ...ofPoint,
      name: z.string().min(1).max(128),
      imageDatastore: z.int().optional(),
      /** By the saved VM's DISK_ID; wins over `imageDatastore`. */
      imageDatastores: z.record(z.string().regex(/^\d{1,6}$/), z.int()).optional(),
      systemDatastore: z.int().optional(),
      nics: z.enum(['keep', 'new-addresses', 'none']).optional(),
      /** Networks of the saved VM, by id or name there, and the id or name of the one that takes the place of each. */
      networks: z.record(z.string().max(128), z.string().max(128)).optional(),
      method: z.enum(['auto', 'direct', 'saveas']).default('auto'),
      /** Absent: as each image was. */
      persistent: z.boolean().optional(),
      /** To the questions of the definition: `uuid`, `pci`, `sched-actions`. */
      answers: z.record(z.string().max(40), z.string().max(40)).optional(),
      verify: z.boolean().optional(),
      hold: z.boolean().default(false),
      /** Whose it all becomes, by id or name; absent: the caller's, and what an administrator restores stays the server's. Only an administrator gives it to others. */
      owner: z.string().min(1).max(128).optional(),
      group: z.string().min(1).max(128).optional(),
      /** As they were saved, where they still exist; what is said beside wins. */
      asSaved: z.boolean().optional(),
      permissions: z
        .string()
        .regex(/^[0-7]{3}$/, 'three octal digits: owner, group, others')
        .optional(),
    }),
    z.object({
      kind: z.literal('restore-in-place'),
      ...ofPoint,
      /** DISK_IDs in the restore point. */
      disks: diskIds,
      keepUndo: span.default('7d'),
      delta: z.boolean().default(false),
      allowSnapshotLoss: z.boolean().optional(),
      verify: z.boolean().optional(),
      ...stop,
    }),
    z.object({ kind: z.literal('undo'), ...vm, set: z.string().min(1).max(80).optional(), keepUndo: span.optional(), ...stop }),
    z.object({
      kind: z.literal('snapshot-create'),
      ...vm,
      name: z.string().min(1).max(80).optional(),
      disks: diskIds,
      keepPartial: z.boolean().optional(),
      /** Of a snapshot policy: what its `keep` and `maxAge` do not want of its own sets goes afterwards. */
      policy: objectName.optional(),
      ...snapshotLimits,
    }),
    z.object({
      kind: z.literal('snapshot-revert'),
      ...vm,
      set: z.string().min(1).max(128),
      /** A set of the same disks is taken first, to which one can go back. */
      safety: z.boolean().default(true),
      disks: diskIds,
      allowBranch: z.boolean().optional(),
      dropYounger: z.boolean().optional(),
      ...snapshotLimits,
      ...stop,
    }),
    z.object({ kind: z.literal('snapshot-delete'), ...vm, set: z.string().min(1).max(128), disks: diskIds }),
    z.object({ kind: z.literal('drill'), ...ofPoint }),
    z.object({ kind: z.literal('forget'), ...ofPoint }),
    z.object({
      kind: z.literal('verify'),
      repository: objectName,
      mode: z.enum(['structure', 'sample', 'all']).default('sample'),
      /** Of the sample. */
      percent: z.number().gt(0).max(100).optional(),
    }),
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

/** An event of a run, as `--jsonl` prints it, or of the server: `points.changed` names VMs whose restore points, and with them their protection, are others than before. */
export const streamEvent = z
  .object({ id: z.string(), time: timestamp, runId: z.string().optional(), type: z.string(), data: z.record(z.string(), z.unknown()) })
  .meta({ id: 'StreamEvent' });
export type StreamEvent = z.output<typeof streamEvent>;

/** What a restore would create, change and check: nothing is done. */
export const restorePreview = z
  .object({
    objects: z.array(
      z.object({
        kind: z.string(),
        name: z.string(),
        diskId: z.int().optional(),
        sizeBytes: bytes.optional(),
        datastore: z.string().optional(),
        what: z.string(),
        /** It is gone when the restore is over. */
        temporary: z.boolean(),
      }),
    ),
    definition: z.array(
      z.object({
        path: z.string(),
        action: z.string(),
        before: z.string().optional(),
        after: z.string().optional(),
        /** The value is a secret, and is not said. */
        secret: z.boolean().optional(),
        code: z.string(),
        reason: z.string(),
      }),
    ),
    /** Decisions that the definition leaves to whoever restores, with what is decided now. */
    questions: z.array(z.object({ question: z.string(), answer: z.string(), choices: z.array(z.string()) })),
    checks: z.array(
      z.object({ severity: z.enum(['ok', 'warning', 'error', 'unknown']), code: z.string(), what: z.string(), why: z.string(), remedy: z.string().optional() }),
    ),
    notes: z.array(reason),
    verdict: z.enum(['possible', 'degraded', 'impossible']),
    possible: z.boolean(),
    /** In place: the VM is stopped for it and started again. */
    stops: z.boolean().optional(),
  })
  .meta({ id: 'RestorePreview' });

/** What a restore of a point can be told: what its form offers. */
export const restoreChoices = z
  .object({
    /** Of the saved VM, with something behind while it lives. */
    name: z.string(),
    originalLives: z.boolean(),
    disks: z.array(
      z.object({
        diskId: z.int(),
        target: z.string(),
        sizeBytes: bytes,
        /** False: it comes back empty. */
        saved: z.boolean(),
        /** Where it came from, and goes by itself; absent where that datastore is gone. */
        imageDatastore: z.int().optional(),
      }),
    ),
    networks: z.array(z.object({ id: z.int().optional(), name: z.string(), exists: z.boolean() })),
    targets: z.object({
      imageDatastores: z.array(z.object({ id: z.int(), name: z.string(), availableMiB: z.int(), totalMiB: z.int() })),
      systemDatastores: z.array(z.object({ id: z.int(), name: z.string(), availableMiB: z.int(), totalMiB: z.int() })),
      networks: z.array(z.object({ id: z.int(), name: z.string() })),
    }),
    questions: z.array(z.object({ question: z.string(), choices: z.array(z.string()) })),
  })
  .meta({ id: 'RestoreChoices' });
