import type { ExportReport } from '@onevault/disk-export';
import type {
  BackupReport,
  DeltaImageReport,
  PruneReport,
  RestoreDiskReport,
  RestorePreview,
  RestoreReport,
  SnapshotReport,
  SwapReport,
} from '@onevault/orchestrator';
import type { PlanSummary } from './plan-view.ts';
import { compactBytes, compactDuration } from './units.ts';

/** The one line a cron job keeps: `name=value` fields, no blanks inside values, in an order that does not change (docs/scripting.md). */
export function backupLine(report: BackupReport, blockSizeBytes: number): string {
  const read = report.disks.reduce((sum, disk) => sum + disk.readBytes, 0);
  return fields('backup', {
    vm: report.vmId,
    name: report.vmName,
    result: report.residue.length > 0 ? 'residue' : 'ok',
    point: report.pointId,
    mode: report.mode,
    read: compactBytes(read),
    changed: compactBytes(changedBytes(report, blockSizeBytes)),
    stored: compactBytes(report.stats.storedBytes),
    duration: compactDuration(report.durationMs),
  });
}

export function backupFailedLine(vmId: number, code: string): string {
  return fields('backup', { vm: vmId, result: 'failed', code });
}

export function restoreLine(report: RestoreReport): string {
  return fields('restore', {
    vm: report.vmId,
    name: report.vmName,
    result: report.residue.length > 0 ? 'residue' : 'ok',
    point: report.pointId,
    disks: report.disks.length,
    written: compactBytes(report.disks.reduce((sum, disk) => sum + disk.writtenBytes, 0)),
    duration: compactDuration(report.durationMs),
  });
}

/** `size` and `damaged` count bytes of the disks, `written` what went to the target. */
export function exportLine(done: { readonly pointId: string; readonly result: string; readonly durationMs: number }, reports: readonly ExportReport[]): string {
  const sum = (bytes: (report: ExportReport) => number): number => reports.reduce((total, report) => total + bytes(report), 0);
  const damaged = sum((report) => report.damaged.reduce((total, { length }) => total + length, 0));
  return fields('export', {
    point: done.pointId,
    result: done.result,
    format: reports[0]?.format ?? '-',
    disks: reports.length,
    size: compactBytes(sum(({ sizeBytes }) => sizeBytes)),
    written: compactBytes(sum(({ writtenBytes }) => writtenBytes)),
    ...(damaged > 0 && { damaged: compactBytes(damaged) }),
    duration: compactDuration(done.durationMs),
  });
}

export function swapLine(report: SwapReport): string {
  return fields(report.action, {
    vm: report.vmId,
    name: report.vmName,
    result: report.residue.length > 0 ? 'residue' : 'ok',
    ...(report.pointId !== undefined && { point: report.pointId }),
    disks: report.disks.length,
    written: compactBytes(report.disks.reduce((sum, disk) => sum + disk.writtenBytes, 0)),
    undo: report.runId,
    until: report.undoUntil,
    ...(report.downMs !== undefined && { down: compactDuration(report.downMs) }),
    duration: compactDuration(report.durationMs),
  });
}

export function deltaLine(report: DeltaImageReport): string {
  return fields('delta', {
    image: report.imageId,
    name: report.imageName,
    result: report.residue.length > 0 ? 'residue' : 'ok',
    point: report.pointId,
    disk: report.key,
    scanned: compactBytes(report.scannedBytes),
    written: compactBytes(report.writtenBytes),
    duration: compactDuration(report.durationMs),
  });
}

export function restoreDiskLine({ disk, attached, pointId, residue, durationMs }: RestoreDiskReport): string {
  return fields('restore-disk', {
    image: disk.imageId,
    name: disk.imageName,
    result: residue.length > 0 ? 'residue' : 'ok',
    point: pointId,
    disk: disk.diskId,
    ...(attached && { vm: attached.vmId, target: attached.target }),
    written: compactBytes(disk.writtenBytes),
    duration: compactDuration(durationMs),
  });
}

