import type { CallOptions } from '@onevault/base';
import { DIGEST_BYTES } from '@onevault/base';
import { type ReadRangeOptions, signalOf } from '../read-range.ts';
import type { ByteRange, ExportSource } from '../source.ts';
import { isZero } from '../zero.ts';

/** Digests asked for at once. */
const BATCH_BLOCKS = 1024;

/**
 * The clusters of a range that may hold data, as the digests say: those that touch a block which is not zeros. In order, as runs. Damaged digests are thrown as the
 * source's own error, or count as zeros with `damageOf`.
 */
export async function* allocatedClusters(
  source: ExportSource,
  range: ByteRange,
  clusterBytes: number,
  options: ReadRangeOptions,
): AsyncGenerator<{ readonly first: number; readonly count: number }, void> {
  const { blockSizeBytes } = source.grid;
  let run: { first: number; end: number } | undefined;
  for await (const block of storedBlocks(source, range, options)) {
    const start = Math.max(0, block * blockSizeBytes - range.offset);
    const end = Math.min(range.length, (block + 1) * blockSizeBytes - range.offset);
    const first = Math.floor(start / clusterBytes);
    const endCluster = Math.ceil(end / clusterBytes);
    if (run && first <= run.end) run.end = endCluster;
    else {
      if (run) yield { first: run.first, count: run.end - run.first };
      run = { first, end: endCluster };
    }
  }
  if (run) yield { first: run.first, count: run.end - run.first };
}

async function* storedBlocks(source: ExportSource, range: ByteRange, options: ReadRangeOptions): AsyncGenerator<number, void> {
  const { blockSizeBytes } = source.grid;
  const to = Math.ceil((range.offset + range.length) / blockSizeBytes);
  for (let first = Math.floor(range.offset / blockSizeBytes); first < to; ) {
    options.signal?.throwIfAborted();
    // Batches end where pages of the index do (docs/format.md), so that one that is damaged takes no other with it.
    const count = Math.min(to, (Math.floor(first / BATCH_BLOCKS) + 1) * BATCH_BLOCKS) - first;
    const digests = await source.digests(first, count, signalOf(options));
    if (!digests && !options.damageOf) await throwDamage(source, first, options);
    if (digests && !isZero(digests)) {
      for (let at = 0; at < count; at++) {
        if (!isZero(digests.subarray(at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES))) yield first + at;
      }
    }
    first += count;
  }
}

/** Reading the block says what is wrong, and where; `digests` only says that something is. */
async function throwDamage(source: ExportSource, block: number, options: CallOptions): Promise<void> {
  for await (const _ of source.blocks({ from: block, to: block + 1, ...signalOf(options) })) break;
  throw new RangeError(`the digests of block ${block} are not known, and yet it can be read`);
}
