import { type BlockGrid, DIGEST_BYTES } from '@onevault/base';
import { RepositoryError } from '../errors.ts';
import { asBuffer, isZero } from './bytes.ts';
import { FORMAT_VERSION, MAX_CHUNK_BYTES, PAGE_DIGESTS } from './limits.ts';

/** docs/format.md section 8. */
export const ROOT_HEADER_BYTES = 64;
export const PAGE_BYTES = PAGE_DIGESTS * DIGEST_BYTES;
export const MAX_DISK_PAGES = Math.floor((MAX_CHUNK_BYTES - ROOT_HEADER_BYTES) / DIGEST_BYTES);
const MAGIC = Buffer.from('onevroot', 'ascii');

export function pageCount(grid: BlockGrid): number {
  return Math.ceil(grid.blockCount / PAGE_DIGESTS);
}

/** Digests in page `page`: 1024, in the last page of a disk possibly fewer. */
export function pageDigests(grid: BlockGrid, page: number): number {
  return Math.min(PAGE_DIGESTS, grid.blockCount - page * PAGE_DIGESTS);
}

export function encodeRoot(grid: BlockGrid, pages: Uint8Array): Buffer {
  const out = Buffer.alloc(ROOT_HEADER_BYTES + pages.length);
  MAGIC.copy(out, 0);
  out.writeUInt32LE(FORMAT_VERSION, 8);
  out.writeUInt32LE(grid.blockSizeBytes, 12);
  out.writeBigUInt64LE(BigInt(grid.sizeBytes), 16);
  out.writeUInt32LE(pages.length / DIGEST_BYTES, 24);
  out.writeUInt32LE(PAGE_DIGESTS, 28);
  out.set(pages, ROOT_HEADER_BYTES);
  return out;
}

/** The page digests of a root, after everything in it was checked against the disk it is said to stand for (I10). Throws REPO_PAGE_CORRUPT. */
export function decodeRoot(grid: BlockGrid, bytes: Uint8Array): Buffer {
  const buffer = asBuffer(bytes);
  if (buffer.length < ROOT_HEADER_BYTES || !buffer.subarray(0, 8).equals(MAGIC)) throw invalid('does not begin with its magic');
  if (buffer.readUInt32LE(8) !== FORMAT_VERSION) throw invalid(`has the unknown version ${buffer.readUInt32LE(8)}`);
  const agrees =
    buffer.readUInt32LE(12) === grid.blockSizeBytes &&
    buffer.readBigUInt64LE(16) === BigInt(grid.sizeBytes) &&
    buffer.readUInt32LE(24) === pageCount(grid) &&
    buffer.readUInt32LE(28) === PAGE_DIGESTS;
  if (!agrees) throw invalid('describes a disk of another size than its manifest does');
  if (!isZero(buffer.subarray(32, 64))) throw invalid('has reserved bytes that are not zero');
  if (buffer.length !== ROOT_HEADER_BYTES + pageCount(grid) * DIGEST_BYTES) throw invalid(`has ${buffer.length} bytes for ${pageCount(grid)} pages`);
  return buffer.subarray(ROOT_HEADER_BYTES);
}

function invalid(message: string): RepositoryError {
  return new RepositoryError({ code: 'REPO_PAGE_CORRUPT', message: `the root of the disk index ${message}` });
}
