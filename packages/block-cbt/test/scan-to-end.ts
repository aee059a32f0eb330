import { createHash } from 'node:crypto';
import { blake3 } from '@napi-rs/blake-hash';
import { type BlockGrid, blockGrid, blockRange } from '@onevault/base';
import { type DigestAlgorithm, MemoryDigestMap, type ScannedRun, type ScanSummary } from '../src/index.ts';

/** Where a scan put each block. */
export interface Outcome {
  readonly kinds: readonly ScannedRun['kind'][];
  readonly digests: ReadonlyMap<number, string>;
  readonly data: ReadonlyMap<number, Buffer>;
  readonly summary: ScanSummary;
  readonly runCount: number;
}

/** Runs a scan to its end, copying what it yields; throws unless the runs cover the disk once, in order. */
export async function scanToEnd(runs: AsyncGenerator<ScannedRun, ScanSummary, void>): Promise<Outcome> {
  const kinds: ScannedRun['kind'][] = [];
  const digests = new Map<number, string>();
  const data = new Map<number, Buffer>();
  for (let runCount = 0; ; runCount++) {
    const step = await runs.next();
    if (step.done) return { kinds, digests, data, summary: step.value, runCount };
    const run = step.value;
    if (run.index !== kinds.length) throw new Error(`expected block ${kinds.length}, got a run of ${run.kind} from ${run.index}`);
    if (run.kind === 'changed') {
      digests.set(run.index, Buffer.from(run.digest).toString('hex'));
      data.set(run.index, Buffer.from(run.data)); // Buffer.from copies
      run.release();
    }
    const count = run.kind === 'changed' ? 1 : run.count;
    for (let i = 0; i < count; i++) kinds.push(run.kind);
  }
}

/** The digest by another way than the scan: one shot, no worker. */
export function oneShot(algorithm: DigestAlgorithm, data: Uint8Array): string {
  return algorithm === 'blake3' ? blake3(Buffer.from(data)).toString('hex') : createHash('sha256').update(data).digest('hex');
}

export function blockOf(image: Uint8Array, grid: BlockGrid, index: number): Uint8Array {
  const { offset, length } = blockRange(grid, index);
  return image.subarray(offset, offset + length);
}

/** The digest map of an image, made without a scan. */
export function mapOf(image: Uint8Array, blockSizeBytes: number, algorithm: DigestAlgorithm = 'blake3'): MemoryDigestMap {
  const grid = blockGrid(image.byteLength, blockSizeBytes);
  const map = new MemoryDigestMap(grid);
  for (let index = 0; index < grid.blockCount; index++) {
    const block = blockOf(image, grid, index);
    if (block.some((byte) => byte !== 0)) map.set(index, Buffer.from(oneShot(algorithm, block), 'hex'));
  }
  return map;
}

/** What a scan of `now` against `before` must say, from the bytes alone. */
export function trueKinds(now: Uint8Array, before: Uint8Array | undefined, blockSizeBytes: number): ScannedRun['kind'][] {
  const grid = blockGrid(now.byteLength, blockSizeBytes);
  const past = before && blockGrid(before.byteLength, blockSizeBytes);
  return Array.from({ length: grid.blockCount }, (_, index) => {
    const block = blockOf(now, grid, index);
    const zero = block.every((byte) => byte === 0);
    if (before && past && index < past.blockCount) {
      const old = blockOf(before, past, index);
      // Zeros are zeros, of whatever length; anything else must agree in length too.
      if (zero ? old.every((byte) => byte === 0) : Buffer.compare(block, old) === 0) return 'unchanged';
    }
    return zero ? 'zero' : 'changed';
  });
}
