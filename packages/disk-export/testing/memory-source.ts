import { createHash } from 'node:crypto';
import { type BlockGrid, blockGrid, blockRange, DIGEST_BYTES } from '@onevault/base';
import type { ByteRange, DiskRun, ExportSource } from '../src/index.ts';

/** A stretch of a disk, at an offset; what no piece covers is zeros. */
export interface DiskPiece {
  readonly offset: number;
  readonly data: Uint8Array;
}

export interface DamagedBlock extends Error {
  readonly range: ByteRange;
}

export interface MemorySource extends ExportSource {
  /** A range of the disk as it should be exported. */
  bytes(range?: Partial<ByteRange>): Buffer;
  /** What a damaged block's error says, for `damageOf`. */
  damageOf(error: unknown): ByteRange | undefined;
}

export interface MemorySourceOptions {
  readonly sizeBytes: number;
  readonly blockSizeBytes?: number;
  readonly damagedBlocks?: readonly number[];
}

/** A disk of any size from a few pieces. Its data lies in memory that is overwritten at the next step, as the contract allows. */
export function memorySource(pieces: readonly DiskPiece[], { sizeBytes, blockSizeBytes = 64 * 1024, damagedBlocks = [] }: MemorySourceOptions): MemorySource {
  const grid = blockGrid(sizeBytes, blockSizeBytes);
  const damaged = new Set(damagedBlocks);
  const touched = touchedBlocks(pieces, grid);
  const bytesOf = ({ offset, length }: ByteRange): Buffer => {
    const bytes = Buffer.alloc(length);
    for (const piece of pieces) {
      const start = Math.max(offset, piece.offset);
      const end = Math.min(offset + length, piece.offset + piece.data.length);
      if (start < end) bytes.set(piece.data.subarray(start - piece.offset, end - piece.offset), start - offset);
    }
    return bytes;
  };
  return {
    grid,
    bytes: ({ offset = 0, length = sizeBytes - offset } = {}) => bytesOf({ offset, length }),
    digests: async (first, count) => {
      const digests = Buffer.alloc(count * DIGEST_BYTES);
      for (const index of touched) {
        if (index < first || index >= first + count) continue;
        const bytes = bytesOf(blockRange(grid, index));
        if (!bytes.every((byte) => byte === 0)) digests.set(createHash('sha256').update(bytes).digest(), (index - first) * DIGEST_BYTES);
      }
      return digests;
    },
    damageOf: (error) => (error instanceof Error && 'range' in error ? (error as DamagedBlock).range : undefined),
    async *blocks({ from = 0, to = grid.blockCount, signal } = {}) {
      let lent: Buffer | undefined;
      for (const run of runsOf(touched, from, to)) {
        signal?.throwIfAborted();
        lent?.fill(0xee);
        if (typeof run === 'number' && damaged.has(run)) throw damage(blockRange(grid, run));
        const next: DiskRun = typeof run === 'number' ? dataRun(run) : zeroRun(run.from, run.to);
        lent = next.kind === 'data' ? (next.data as Buffer) : undefined;
        yield next;
      }
    },
  };

  function dataRun(index: number): DiskRun {
    const range = blockRange(grid, index);
    const data = bytesOf(range);
    return data.every((byte) => byte === 0) ? { kind: 'zero', ...range } : { kind: 'data', offset: range.offset, data };
  }

  function zeroRun(from: number, to: number): DiskRun {
    const offset = from * blockSizeBytes;
    return { kind: 'zero', offset, length: Math.min(sizeBytes, to * blockSizeBytes) - offset };
  }
}

function touchedBlocks(pieces: readonly DiskPiece[], { blockSizeBytes }: BlockGrid): number[] {
  const touched = new Set<number>();
  for (const { offset, data } of pieces) {
    for (let block = Math.floor(offset / blockSizeBytes); block * blockSizeBytes < offset + data.length; block++) touched.add(block);
  }
  return [...touched].sort((a, b) => a - b);
}

/** Single blocks that may hold data, and the stretches of zeros between them. */
function* runsOf(touched: readonly number[], from: number, to: number): Generator<number | { readonly from: number; readonly to: number }, void> {
  let next = from;
  for (const block of touched) {
    if (block < from || block >= to) continue;
    if (block > next) yield { from: next, to: block };
    yield block;
    next = block + 1;
  }
  if (next < to) yield { from: next, to };
}

function damage(range: ByteRange): DamagedBlock {
  return Object.assign(new Error(`bytes ${range.offset} to ${range.offset + range.length} cannot be read`), { range });
}
