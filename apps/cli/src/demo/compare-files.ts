import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { CallOptions } from '@onevault/base';

export interface Comparison {
  readonly bytes: number;
  readonly equal: boolean;
  /** Offset of the first byte that differs; the shorter file's length when one ends early. */
  readonly firstDifference: number | undefined;
  /** SHA-256 of either side, hexadecimal. */
  readonly digests: readonly [expected: string, actual: string];
}

const CHUNK_BYTES = 4 * 1024 * 1024;

/** Every byte of two files, and the SHA-256 of each by itself: two ways that would have to fail in the same way to be fooled. */
export async function compareFiles(expectedPath: string, actualPath: string, options: CallOptions = {}): Promise<Comparison> {
  await using expected = await open(expectedPath, 'r');
  await using actual = await open(actualPath, 'r');
  const sizes = [(await expected.stat()).size, (await actual.stat()).size] as const;
  const hashes = [createHash('sha256'), createHash('sha256')] as const;
  const buffers = [Buffer.allocUnsafe(CHUNK_BYTES), Buffer.allocUnsafe(CHUNK_BYTES)] as const;
  let firstDifference: number | undefined;
  for (let offset = 0; offset < Math.max(...sizes); offset += CHUNK_BYTES) {
    options.signal?.throwIfAborted();
    const [a, b] = await Promise.all([readUpTo(expected, buffers[0], offset), readUpTo(actual, buffers[1], offset)]);
    hashes[0].update(a);
    hashes[1].update(b);
    if (firstDifference === undefined && !a.equals(b)) firstDifference = offset + differenceIn(a, b);
  }
  const digests = [hashes[0].digest('hex'), hashes[1].digest('hex')] as const;
  return { bytes: sizes[0], equal: firstDifference === undefined && digests[0] === digests[1] && sizes[0] === sizes[1], firstDifference, digests };
}

async function readUpTo(file: FileHandle, buffer: Buffer, offset: number): Promise<Buffer> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

function differenceIn(a: Buffer, b: Buffer): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) if (a[at] !== b[at]) return at;
  return Math.min(a.length, b.length);
}
