import type { ByteRange } from '../object-store.ts';

/** Index tables and manifests are cached in blocks of this size on a grid: 16 pages of a table, and most manifests whole. */
const CACHE_BLOCK_BYTES = 64 * 1024;

/** The blocks that a range touches, each with its place in the object. */
export function blocksOf(range: ByteRange, objectBytes: number): ByteRange[] {
  const blocks: ByteRange[] = [];
  const end = range.offset + range.length;
  for (let offset = range.offset - (range.offset % CACHE_BLOCK_BYTES); offset < end; offset += CACHE_BLOCK_BYTES) {
    blocks.push({ offset, length: Math.min(CACHE_BLOCK_BYTES, objectBytes - offset) });
  }
  return blocks;
}

/** Copies what `source` has of a range to where it belongs. */
export function copyOverlap(target: Uint8Array, targetOffset: number, source: Uint8Array, sourceOffset: number): void {
  const from = Math.max(targetOffset, sourceOffset);
  const to = Math.min(targetOffset + target.length, sourceOffset + source.length);
  if (from < to) target.set(source.subarray(from - sourceOffset, to - sourceOffset), from - targetOffset);
}
