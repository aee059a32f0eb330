import { type FileHandle, open } from 'node:fs/promises';
import type { CallOptions } from '@onevault/base';

/** Bytes moved between two turns of the event loop; also the memory one copy takes. */
export const COPY_CHUNK_BYTES = 1 << 20;

const HOLE_UNIT_BYTES = 64 * 1024;
const zeros = Buffer.alloc(HOLE_UNIT_BYTES);

/** Copies a file that nobody writes meanwhile; zero runs become holes. The target is made anew. Returns the size in bytes. */
export async function copySparse(sourcePath: string, targetPath: string, options: CallOptions = {}): Promise<number> {
  const source = await open(sourcePath, 'r');
  try {
    const { size } = await source.stat();
    const target = await open(targetPath, 'w');
    try {
      await target.truncate(size);
      const buffer = Buffer.allocUnsafe(Math.min(COPY_CHUNK_BYTES, Math.max(size, 1)));
      for (let offset = 0; offset < size; offset += COPY_CHUNK_BYTES) {
        options.signal?.throwIfAborted();
        await copyRange(source, target, offset, Math.min(COPY_CHUNK_BYTES, size - offset), buffer);
      }
    } finally {
      await target.close();
    }
    return size;
  } finally {
    await source.close();
  }
}

/** Copies one range into a target that reads as zeros there: what is zero in the source is not written. */
export async function copyRange(source: FileHandle, target: FileHandle, offset: number, length: number, buffer: Buffer): Promise<void> {
  const bytes = await readRange(source, offset, buffer.subarray(0, length));
  for (const run of dataRuns(bytes)) {
    await writeFully(target, bytes.subarray(run.start, run.end), offset + run.start);
  }
}

/** Reads up to the end of `target` or of the file; what lies beyond the file's end reads as zeros. */
export async function readRange(file: FileHandle, offset: number, target: Buffer): Promise<Buffer> {
  let filled = 0;
  while (filled < target.length) {
    const { bytesRead } = await file.read(target, filled, target.length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return target.fill(0, filled);
}

export async function writeFully(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const result = await file.write(bytes, written, bytes.length - written, offset + written);
    written += result.bytesWritten;
  }
}

/** Makes a file of `sizeBytes` that takes no space. */
export async function createSparse(path: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.truncate(sizeBytes);
  } finally {
    await file.close();
  }
}

function* dataRuns(bytes: Buffer): Generator<{ readonly start: number; readonly end: number }> {
  let start = -1;
  for (let at = 0; at < bytes.length; at += HOLE_UNIT_BYTES) {
    const unit = bytes.subarray(at, Math.min(at + HOLE_UNIT_BYTES, bytes.length));
    const empty = unit.equals(zeros.subarray(0, unit.length));
    if (!empty && start < 0) start = at;
    if (empty && start >= 0) {
      yield { start, end: at };
      start = -1;
    }
  }
  if (start >= 0) yield { start, end: bytes.length };
}
