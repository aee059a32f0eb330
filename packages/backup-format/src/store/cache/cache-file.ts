import { createHash } from 'node:crypto';

const MAGIC = Buffer.from('ovcache1');
const HEADER_BYTES = MAGIC.length + 32;

/** What a cache file says of itself: a checksum over its name and its bytes, so that a torn, empty, flipped or misplaced file is known for what it is. */
export function encodeCacheFile(name: string, bytes: Uint8Array): Uint8Array[] {
  return [MAGIC, checksum(name, bytes), bytes];
}

/** The bytes, or undefined for a file that is not what it should be. */
export function decodeCacheFile(name: string, file: Buffer, length: number): Buffer | undefined {
  if (file.length !== HEADER_BYTES + length || !file.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const bytes = file.subarray(HEADER_BYTES);
  return checksum(name, bytes).equals(file.subarray(MAGIC.length, HEADER_BYTES)) ? bytes : undefined;
}

/** What a file with this much cached takes up. */
export function cacheFileBytes(length: number): number {
  return onDisk(HEADER_BYTES + length);
}

/** As file systems with blocks of 4 KiB count. */
export function onDisk(fileBytes: number): number {
  return Math.ceil(fileBytes / 4096) * 4096;
}

function checksum(name: string, bytes: Uint8Array): Buffer {
  return createHash('sha256').update(`${name}\n`).update(bytes).digest();
}
