import { z } from 'zod';

/**
 * The JSON lines as docs/scripting.md promises them. Objects are loose: fields may be added, and a consumer must not mind; what is listed
 * here may never go or change its type.
 */
const bytes = z.number().int().nonnegative();
const durationMs = z.number().nonnegative();
const id = z.number().int();
const reason = z.looseObject({ code: z.string(), text: z.string() });
const error = z.looseObject({ name: z.string(), message: z.string(), code: z.string().optional() });
const diskStats = z.looseObject({
  changedBlocks: bytes,
  unchangedBlocks: bytes,
  zeroBlocks: bytes,
  newChunks: bytes,
  newBytes: bytes,
  storedBytes: bytes,
  dedupBlocks: bytes,
});
const head = { schemaVersion: z.literal(1) };
const eventHead = { ...head, time: z.iso.datetime(), runId: z.string().min(1) };

const plan = z.looseObject({
  vm: z.looseObject({ id, name: z.string(), state: z.string() }),
  verdict: z.enum(['ok', 'degraded', 'impossible']),
  reasons: z.array(reason),
  disks: z.array(z.looseObject({ diskId: id, target: z.string(), sizeBytes: bytes, verdict: z.enum(['capture', 'skip', 'refuse']), reasons: z.array(reason) })),
});

export const backupReport = z.looseObject({
  outcome: z.enum(['complete', 'residue']),
  runId: z.string(),
  vmId: id,
  vmName: z.string(),
  pointId: z.string(),
  group: z.string(),
  mode: z.enum(['full', 'incremental']),
  disks: z.array(
    z.looseObject({
      diskId: id,
      sizeBytes: bytes,
      mode: z.enum(['full', 'incremental']),
      modeReason: z.string(),
      method: z.string(),
      consistency: z.string(),
      readBytes: bytes,
      durationMs,
      stats: diskStats,
    }),
  ),
  skipped: z.array(z.looseObject({ diskId: id, reasons: z.array(reason) })),
  captureSpreadMs: z.number(),
  durationMs,
  stats: diskStats,
  warnings: z.array(z.looseObject({ code: z.string(), message: z.string() })),
  residue: z.array(z.string()),
});

const snapshotAction = z.enum(['create', 'revert', 'delete']);
const standing = z.looseObject({ diskId: id, snapshotId: id, snapshotName: z.string(), state: z.enum(['done', 'not-done', 'unknown']) });

const snapshotReport = z.looseObject({
  outcome: z.enum(['complete', 'residue']),
  action: snapshotAction,
  runId: z.string(),
  vmId: id,
  vmName: z.string(),
  sets: z.array(z.looseObject({ setId: z.string().optional(), name: z.string() })),
  disks: z.array(z.looseObject({ diskId: id, target: z.string(), snapshotId: id, snapshotName: z.string(), durationMs })),
  notes: z.array(z.looseObject({ code: z.string(), message: z.string() })),
  warnings: z.array(z.looseObject({ code: z.string(), message: z.string() })),
  durationMs,
  residue: z.array(z.string()),
});
const snapshotResult = {
  snapshots: z.array(z.union([snapshotReport, z.looseObject({ outcome: z.enum(['failed', 'cancelled']), vmId: id, error, residue: z.array(z.string()) })])),
  notAttempted: z.array(id),
};

const event = z.union([
  z.looseObject({ ...eventHead, type: z.literal('run.started'), kind: z.enum(['backup', 'restore', 'drill']), vmName: z.string() }),
  z.looseObject({ ...eventHead, type: z.literal('run.started'), kind: z.literal('snapshot'), action: snapshotAction, vmId: id, vmName: z.string() }),
  z.looseObject({ ...eventHead, type: z.literal('snapshot.standing'), vmId: id, action: z.enum(['revert', 'delete']), disks: z.array(standing) }),
  z.looseObject({ ...eventHead, type: z.literal('vm.waiting'), vmId: id, vmName: z.string(), state: z.string(), limitMs: durationMs }),
  z.looseObject({ ...eventHead, type: z.literal('vm.planned'), plan }),
  z.looseObject({ ...eventHead, type: z.literal('disk.skipped'), diskId: id, reasons: z.array(reason) }),
  z.looseObject({ ...eventHead, type: z.literal('disk.mode'), diskId: id, mode: z.enum(['full', 'incremental']), reason: z.string() }),
  z.looseObject({ ...eventHead, type: z.literal('step.started'), step: z.string() }),
  z.looseObject({ ...eventHead, type: z.literal('step.finished'), step: z.string(), durationMs }),
  z.looseObject({ ...eventHead, type: z.literal('step.failed'), step: z.string(), durationMs }),
  z.looseObject({
    ...eventHead,
    type: z.literal('disk.progress'),
    phase: z.enum(['scan', 'write', 'verify']),
    diskId: id,
    doneBytes: bytes,
    totalBytes: bytes,
  }),
  z.looseObject({ ...eventHead, type: z.literal('disk.finished'), diskId: id, sizeBytes: bytes, readBytes: bytes, stats: diskStats, durationMs }),
  z.looseObject({ ...eventHead, type: z.literal('restore-point.committed'), pointId: z.string() }),
  z.looseObject({ ...eventHead, type: z.literal('vm.restored'), vmId: id, vmName: z.string() }),
  z.looseObject({ ...eventHead, type: z.literal('cleanup.failed'), object: z.string(), error }),
  z.looseObject({ ...eventHead, type: z.literal('warning'), code: z.string(), message: z.string() }),
  z.looseObject({
    ...eventHead,
    type: z.literal('run.finished'),
    outcome: z.enum(['complete', 'residue', 'failed', 'cancelled']),
    residue: z.array(z.string()),
  }),
]);

const cleaned = z.looseObject({ label: z.string(), error: error.optional() });
const earlier = {
  leftovers: z.array(z.looseObject({ runId: z.string(), label: z.string() })),
  recovered: z.array(
    z.looseObject({
      runId: z.string(),
      kind: z.string(),
      outcome: z.enum(['recovered', 'residue', 'incomplete']),
      removed: z.array(cleaned),
      kept: z.array(cleaned),
      left: z.array(cleaned),
    }),
  ),
};

const result = z.discriminatedUnion('type', [
  z.looseObject({ ...head, type: z.literal('snapshot.create'), ...snapshotResult }),
  z.looseObject({ ...head, type: z.literal('snapshot.revert'), ...snapshotResult }),
  z.looseObject({ ...head, type: z.literal('snapshot.delete'), ...snapshotResult }),
  z.looseObject({
    ...head,
    type: z.literal('backup.result'),
    backups: z.array(z.union([backupReport, z.looseObject({ outcome: z.enum(['failed', 'cancelled']), vmId: id, error, residue: z.array(z.string()) })])),
    notAttempted: z.array(id),
    ...earlier,
  }),
  z.looseObject({
    ...head,
    type: z.literal('restore.result'),
    pointId: z.string(),
    vmId: id,
    vmName: z.string(),
    disks: z.array(z.looseObject({ key: z.string(), imageId: id, sizeBytes: bytes, writtenBytes: bytes, verified: z.boolean() })),
    ...earlier,
  }),
]);

/** Any line of the stdout of `backup`, `restore` or `snapshot create`, `revert`, `delete` with `--jsonl`. */
export const jsonLine = z.union([event, result]);

export const exitError = z.looseObject({
  ...head,
  type: z.literal('exit_error'),
  exitCode: z.number().int(),
  code: z.string(),
  message: z.string(),
  hint: z.string().optional(),
});
