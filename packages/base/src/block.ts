/** A fixed grid of blocks over a disk. All sizes in bytes; the last block may be shorter than the others. */
export interface BlockGrid {
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  readonly blockCount: number;
}

/** Lays a grid over `sizeBytes`. Throws RangeError unless both sizes are safe integers and the block size is a power of two. */
export function blockGrid(sizeBytes: number, blockSizeBytes: number): BlockGrid {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw new RangeError(`disk size ${sizeBytes} is not a size in bytes`);
  if (!isPowerOfTwo(blockSizeBytes)) throw new RangeError(`block size ${blockSizeBytes} is not a power of two`);
  return { sizeBytes, blockSizeBytes, blockCount: Math.ceil(sizeBytes / blockSizeBytes) };
}

/** Offset and length in bytes of block `index`. */
export function blockRange(grid: BlockGrid, index: number): { readonly offset: number; readonly length: number } {
  if (!Number.isInteger(index) || index < 0 || index >= grid.blockCount) {
    throw new RangeError(`block ${index} is outside a grid of ${grid.blockCount} blocks`);
  }
  const offset = index * grid.blockSizeBytes;
  return { offset, length: Math.min(grid.blockSizeBytes, grid.sizeBytes - offset) };
}

export const DIGEST_BYTES = 32;

/**
 * What lets change detection and the repository meet without importing one another:
 * a disk's digests, read in runs so that a 16 TiB disk never sits in memory.
 */
export interface DigestSource {
  readonly grid: BlockGrid;
  /**
   * Digests of blocks `first .. first + count - 1`, `DIGEST_BYTES` each, concatenated. All zero bytes mean "this block reads as zeros".
   * `undefined` when they cannot be known (damaged or lost): the blocks then count as changed. May be called concurrently; the caller must not modify the result.
   */
  digests(first: number, count: number, options?: { readonly signal?: AbortSignal }): Promise<Uint8Array | undefined>;
}

function isPowerOfTwo(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && Number.isInteger(Math.log2(value));
}