export function snapshotLine(report: SnapshotReport): string {
  return fields('snapshot', {
    action: report.action,
    vm: report.vmId,
    name: report.vmName,
    result: report.residue.length > 0 ? 'residue' : 'ok',
    set: report.sets.map(({ setId, name }) => setId ?? name).join(','),
    disks: new Set(report.disks.map(({ diskId }) => diskId)).size,
    ...(report.safetySet && { safety: report.safetySet.setId }),
    ...(report.downMs !== undefined && { down: compactDuration(report.downMs) }),
    duration: compactDuration(report.durationMs),
  });
}

export function snapshotFailedLine(action: SnapshotReport['action'], vmId: number, code: string): string {
  return fields('snapshot', { action, vm: vmId, result: 'failed', code });
}

export function filesLine(about: {
  readonly action: 'extract' | 'tar';
  readonly result: 'ok' | 'partial';
  readonly pointId: string;
  readonly entries: number;
  readonly refusedCount: number;
  readonly bytes: number;
  readonly durationMs: number;
}): string {
  return fields('files', {
    action: about.action,
    result: about.result,
    point: about.pointId,
    entries: about.entries,
    left_out: about.refusedCount,
    size: compactBytes(about.bytes),
    duration: compactDuration(about.durationMs),
  });
}

export function pruneLine(reports: readonly PruneReport[], dryRun: boolean): string {
  const sets = reports.flatMap((report) => report.sets);
  const counted = (outcome: string): number => sets.filter((set) => set.outcome === outcome).length;
  const left = counted('impossible') + counted('failed');
  return fields('snapshot', {
    action: 'prune',
    result: left > 0 ? 'incomplete' : 'ok',
    vms: reports.length,
    sets: sets.length,
    ...(dryRun ? { would_delete: counted('would-delete') } : { deleted: counted('deleted') }),
    left,
  });
}

/** `result` is the worst verdict. */
export function planLine({ vms, ok, degraded, impossible, estimate }: PlanSummary): string {
  return fields('plan', {
    result: impossible > 0 ? 'impossible' : degraded > 0 ? 'degraded' : 'ok',
    vms,
    ok,
    degraded,
    impossible,
    read: compactBytes(estimate.readBytes),
    copy: compactBytes(estimate.copyBytes),
    busy: compactDuration(estimate.busyMs),
    pause: compactDuration(estimate.pauseMs),
  });
}

/** Blocks that differ from the parent and are not zeros, in bytes; the last block of a disk may be a short one. */
export function changedBytes(report: BackupReport, blockSizeBytes: number): number {
  return report.disks.reduce((sum, disk) => sum + Math.min(disk.sizeBytes, disk.stats.changedBlocks * blockSizeBytes), 0);
}

export function fields(verb: string, values: Readonly<Record<string, string | number>>): string {
  return [verb, ...Object.entries(values).map(([name, value]) => `${name}=${safe(String(value))}`)].join(' ');
}

/** Names of VMs may hold blanks and quotes: as JSON they stay one field. */
function safe(value: string): string {
  return /^[\p{L}\p{N}._:~+/-]+$/u.test(value) ? value : JSON.stringify(value);
}

const PREVIEW_RESULTS = { possible: 'ok', degraded: 'degraded', impossible: 'refused' } as const;

/** `size` is what the images will have, `changes` counts attributes of the definition. */
export function restorePreviewLine({ vmName, pointId, objects, changes, checks }: RestorePreview): string {
  const images = objects.filter(({ kind, temporary }) => kind === 'image' && !temporary);
  const of = (...severities: readonly string[]): number => checks.findings.filter(({ severity }) => severities.includes(severity)).length;
  return fields('restore-preview', {
    name: vmName,
    result: PREVIEW_RESULTS[checks.verdict],
    point: pointId,
    images: images.length,
    size: compactBytes(images.reduce((sum, { sizeMiB = 0 }) => sum + sizeMiB * 1024 * 1024, 0)),
    changes: changes.length,
    errors: of('error'),
    warnings: of('warning', 'unknown'),
  });
}
