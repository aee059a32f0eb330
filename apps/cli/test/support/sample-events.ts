import type { DiskStats, PointStats } from '@onevault/backup-format';
import { diskId, imageId, type Vm, vmId } from '@onevault/one-client';
import type { BackupPlan, BackupReport, JobEvent, JobEventBody } from '@onevault/orchestrator';

export const MIB = 1024 * 1024;

const diskStats: DiskStats = {
  changedBlocks: 12,
  unchangedBlocks: 244,
  zeroBlocks: 0,
  newChunks: 12,
  newBytes: 12 * MIB,
  storedBytes: 3 * MIB,
  dedupBlocks: 0,
};
const pointStats: PointStats = { ...diskStats, sizeBytes: 256 * MIB };

const disk = {
  imageName: undefined,
  datastoreId: undefined,
  datastoreName: undefined,
  devPrefix: 'vd',
  serial: undefined,
  clone: true,
  readonly: false,
  attributes: {},
};

export const plan: BackupPlan = {
  vmId: vmId(6),
  verdict: 'ok',
  state: 'RUNNING',
  reasons: [],
  notes: [],
  assumptions: [],
  estimate: { readBytes: 256 * MIB, copyBytes: 256 * MIB, busyMs: 14_560, pauseMs: 60_000 },
  vm: { id: vmId(6), name: 'web', state: 3, lcmState: 3, history: [{ vmMad: 'kvm' }], xml: '<VM><PASSWD>opensesame</PASSWD></VM>' } as unknown as Vm,
  disks: [
    {
      verdict: 'capture',
      disk: { ...disk, diskId: diskId(0), imageId: imageId(4), type: 'FILE', format: 'qcow2', sizeMiB: 256, target: 'vda', persistent: false, tmMad: 'qcow2' },
      imageId: imageId(4),
      method: 'snapshot',
      consistency: 'crash-consistent',
      pause: 'moment',
      moment: 'start',
      fallback: undefined,
      estimate: { readBytes: 256 * MIB, copyBytes: 256 * MIB, busyMs: 14_560, pauseMs: 60_000 },
      residue: [],
      degraded: false,
      reasons: [{ code: 'CAPTURE_SNAPSHOT_CLEAN', text: 'taken in seconds and removed without a trace' }],
    },
    {
      verdict: 'skip',
      disk: { ...disk, diskId: diskId(2), imageId: undefined, type: 'fs', format: 'raw', sizeMiB: 64, target: 'vdc', persistent: false, tmMad: 'qcow2' },
      reasons: [{ code: 'SKIP_VOLATILE', text: 'volatile: it has no image' }],
    },
  ],
};

export const backupReport: BackupReport = {
  kind: 'backup',
  runId: 'run-1',
  vmId: 6,
  vmName: 'web',
  pointId: '20261122t184334-k3f9ab',
  parentId: undefined,
  group: 'vm-6-aa',
  mode: 'incremental',
  blockSizeBytes: MIB,
  disks: [
    {
      diskId: 0,
      key: 'disk-0',
      target: 'vda',
      sizeBytes: 256 * MIB,
      mode: 'incremental',
      modeReason: 'PARENT_TRUSTED',
      method: 'snapshot',
      consistency: 'crash-consistent',
      pause: 'moment',
      reasons: [{ code: 'CAPTURE_SNAPSHOT_CLEAN', text: 'taken in seconds and removed without a trace' }],
      capturedAt: '2026-11-22T18:43:34.000Z',
      readBytes: 256 * MIB,
      durationMs: 800,
      stats: diskStats,
    },
  ],
  skipped: [],
  captureSpreadMs: 3,
  durationMs: 12_345,
  stats: pointStats,
  warnings: [],
  residue: [],
};

export function event(body: JobEventBody): JobEvent {
  return { time: '2026-11-22T18:43:34.000Z', runId: 'run-1', ...body };
}

/** One event of every type, in the order of a run. */
export const EVERY_EVENT: readonly JobEvent[] = [
  event({ type: 'vm.waiting', vmId: 6, vmName: 'web', state: 'HOTPLUG', limitMs: 900_000 }),
  event({ type: 'run.started', kind: 'backup', vmId: 6, vmName: 'web' }),
  event({ type: 'vm.planned', plan }),
  event({ type: 'disk.skipped', diskId: 2, reasons: [{ code: 'SKIP_VOLATILE', text: 'volatile' }] }),
  event({ type: 'step.started', step: 'snapshot', diskId: 0, object: 'onevault-run-1' }),
  event({ type: 'step.finished', step: 'snapshot', diskId: 0, object: 'onevault-run-1', durationMs: 1300 }),
  event({ type: 'disk.mode', diskId: 0, mode: 'incremental', reason: 'PARENT_TRUSTED' }),
  event({ type: 'disk.progress', phase: 'scan', diskId: 0, doneBytes: 64 * MIB, totalBytes: 256 * MIB, changedBytes: MIB, storedBytes: 1000 }),
  event({ type: 'disk.finished', diskId: 0, sizeBytes: 256 * MIB, readBytes: 256 * MIB, stats: diskStats, durationMs: 800 }),
  event({ type: 'step.finished', step: 'delete-image', object: 'image onevault-run-1 (id 9)', durationMs: 300 }),
  event({ type: 'step.failed', step: 'delete-image', object: 'image onevault-run-1 (id 9)', durationMs: 300, code: 'ONE_ACTION' }),
  event({ type: 'cleanup.failed', object: 'image onevault-run-1 (id 9)', error: { name: 'OneError', message: 'one.image.delete: no' } }),
  event({ type: 'warning', code: 'METADATA_NOT_PERMITTED', message: 'network 3: not authorized' }),
  event({ type: 'restore-point.committed', pointId: 'p1' }),
  event({ type: 'vm.restored', vmId: 9, vmName: 'web-2' }),
  event({ type: 'run.started', kind: 'snapshot', action: 'revert', vmId: 6, vmName: 'web' }),
  event({ type: 'snapshot.standing', vmId: 6, action: 'revert', disks: [{ diskId: 0, snapshotId: 3, snapshotName: 's', state: 'done' }] }),
  event({ type: 'run.finished', outcome: 'complete', report: backupReport, residue: [] }),
];
