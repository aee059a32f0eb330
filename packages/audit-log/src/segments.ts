import { createReadStream } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { CallOptions } from '@onevault/base';

/** One file of the log, named after the number of its first record. */
export interface Segment {
  readonly path: string;
  readonly firstSeq: number;
}

const NAME = /^audit-(\d{12})\.jsonl$/;

export function segmentPath(directory: string, firstSeq: number): string {
  return join(directory, `audit-${String(firstSeq).padStart(12, '0')}.jsonl`);
}

/** Oldest first. A directory that is not there has none. */
export async function listSegments(directory: string): Promise<Segment[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names
    .flatMap((name) => {
      const [, first] = NAME.exec(name) ?? [];
      return first === undefined ? [] : [{ path: join(directory, name), firstSeq: Number(first) }];
    })
    .sort((a, b) => a.firstSeq - b.firstSeq);
}

/** Lines of one file, without their ends; a line is never longer than a record can be. */
export async function* linesOf(path: string, options: CallOptions): AsyncGenerator<string, void> {
  const input = createReadStream(path, { encoding: 'utf8', ...(options.signal && { signal: options.signal }) });
  try {
    yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  } finally {
    input.destroy();
  }
}

/** What stands behind the last end of a line: a record that was being written when the power went. */
export async function tornTail(path: string): Promise<{ readonly wholeBytes: number; readonly torn: string }> {
  const { size } = await stat(path);
  const handle = await open(path, 'r');
  try {
    const tail = Buffer.alloc(Math.min(size, MAX_LINE_BYTES));
    await handle.read(tail, 0, tail.length, size - tail.length);
    const end = tail.lastIndexOf(0x0a) + 1;
    return { wholeBytes: size - tail.length + end, torn: tail.subarray(end).toString('utf8') };
  } finally {
    await handle.close();
  }
}

/** Far more than the limits of a record's fields add up to, with every character escaped. */
const MAX_LINE_BYTES = 256 * 1024;
