import type { DiskRun } from '../source.ts';
import { isZero, zeroPieces } from '../zero.ts';

/** Zeros inside a block of data become holes when they fill a piece of this size; smaller holes would cost the file system more than they save. */
const PIECE_BYTES = 64 * 1024;

/** The same bytes, with the zeros inside the data told apart. */
export async function* splitZeros(runs: AsyncIterable<DiskRun>): AsyncGenerator<DiskRun, void> {
  for await (const run of runs) {
    if (run.kind === 'zero') yield run;
    else yield* splitData(run.offset, run.data);
  }
}

function* splitData(offset: number, data: Uint8Array): Generator<DiskRun, void> {
  let start = 0;
  let zero: boolean | undefined;
  for (let at = 0; at < data.length; ) {
    const end = Math.min(data.length, at + PIECE_BYTES - ((offset + at) % PIECE_BYTES));
    const isHole = isZero(data.subarray(at, end));
    if (zero !== undefined && isHole !== zero) {
      yield part(offset, data, start, at, zero);
      start = at;
    }
    zero = isHole;
    at = end;
  }
  if (zero !== undefined) yield part(offset, data, start, data.length, zero);
}

function part(offset: number, data: Uint8Array, start: number, end: number, zero: boolean): DiskRun {
  if (zero) return { kind: 'zero', offset: offset + start, length: end - start };
  return { kind: 'data', offset: offset + start, data: data.subarray(start, end) };
}

/** The bytes themselves, zeros too, in pieces that fit in memory. */
export function* piecesOf(run: DiskRun): Generator<{ readonly offset: number; readonly data: Uint8Array }, void> {
  if (run.kind === 'data') return yield run;
  let { offset } = run;
  for (const data of zeroPieces(run.length)) {
    yield { offset, data };
    offset += data.length;
  }
}
