import { invalidFormat } from '../errors.ts';

/** The numbers that follow from disk size and cluster size; names are those of the specification (docs/interop/qcow2 of QEMU). */
export interface Geometry {
  /** Of the disk the guest sees: whole sectors. */
  readonly sizeBytes: number;
  readonly clusterBits: number;
  readonly clusterBytes: number;
  /** Clusters one L2 table maps, and bytes of the disk these are. */
  readonly l2Entries: number;
  readonly l2Span: number;
  readonly l1Entries: number;
  /** Clusters one refcount block counts. */
  readonly refcountEntries: number;
}

const SECTOR_BYTES = 512;
const MIN_CLUSTER_BYTES = 4096;
/** QEMU opens none larger (qcow2.h: MAX_CLUSTER_BITS, QCOW_MAX_L1_SIZE). */
const MAX_CLUSTER_BYTES = 2 * 2 ** 20;
const MAX_L1_BYTES = 32 * 2 ** 20;
export const ENTRY_BYTES = 8;
export const REFCOUNT_BYTES = 2;
const DEFAULT_CLUSTER_BYTES = 65_536;

/** Throws EXPORT_FORMAT_INVALID for a cluster size that QEMU does not open, at all or with so large a disk. */
export function geometryOf(diskBytes: number, clusterBytes = DEFAULT_CLUSTER_BYTES): Geometry {
  const clusterBits = Math.log2(clusterBytes);
  if (!Number.isInteger(clusterBits) || clusterBytes < MIN_CLUSTER_BYTES || clusterBytes > MAX_CLUSTER_BYTES)
    throw invalidFormat(`a qcow2 image cannot have clusters of ${clusterBytes} bytes here`, 'a power of two from 4 KiB to 2 MiB');
  const sizeBytes = Math.ceil(diskBytes / SECTOR_BYTES) * SECTOR_BYTES;
  const l2Entries = clusterBytes / ENTRY_BYTES;
  const l2Span = l2Entries * clusterBytes;
  const l1Entries = Math.max(1, Math.ceil(sizeBytes / l2Span));
  if (l1Entries * ENTRY_BYTES > MAX_L1_BYTES)
    throw invalidFormat(`a disk of ${sizeBytes} bytes in clusters of ${clusterBytes}: QEMU opens no image with so many`, 'choose larger clusters');
  return { sizeBytes, clusterBits, clusterBytes, l2Entries, l2Span, l1Entries, refcountEntries: clusterBytes / REFCOUNT_BYTES };
}

export function clustersFor(bytes: number, { clusterBytes }: Geometry): number {
  return Math.ceil(bytes / clusterBytes);
}
