import { open } from 'node:fs/promises';

const CHUNK_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(CHUNK_BYTES);

/** Size of a file that reads as zeros from end to end; undefined when it does not. */
export async function sizeIfZeros(path: string, options: { readonly signal?: AbortSignal } = {}): Promise<number | undefined> {
  await using file = await open(path, 'r');
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let offset = 0; ; ) {
    options.signal?.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, offset);
    if (bytesRead === 0) return offset;
    if (!buffer.subarray(0, bytesRead).equals(ZEROS.subarray(0, bytesRead))) return undefined;
    offset += bytesRead;
  }
}
