import type { BlockGrid } from '@onevault/base';
import type { HoleMap } from './holes.ts';

/** A part of the disk to deal with in one go: it starts on a block boundary, and ends on one or at the end of the disk. */
export interface Span {
  /** `data` is to be read (at most one extent); `hole` reads as zeros, the file system says, and may be of any length. */
  readonly kind: 'data' | 'hole';
  readonly offset: number;
  readonly length: number;
}

/** Shorter holes are read through: a read of its own for each piece between them would cost more than it saves. */
const WORTHWHILE_HOLE_BYTES = 2 ** 20;

export interface SpanOptions {
  readonly extentBytes: number;
  readonly holes?: HoleMap | undefined;
}

/** Cuts the disk into spans, in disk order, covering it exactly once. A block that has any data in it belongs to a data span. */
export async function* planSpans(grid: BlockGrid, options: SpanOptions): AsyncGenerator<Span, void> {
  for (let at = 0; at < grid.sizeBytes; ) {
    const start = await dataAt(grid, options.holes, at);
    if (start > at) yield { kind: 'hole', offset: at, length: start - at };
    if (start >= grid.sizeBytes) return;
    const end = await dataEnd(grid, options, start);
    yield { kind: 'data', offset: start, length: end - start };
    at = end;
  }
}

/** The start of the first block at or behind `at` (a boundary itself) that holds data; the end of the disk when none does. */
async function dataAt(grid: BlockGrid, holes: HoleMap | undefined, at: number): Promise<number> {
  if (!holes) return at;
  const data = await holes.nextData(at);
  return data === undefined ? grid.sizeBytes : Math.max(at, data - (data % grid.blockSizeBytes));
}

/** How far one read from `start`, where data begins, should go: over short holes, up to a worthwhile one or to the size of an extent. */
async function dataEnd(grid: BlockGrid, { extentBytes, holes }: SpanOptions, start: number): Promise<number> {
  const limit = Math.min(start + extentBytes, grid.sizeBytes);
  if (!holes) return limit;
  let end = start;
  while (end < limit) {
    const data = (await holes.nextData(end)) ?? grid.sizeBytes;
    if (end > start && (data >= limit || data - end >= WORTHWHILE_HOLE_BYTES)) return end;
    // Also when the file changes under us and the answers contradict each other, each step takes in one block at least.
    const hole = Math.max(await holes.nextHole(data), end + 1);
    end = Math.ceil(hole / grid.blockSizeBytes) * grid.blockSizeBytes;
  }
  return limit;
}
