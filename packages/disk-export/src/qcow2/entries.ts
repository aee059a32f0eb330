/** Entries of L1 and L2 tables: 64 bits, big endian, written as two halves as a file offset is no more than 2^53. */
const HALF = 2 ** 32;
/** Bit 63: the cluster behind the entry has a refcount of exactly one. */
const COPIED_HIGH = 0x8000_0000;
/** Bit 62 of an L2 entry. */
const COMPRESSED_HIGH = 0x4000_0000;
/** Bits 32 to 55 in the upper half: the rest of the offset. */
const OFFSET_HIGH = 0x00ff_ffff;
const SECTOR_BITS = 9;

/** A cluster or table with one owner, at an offset on a cluster boundary. */
export function writeStandardEntry(table: Buffer, index: number, offset: number): void {
  table.writeUInt32BE(COPIED_HIGH + Math.floor(offset / HALF), index * 8);
  table.writeUInt32BE(offset % HALF, index * 8 + 4);
}

/** Compressed bytes at any offset. What is noted of their length is the number of sectors they touch beyond the first. */
export function writeCompressedEntry(table: Buffer, index: number, place: { readonly offset: number; readonly length: number }, clusterBits: number): void {
  const { offset, length } = place;
  const more = Math.floor((offset + length - 1) / 2 ** SECTOR_BITS) - Math.floor(offset / 2 ** SECTOR_BITS);
  table.writeUInt32BE(COMPRESSED_HIGH + more * 2 ** (sectorsShift(clusterBits) - 32) + Math.floor(offset / HALF), index * 8);
  table.writeUInt32BE(offset % HALF, index * 8 + 4);
}

export type Entry =
  | { readonly kind: 'unallocated' }
  | { readonly kind: 'standard'; readonly offset: number }
  /** Compressed bytes, and what may follow them in their last sector. */
  | { readonly kind: 'compressed'; readonly offset: number; readonly length: number };

export function readEntry(table: Buffer, index: number, clusterBits: number): Entry {
  const high = table.readUInt32BE(index * 8);
  const low = table.readUInt32BE(index * 8 + 4);
  if (high === 0 && low === 0) return { kind: 'unallocated' };
  if ((high & COMPRESSED_HIGH) === 0) return { kind: 'standard', offset: (high & OFFSET_HIGH) * HALF + low };
  const shift = sectorsShift(clusterBits) - 32;
  const more = (high & (COMPRESSED_HIGH - 1)) >>> shift;
  const offset = (high & (2 ** shift - 1)) * HALF + low;
  return { kind: 'compressed', offset, length: (more + 1) * 2 ** SECTOR_BITS - (offset % 2 ** SECTOR_BITS) };
}

/** The bit from which on a compressed entry holds its sectors; the offset is below. */
function sectorsShift(clusterBits: number): number {
  return 62 - (clusterBits - 8);
}
