import type { CallOptions } from '@onevault/base';
import { ExportError } from './errors.ts';
import type { ByteRange, DiskRun, ExportSource } from './source.ts';

/** A part of the disk that could not be read and is a hole in what was exported. Offsets on the disk. */
export interface DamagedRange extends ByteRange {
  readonly error: unknown;
}

export interface ReadRangeOptions extends CallOptions {
  /** Which bytes of the disk an error says are lost; undefined for every other error. Without it the first damage ends the export. */
  readonly damageOf?: (error: unknown) => ByteRange | undefined;
  readonly onDamage?: (damage: DamagedRange) => void;
}

/** The range that was asked for, checked against the disk; by default all of it. Throws EXPORT_RANGE_INVALID. */
export function resolveRange(source: ExportSource, wanted: Partial<ByteRange> = {}): ByteRange {
  const { sizeBytes } = source.grid;
  const offset = wanted.offset ?? 0;
  const length = wanted.length ?? sizeBytes - offset;
  const valid = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length > 0 && offset + length <= sizeBytes;
  if (valid) return { offset, length };
  throw new ExportError({
    code: 'EXPORT_RANGE_INVALID',
    message: `${wanted.length === undefined ? 'what begins' : `a range of ${length} bytes`} at byte ${offset} is not in a disk of ${sizeBytes} bytes`,
    details: { offset, length },
    hint: 'offset and length are in bytes, and at least one byte is wanted',
  });
}

/** A range of a disk in order, its offsets counted from the start of the range. */
export async function* readRange(source: ExportSource, range: ByteRange, options: ReadRangeOptions): AsyncGenerator<DiskRun, void> {
  const { blockSizeBytes } = source.grid;
  const blocks = { from: Math.floor(range.offset / blockSizeBytes), to: Math.ceil((range.offset + range.length) / blockSizeBytes) };
  for await (const run of options.damageOf ? aroundDamage(source, blocks, options) : source.blocks({ ...blocks, ...signalOf(options) })) yield cut(run, range);
}

function cut(run: DiskRun, range: ByteRange): DiskRun {
  const start = Math.max(run.offset, range.offset);
  const end = Math.min(endOf(run), range.offset + range.length);
  const offset = start - range.offset;
  if (run.kind === 'zero') return { kind: 'zero', offset, length: end - start };
  return { kind: 'data', offset, data: run.data.subarray(start - run.offset, end - run.offset) };
}

function endOf(run: DiskRun): number {
  return run.offset + (run.kind === 'zero' ? run.length : run.data.length);
}

interface Blocks {
  readonly from: number;
  readonly to: number;
}

/** Reads on behind every damage, which is told of and yielded as zeros. */
async function* aroundDamage(source: ExportSource, blocks: Blocks, options: ReadRangeOptions): AsyncGenerator<DiskRun, void> {
  const { blockSizeBytes, sizeBytes } = source.grid;
  let next = blocks.from;
  while (next < blocks.to) {
    try {
      for await (const run of source.blocks({ from: next, to: blocks.to, ...signalOf(options) })) {
        yield run;
        next = Math.ceil(endOf(run) / blockSizeBytes);
      }
      return;
    } catch (error) {
      const lost = options.damageOf?.(error);
      const end = lost && Math.ceil((lost.offset + lost.length) / blockSizeBytes);
      if (!lost || end === undefined || end <= next) throw error;
      const to = Math.min(blocks.to, Math.max(end, await endOfUnknown(source, next, options)));
      const offset = next * blockSizeBytes;
      const length = Math.min(sizeBytes, to * blockSizeBytes) - offset;
      options.onDamage?.({ offset, length, error });
      yield { kind: 'zero', offset, length };
      next = to;
    }
  }
}

/** Digests lie in pages of so many blocks (docs/format.md): where one is lost, so are those of all blocks in its page. */
const PAGE_BLOCKS = 1024;

async function endOfUnknown(source: ExportSource, block: number, options: CallOptions): Promise<number> {
  if ((await source.digests(block, 1, signalOf(options))) !== undefined) return block;
  return (Math.floor(block / PAGE_BLOCKS) + 1) * PAGE_BLOCKS;
}

export function signalOf({ signal }: CallOptions): CallOptions {
  return signal ? { signal } : {};
}
