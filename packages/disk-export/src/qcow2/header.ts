import type { Geometry } from './geometry.ts';

const MAGIC = 0x514649fb; // "QFI\xfb"
const VERSION = 3;
/** With the compression type, and padded to a multiple of 8. */
const HEADER_BYTES = 112;
/** Refcounts of 2^4 bits. */
const REFCOUNT_ORDER = 4;
/** Incompatible feature: compressed clusters are not zlib. */
const COMPRESSION_TYPE = 8;
export const COMPRESSION_TYPES = { zlib: 0, zstd: 1 } as const;

export interface Layout {
  readonly l1Offset: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
}

/** The first cluster. What is not set is zero: no backing file, no encryption, no snapshots, no header extensions. */
export function encodeHeader(geometry: Geometry, layout: Layout, compression: keyof typeof COMPRESSION_TYPES = 'zlib'): Buffer {
  const header = Buffer.alloc(geometry.clusterBytes);
  header.writeUInt32BE(MAGIC, 0);
  header.writeUInt32BE(VERSION, 4);
  header.writeUInt32BE(geometry.clusterBits, 20);
  header.writeBigUInt64BE(BigInt(geometry.sizeBytes), 24);
  header.writeUInt32BE(geometry.l1Entries, 36);
  header.writeBigUInt64BE(BigInt(layout.l1Offset), 40);
  header.writeBigUInt64BE(BigInt(layout.refcountTableOffset), 48);
  header.writeUInt32BE(layout.refcountTableClusters, 56);
  header.writeBigUInt64BE(compression === 'zlib' ? 0n : BigInt(COMPRESSION_TYPE), 72);
  header.writeUInt32BE(REFCOUNT_ORDER, 96);
  header.writeUInt32BE(HEADER_BYTES, 100);
  header.writeUInt8(COMPRESSION_TYPES[compression], 104);
  return header;
}

export interface DecodedHeader extends Layout {
  readonly version: number;
  readonly clusterBits: number;
  readonly sizeBytes: number;
  readonly l1Entries: number;
  readonly compression: keyof typeof COMPRESSION_TYPES;
}

/** Of an image as this package writes them. Throws RangeError for any other. */
export function decodeHeader(header: Buffer): DecodedHeader {
  const version = header.readUInt32BE(4);
  if (header.readUInt32BE(0) !== MAGIC || version !== VERSION) throw new RangeError('this is no qcow2 image of version 3');
  if (header.readBigUInt64BE(72) & ~BigInt(COMPRESSION_TYPE)) throw new RangeError('this image has features that are not read here');
  return {
    version,
    clusterBits: header.readUInt32BE(20),
    sizeBytes: Number(header.readBigUInt64BE(24)),
    l1Entries: header.readUInt32BE(36),
    l1Offset: Number(header.readBigUInt64BE(40)),
    refcountTableOffset: Number(header.readBigUInt64BE(48)),
    refcountTableClusters: header.readUInt32BE(56),
    compression: header.readUInt8(104) === COMPRESSION_TYPES.zstd ? 'zstd' : 'zlib',
  };
}
