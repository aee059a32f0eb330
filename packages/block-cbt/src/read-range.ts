import { readSync } from 'node:fs';
import { PAGE_BYTES, roundUpToPage } from './page-memory.ts';
import type { ReadFault } from './scan-protocol.ts';

export interface ReadSource {
  readonly fd: number;
  readonly direct: boolean;
  readonly blockSizeBytes: number;
}

interface Range {
  readonly offset: number;
  readonly length: number;
}

/**
 * Fills `memory` from `at` with a range of the descriptor, blocking. Returns what went wrong, narrowed to the first block that cannot be read;
 * blocks that a second, smaller read gets are good. Memory up to the next page boundary behind the range may be overwritten.
 */
export function readRange(source: ReadSource, memory: Uint8Array, at: number, range: Range): ReadFault | undefined {
  const fault = readWhole(source, memory, at, range);
  if (!fault?.error || range.length <= source.blockSizeBytes) return fault;
  for (let done = 0; done < range.length; done += source.blockSizeBytes) {
    const block = { offset: range.offset + done, length: Math.min(source.blockSizeBytes, range.length - done) };
    const narrowed = readWhole(source, memory, at + done, block);
    if (narrowed) return narrowed;
  }
  return undefined;
}

function readWhole(source: ReadSource, memory: Uint8Array, at: number, range: Range): ReadFault | undefined {
  for (let done = 0; done < range.length; ) {
    const rest = { offset: range.offset + done, length: range.length - done };
    let got: number;
    try {
      got = readSync(source.fd, memory, at + done, source.direct ? roundUpToPage(rest.length) : rest.length, rest.offset);
    } catch (error) {
      return { ...rest, error: plainError(error) };
    }
    // O_DIRECT goes on only from a page boundary; what is read again is at most a page.
    const kept = source.direct && got < rest.length ? got - (got % PAGE_BYTES) : got;
    if (kept === 0) return { offset: rest.offset + got, length: rest.length - got };
    done += kept;
  }
  return undefined;
}

function plainError(error: unknown): NonNullable<ReadFault['error']> {
  if (!(error instanceof Error)) return { message: String(error), code: 'UNKNOWN', errno: undefined, syscall: undefined };
  const { code, errno, syscall }: NodeJS.ErrnoException = error;
  return { message: error.message, code: code ?? error.name, errno, syscall };
}
