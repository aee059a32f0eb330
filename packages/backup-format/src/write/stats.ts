import type { DiskStats, PointStats, StoredDisk } from '../repository-api.ts';
import type { DiskRun } from './disk-run.ts';

export type MutableDiskStats = { -readonly [K in keyof DiskStats]: DiskStats[K] };

export function newDiskStats(): MutableDiskStats {
  return { changedBlocks: 0, unchangedBlocks: 0, zeroBlocks: 0, newChunks: 0, newBytes: 0, storedBytes: 0, dedupBlocks: 0 };
}

export function countRun(stats: MutableDiskStats, run: DiskRun): void {
  if (run.kind === 'changed' || run.kind === 'held') stats.changedBlocks += 1;
  else if (run.kind === 'zero') stats.zeroBlocks += run.count;
  else stats.unchangedBlocks += run.count;
}

export function sumStats(disks: readonly StoredDisk[]): PointStats {
  const sum = { ...newDiskStats(), sizeBytes: 0 };
  for (const { stats, sizeBytes } of disks) {
    sum.sizeBytes += sizeBytes;
    sum.changedBlocks += stats.changedBlocks;
    sum.unchangedBlocks += stats.unchangedBlocks;
    sum.zeroBlocks += stats.zeroBlocks;
    sum.newChunks += stats.newChunks;
    sum.newBytes += stats.newBytes;
    sum.storedBytes += stats.storedBytes;
    sum.dedupBlocks += stats.dedupBlocks;
  }
  return sum;
}
