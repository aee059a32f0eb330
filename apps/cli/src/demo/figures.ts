import type { BackupReport } from '@onevault/orchestrator';
import Table from 'cli-table3';
import type { VerifyOutcome } from '../commands/verify.ts';
import { changedBytes } from '../render/summary-line.ts';
import { formatBytes, formatDuration } from '../render/units.ts';
import type { RestoreFigures } from './restore-scene.ts';

export interface Figures {
  readonly full: BackupReport;
  readonly incremental: BackupReport;
  /** Blocks the guest's writes touched, computed from the writes. */
  readonly blocksWritten: number;
  readonly blockSizeBytes: number;
  readonly verified: VerifyOutcome;
  readonly restored: RestoreFigures;
  readonly leftBehind: number;
  readonly mismatches: number;
  readonly durationMs: number;
  readonly peakMemoryBytes: number;
}

export function figuresDocument({ full, incremental, verified, restored, ...rest }: Figures): object {
  return {
    ...rest,
    full: backupFigures(full),
    incremental: backupFigures(incremental),
    verify: { readBytes: verified.report.readBytes, durationMs: verified.durationMs },
    restores: restored.reports.map(({ pointId, vmId, durationMs, disks }) => ({
      pointId,
      vmId,
      durationMs,
      writtenBytes: sum(disks.map((disk) => disk.writtenBytes)),
    })),
    comparedBytes: restored.comparedBytes,
  };
}

function backupFigures(report: BackupReport): {
  readonly pointId: string;
  readonly readBytes: number;
  readonly storedBytes: number;
  readonly changedBlocks: number;
  readonly durationMs: number;
} {
  const { pointId, stats, durationMs } = report;
  return {
    pointId,
    readBytes: sum(report.disks.map((disk) => disk.readBytes)),
    storedBytes: stats.storedBytes,
    changedBlocks: stats.changedBlocks,
    durationMs,
  };
}

export function figuresLines(figures: Figures): string[] {
  const { full, incremental, verified, restored } = figures;
  const table = new Table({ head: ['', 'bytes', 'time', ''], style: { head: [], border: [], compact: true }, colAligns: ['left', 'right', 'right', 'left'] });
  table.push(
    ['full backup', formatBytes(backupFigures(full).readBytes), formatDuration(full.durationMs), `stored ${formatBytes(full.stats.storedBytes)}`],
    [
      'incremental backup',
      formatBytes(changedBytes(incremental, figures.blockSizeBytes)),
      formatDuration(incremental.durationMs),
      `stored ${formatBytes(incremental.stats.storedBytes)}; ${incremental.stats.changedBlocks} blocks changed, ${figures.blocksWritten} written by the guest`,
    ],
    [
      'verify',
      formatBytes(verified.report.readBytes),
      formatDuration(verified.durationMs),
      `${verified.report.points} restore points, ${verified.report.chunks} chunks`,
    ],
    ...restored.reports.map((report) => [
      'restore',
      formatBytes(sum(report.disks.map((disk) => disk.writtenBytes))),
      formatDuration(report.durationMs),
      `VM ${report.vmId} ${report.vmName}, read back`,
    ]),
    ['compared', formatBytes(restored.comparedBytes), '', `${figures.mismatches} differences`],
    ['left behind', String(figures.leftBehind), '', 'objects in OpenNebula'],
    ['all of it', '', formatDuration(figures.durationMs), `peak memory ${formatBytes(figures.peakMemoryBytes)}, simulator included`],
  );
  return table.toString().split('\n');
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
