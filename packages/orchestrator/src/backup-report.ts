import type { RestorePoint } from '@onevault/backup-format';
import type { CallOptions } from '@onevault/base';
import type { Inventory } from './inventory.ts';
import type { BackupPlan, DiskCapture, DiskSkip } from './plan/plan-model.ts';
import type { JobDeps } from './ports.ts';
import type { BackupReport, DiskReport } from './report.ts';
import type { BackupRequest } from './request.ts';
import type { Run } from './run.ts';

/** One backup under way: everything that is settled before the first change to the cloud. */
export interface BackupJob {
  readonly deps: JobDeps;
  readonly run: Run;
  readonly request: BackupRequest;
  readonly inventory: Inventory;
  readonly plan: BackupPlan;
  readonly captures: readonly DiskCapture[];
  readonly options: CallOptions;
}

export interface StoredDisks {
  readonly reports: readonly DiskReport[];
  /** Of each disk, in no order. */
  readonly capturedAt: readonly Date[];
}

export function skippedDisks(plan: BackupPlan): DiskSkip[] {
  return plan.disks.filter((disk) => disk.verdict === 'skip');
}

/** What the product says of a point in its manifest: who, where, how, and what is not in it. */
export function pointAnnotations({ deps, run, request, inventory, plan }: BackupJob, stored: StoredDisks): RestorePoint['annotations'] {
  const { vm } = plan;
  return {
    cloud: { endpoint: deps.cloud.endpoint.href, version: inventory.version },
    vm: {
      id: vm.id,
      name: vm.name,
      uuid: vm.uuid ?? null,
      user: vm.userName,
      group: vm.groupName,
      state: vm.state,
      lcmState: vm.lcmState,
      startTime: vm.startTime,
    },
    metadata: {
      missing: inventory.metadata.missing.map(({ name, code }) => ({ name, code })),
      secrets: { kept: inventory.metadata.secrets.kept, attributes: [...inventory.metadata.secrets.attributes] },
    },
    ...(request.policy !== undefined && { policy: request.policy }),
    captureSpreadMs: spreadMs(stored.capturedAt),
    skippedDisks: skippedDisks(plan).map((disk) => ({
      diskId: disk.disk.diskId,
      target: disk.disk.target,
      sizeMiB: disk.disk.sizeMiB,
      reasons: disk.reasons.map((reason) => reason.code),
    })),
    warnings: run.warnings.map((warning) => ({ ...warning })),
  };
}

export function backupReport({ deps, run, plan }: BackupJob, point: RestorePoint, stored: StoredDisks, startedMs: number): BackupReport {
  return {
    kind: 'backup',
    runId: run.id,
    vmId: plan.vmId,
    vmName: plan.vm.name,
    pointId: point.id,
    parentId: point.parentId,
    group: point.group,
    mode: point.mode,
    blockSizeBytes: deps.repository.config.blockSizeBytes,
    disks: stored.reports,
    skipped: skippedDisks(plan).map((disk) => ({ diskId: disk.disk.diskId, target: disk.disk.target, reasons: disk.reasons })),
    captureSpreadMs: spreadMs(stored.capturedAt),
    durationMs: run.elapsedMs(startedMs),
    stats: point.stats,
    warnings: run.warnings,
    residue: run.residue,
  };
}

function spreadMs(capturedAt: readonly Date[]): number {
  const times = capturedAt.map((time) => time.getTime());
  return Math.max(...times) - Math.min(...times);
}
