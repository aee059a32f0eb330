import type { DiskStats, RestorePointWriter, StoredDisk, WritableRun } from '@onevault/backup-format';
import type { CallOptions } from '@onevault/base';
import type { ScannedRun, ScanSummary } from '@onevault/block-cbt';
import type { ExportedDisk } from './capture.ts';
import { openAttached } from './open-attached.ts';
import type { DiskParent } from './parent.ts';
import type { JobDeps } from './ports.ts';
import type { DiskReport } from './report.ts';
import type { BackupRequest } from './request.ts';
import { diskKey } from './restore-point.ts';
import type { Run } from './run.ts';

/** Reads an exported disk once, stores what changed, and gives disk and image back as soon as the last byte is read. */
export async function storeDisk(
  deps: JobDeps,
  run: Run,
  writer: RestorePointWriter,
  exported: ExportedDisk,
  parent: DiskParent,
  request: BackupRequest,
  options: CallOptions,
): Promise<DiskReport> {
  const { diskId } = exported.capture.disk;
  const startedMs = run.clock.monotonicMs();
  run.emit({ type: 'disk.mode', diskId, mode: parent.mode, reason: parent.reason });
  const { stored, summary } = await run.step('scan', { diskId }, () => scanInto(deps, run, writer, exported, parent, request, options));
  await exported.attachment.undo();
  await exported.image.undo();
  const durationMs = run.elapsedMs(startedMs);
  run.emit({ type: 'disk.finished', diskId, sizeBytes: stored.sizeBytes, readBytes: summary.readBytes, stats: stored.stats, durationMs });
  return {
    diskId,
    key: stored.key,
    target: exported.capture.disk.target,
    sizeBytes: stored.sizeBytes,
    mode: parent.mode,
    modeReason: parent.reason,
    method: exported.capture.method,
    consistency: exported.capture.consistency,
    pause: exported.capture.pause,
    reasons: exported.capture.reasons,
    capturedAt: exported.capturedAt.toISOString(),
    readBytes: summary.readBytes,
    durationMs,
    stats: stored.stats,
  };
}

async function scanInto(
  deps: JobDeps,
  run: Run,
  writer: RestorePointWriter,
  exported: ExportedDisk,
  parent: DiskParent,
  request: BackupRequest,
  options: CallOptions,
): Promise<{ stored: StoredDisk; summary: ScanSummary }> {
  await using device = await openAttached(deps, exported.attachment.attached, options);
  const { config } = deps.repository;
  const progress = progressOf(run, exported.capture.disk.diskId, device.sizeBytes, config.blockSizeBytes);
  const scan = deps.devices.scan(device, {
    blockSizeBytes: config.blockSizeBytes,
    digest: deps.repository.digest,
    ...(parent.reader && { parent: parent.reader.baseline }),
    ...(request.scanWorkers !== undefined && { workers: request.scanWorkers }),
    ...(options.signal && { signal: options.signal }),
    onProgress: progress.scanned,
  });
  let summary: ScanSummary | undefined;
  const stored = await writer.writeDisk(
    {
      key: diskKey(exported.capture.disk),
      sizeBytes: device.sizeBytes,
      ...(parent.reader && { parent: parent.reader }),
      confirmDedup: parent.mode === 'full',
      annotations: describe(exported, parent),
    },
    withSummary(scan, (value) => {
      summary = value;
    }),
    { ...options, onProgress: progress.stored },
  );
  if (summary === undefined) throw new TypeError('the repository ended the disk before the scan did');
  return { stored, summary };
}

async function* withSummary(scan: AsyncGenerator<ScannedRun, ScanSummary>, tell: (summary: ScanSummary) => void): AsyncGenerator<WritableRun, void> {
  tell(yield* scan);
}

/** What the product wants to know of this disk at restore time; beside it the manifest has the whole VM body. */
function describe(exported: ExportedDisk, parent: DiskParent): StoredDisk['annotations'] {
  const { disk, imageId, method, consistency, pause, reasons } = exported.capture;
  return {
    diskId: disk.diskId,
    target: disk.target,
    imageId,
    imageName: disk.imageName ?? null,
    datastoreId: disk.datastoreId ?? null,
    format: disk.format ?? null,
    persistent: disk.persistent,
    method,
    consistency,
    pause,
    reasons: reasons.map((reason) => reason.code),
    capturedAt: exported.capturedAt.toISOString(),
    mode: parent.mode,
    modeReason: parent.reason,
    identifiedBy: exported.attachment.attached.identifiedBy,
  };
}

/** Changed bytes are counted in whole blocks, whether or not the repository had them already. */
function progressOf(
  run: Run,
  diskId: number,
  totalBytes: number,
  blockSizeBytes: number,
): { scanned: (doneBytes: number) => void; stored: (stats: DiskStats) => void } {
  let latest: { readonly changedBytes: number; readonly storedBytes: number } | undefined;
  return {
    scanned: (doneBytes) => run.emit({ type: 'disk.progress', phase: 'scan', diskId, doneBytes, totalBytes, ...latest }),
    stored: (stats) => {
      latest = { changedBytes: Math.min(stats.changedBlocks * blockSizeBytes, totalBytes), storedBytes: stats.storedBytes };
    },
  };
}
