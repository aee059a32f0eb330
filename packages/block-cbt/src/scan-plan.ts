import { availableParallelism } from 'node:os';
import { type BlockGrid, blockGrid, DIGEST_BYTES } from '@onevault/base';
import { PAGE_BYTES, roundUpToPage } from './page-memory.ts';
import type { BlockDevice, ScanOptions } from './scan-api.ts';
import type { SlotLayout } from './scan-protocol.ts';

/** Read in one system call: large enough to keep a disk streaming, small enough that ten of them are not much memory. */
const EXTENT_BYTES = 8 * 2 ** 20;
const MAX_BLOCK_BYTES = 64 * 2 ** 20;
const MAX_WORKERS = 64;
/** More threads than this only share the disk's bandwidth. */
const DEFAULT_MAX_WORKERS = 4;

/** The fixed figures of one scan. */
export interface ScanPlan {
  readonly grid: BlockGrid;
  readonly workers: number;
  readonly layout: SlotLayout;
}

/** What a test sets to reach many extents with a small disk. */
export interface ScanTuning {
  readonly extentBytes?: number;
}

/**
 * Two slots a worker, one being read and one waiting, and two for the consumer. A disk smaller than that gets fewer and smaller ones.
 * Throws RangeError for figures that make no sense, and for a parent of another block size.
 */
export function planScan(device: BlockDevice, options: ScanOptions, tuning: ScanTuning = {}): ScanPlan {
  const grid = blockGrid(device.sizeBytes, options.blockSizeBytes);
  if (grid.blockSizeBytes > MAX_BLOCK_BYTES) throw new RangeError(`blocks of ${grid.blockSizeBytes} bytes are larger than ${MAX_BLOCK_BYTES}`);
  const parentBlock = options.parent?.grid.blockSizeBytes;
  if (parentBlock !== undefined && parentBlock !== grid.blockSizeBytes) {
    throw new RangeError(`the parent has blocks of ${parentBlock} bytes, not ${grid.blockSizeBytes}: its digests say nothing about this grid`);
  }
  const wanted = options.workers ?? Math.min(availableParallelism(), DEFAULT_MAX_WORKERS);
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > MAX_WORKERS) throw new RangeError(`${wanted} is no number of workers between 1 and ${MAX_WORKERS}`);
  const extentBytes = extentSize(grid, wanted, tuning.extentBytes ?? EXTENT_BYTES);
  const extents = Math.ceil(grid.sizeBytes / extentBytes);
  const workers = Math.min(wanted, extents);
  return {
    grid,
    workers,
    layout: {
      slotCount: Math.min(workers * 2 + 2, extents),
      extentBytes,
      digestAreaBytes: roundUpToPage((extentBytes / grid.blockSizeBytes) * DIGEST_BYTES),
    },
  };
}

/** A power of two, of whole blocks and pages; a small disk is shared out among the workers. */
function extentSize(grid: BlockGrid, workers: number, preferred: number): number {
  const share = 2 ** Math.ceil(Math.log2(Math.max(1, grid.sizeBytes / workers)));
  return Math.max(Math.min(preferred, share), grid.blockSizeBytes, PAGE_BYTES);
}
