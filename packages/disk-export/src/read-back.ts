import type { FileHandle } from 'node:fs/promises';
import type { CallOptions } from '@onevault/base';
import { ExportError, mismatch, readFailure } from './errors.ts';
import type { DiskRun } from './source.ts';
import { isZero } from './zero.ts';

/** What was exported, to be read again as the disk that it should be. */
export interface ReadBack {
  readonly sizeBytes: number;
  readInto(offset: number, target: Uint8Array, options?: CallOptions): Promise<void>;
  /** Up to where it is known without reading that there are only zeros; `offset` itself when nothing is. */
  holeEnd?(offset: number): Promise<number>;
}

const STEP_BYTES = 2 ** 20;

/** Compares with the source, byte by byte, zeros included. Throws EXPORT_MISMATCH with the first piece that differs, EXPORT_READ_FAILED. */
export async function verifyAgainst(runs: AsyncIterable<DiskRun>, exported: ReadBack, path: string, options: CallOptions): Promise<void> {
  const buffer = new Uint8Array(STEP_BYTES);
  for await (const run of runs) {
    for await (const { offset, expected, length } of expectations(run, exported)) {
      options.signal?.throwIfAborted();
      const actual = buffer.subarray(0, length);
      await readPiece(exported, offset, actual, path, options);
      if (expected ? Buffer.compare(actual, expected) !== 0 : !isZero(actual)) throw mismatch(path, { offset, length });
    }
  }
}

/** What is to be read of a run, and what should come; zeros where nothing is expected. */
async function* expectations(run: DiskRun, exported: ReadBack): AsyncGenerator<{ offset: number; length: number; expected?: Uint8Array }, void> {
  const end = run.offset + (run.kind === 'zero' ? run.length : run.data.length);
  for (let offset = run.offset; ; ) {
    if (run.kind === 'zero') offset = (await exported.holeEnd?.(offset)) ?? offset;
    if (offset >= end) return;
    const length = Math.min(STEP_BYTES, end - offset);
    const at = offset - run.offset;
    yield run.kind === 'zero' ? { offset, length } : { offset, length, expected: run.data.subarray(at, at + length) };
    offset += length;
  }
}

async function readPiece(exported: ReadBack, offset: number, target: Uint8Array, path: string, options: CallOptions): Promise<void> {
  try {
    await exported.readInto(offset, target, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw error instanceof ExportError ? error : readFailure(path, error);
  }
}

/** A raw file. */
export async function rawFile(file: FileHandle): Promise<ReadBack> {
  const { size } = await file.stat();
  return {
    sizeBytes: size,
    async readInto(offset, target) {
      for (let done = 0; done < target.length; ) {
        const { bytesRead } = await file.read(target, done, target.length - done, offset + done);
        if (bytesRead === 0) throw new RangeError(`it ends at ${offset + done}`);
        done += bytesRead;
      }
    },
  };
}
