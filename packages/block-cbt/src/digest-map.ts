import { type BlockGrid, type CallOptions, DIGEST_BYTES, type DigestSource } from '@onevault/base';
import type { ScannedRun } from './scan-api.ts';

/** Digests of a disk in one flat piece of memory: 32 bytes a block, so 32 MiB for 1 TiB in blocks of 1 MiB. For tests and disks that fit; a repository reads its own in pages. */
export class MemoryDigestMap implements DigestSource {
  readonly grid: BlockGrid;
  readonly #digests: Uint8Array;

  /** All blocks zero. */
  constructor(grid: BlockGrid) {
    this.grid = grid;
    this.#digests = new Uint8Array(grid.blockCount * DIGEST_BYTES);
  }

  /** Runs a scan to its end and keeps the digests; every block is released. `parent` is what the scan compared with. */
  static async fromScan(grid: BlockGrid, runs: AsyncIterable<ScannedRun>, parent?: DigestSource): Promise<MemoryDigestMap> {
    const map = new MemoryDigestMap(grid);
    for await (const run of runs) {
      if (run.kind === 'changed') {
        map.set(run.index, run.digest);
        run.release();
      } else if (run.kind === 'unchanged') {
        const digests = await parent?.digests(run.index, run.count);
        if (!digests) throw new RangeError(`blocks from ${run.index} are unchanged, and the parent does not know them`);
        map.#digests.set(digests, run.index * DIGEST_BYTES);
      }
    }
    return map;
  }

  set(index: number, digest: Uint8Array): void {
    if (digest.byteLength !== DIGEST_BYTES) throw new RangeError(`a digest has ${DIGEST_BYTES} bytes, not ${digest.byteLength}`);
    this.#require(index, 1);
    this.#digests.set(digest, index * DIGEST_BYTES);
  }

  async digests(first: number, count: number, options: CallOptions = {}): Promise<Uint8Array> {
    options.signal?.throwIfAborted();
    this.#require(first, count);
    return this.#digests.subarray(first * DIGEST_BYTES, (first + count) * DIGEST_BYTES);
  }

  #require(first: number, count: number): void {
    const inside = Number.isInteger(first) && Number.isInteger(count) && first >= 0 && count >= 0 && first + count <= this.grid.blockCount;
    if (!inside) throw new RangeError(`blocks ${first}..${first + count} are outside a grid of ${this.grid.blockCount} blocks`);
  }
}
