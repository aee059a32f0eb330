import type { FileHandle } from 'node:fs/promises';

const PAGE_BYTES = 4096;
const ZEROS = Buffer.alloc(PAGE_BYTES);

/** Writes what is not zero and leaves the rest as holes; the file gets its size also where it ends in one. */
export async function writeSparse(file: FileHandle, body: AsyncIterable<Buffer>, sizeBytes: number): Promise<void> {
  let position = 0;
  for await (const chunk of body) {
    for (const [from, to] of dataIn(chunk, position)) await writeAll(file, chunk.subarray(from, to), position + from);
    position += chunk.length;
  }
  await file.truncate(sizeBytes);
}

/** Ranges of a chunk whose pages, as they lie in the file, are not all zero. */
function* dataIn(chunk: Buffer, position: number): Generator<readonly [from: number, to: number]> {
  let start: number | undefined;
  for (let at = 0; at < chunk.length; ) {
    const end = Math.min(chunk.length, at + PAGE_BYTES - ((position + at) % PAGE_BYTES));
    const zero = chunk.compare(ZEROS, 0, end - at, at, end) === 0;
    if (!zero) start ??= at;
    else if (start !== undefined) {
      yield [start, at];
      start = undefined;
    }
    at = end;
  }
  if (start !== undefined) yield [start, chunk.length];
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
}
