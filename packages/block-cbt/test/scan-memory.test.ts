import { expect, it } from 'vitest';
import { type ScannedRun, scan } from '../src/index.ts';
import { borrowMemory, returnMemory } from '../src/slot-memory.ts';
import { fileDevice, type Piece } from '../testing/index.ts';
import { scanToEnd } from './scan-to-end.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** 64 GiB, of which 64 pieces of 1 MiB are data: a thousandth. */
const SPARSE: readonly Piece[] = Array.from({ length: 64 }, (_, i): Piece[] => [
  { kind: 'hole', length: 1023 * MIB - i * 4096 },
  { kind: 'data', length: MIB, seed: i },
  { kind: 'hole', length: i * 4096 },
]).flat();

it('a sparse disk of 64 GiB costs what its data costs, in time and in memory', async () => {
  await using subject = await fileDevice(SPARSE);
  expect(subject.device.sizeBytes).toBe(64 * GIB);
  const options = { blockSizeBytes: MIB, digest: 'blake3', workers: 2 } as const;
  const before = process.memoryUsage().rss;
  let peak = before;
  const full = await scanToEnd(
    scan(subject.device, {
      ...options,
      onProgress: () => {
        peak = Math.max(peak, process.memoryUsage().rss);
      },
    }),
  );
  // Pieces lie across block boundaries: two blocks each, but for the one that does not.
  expect(full.summary).toMatchObject({ changedBlocks: 127, unchangedBlocks: 0, readBytes: 127 * MIB, holeBytes: 64 * GIB - 127 * MIB });
  expect(peak - before).toBeLessThan(160 * MIB);
}, 20_000);

it('holes that were zero before are unchanged, and those that were not are zero, however long', async () => {
  await using subject = await fileDevice([{ kind: 'hole', length: 6 * GIB + 512 }]);
  const options = { blockSizeBytes: 65_536, digest: 'blake3', workers: 1 } as const;
  // The parent is 4 GiB + 256 KiB long, was zero but for two blocks, and ends in the middle of a step.
  const data = new Map([
    [5000, 1],
    [65_539, 2],
  ]);
  const parent = {
    grid: { sizeBytes: 4 * GIB + 4 * 65_536, blockSizeBytes: 65_536, blockCount: 65_540 },
    async digests(first: number, count: number) {
      expect(count).toBeLessThanOrEqual(4096);
      const out = new Uint8Array(count * 32);
      for (const [index, value] of data) if (index >= first && index < first + count) out.fill(value, (index - first) * 32, (index - first + 1) * 32);
      return out;
    },
  };
  const runs = [];
  for await (const run of scan(subject.device, { ...options, parent })) runs.push(run);
  expect(runs).toEqual([
    { kind: 'unchanged', index: 0, count: 5000 },
    { kind: 'zero', index: 5000, count: 1 },
    { kind: 'unchanged', index: 5001, count: 60_538 },
    { kind: 'zero', index: 65_539, count: 98_305 - 65_539 },
  ]);
});

it.each(['to its end', 'in part'] as const)('the memory of a scan that ran %s is used again once its blocks are released', async (how) => {
  await using subject = await fileDevice([{ kind: 'data', length: 24 * MIB, seed: 1 }]);
  const blocks: Extract<ScannedRun, { kind: 'changed' }>[] = [];
  for await (const run of scan(subject.device, { blockSizeBytes: 8 * MIB, digest: 'blake3', workers: 1 })) {
    if (run.kind !== 'changed') throw new Error(`unexpected ${run.kind}`);
    blocks.push(run);
    if (how === 'in part') break; // with reads under way
  }
  const memory = blocks[0]?.data.buffer;
  expect(keptMemory()).not.toContain(memory);
  for (const block of blocks) block.release();
  expect(keptMemory()).toContain(memory);
});

/** What the next scans would get before anything new is allocated. */
function keptMemory(): SharedArrayBuffer[] {
  const kept: SharedArrayBuffer[] = [];
  for (;;) {
    const buffer = borrowMemory(1);
    if (buffer.byteLength < MIB) break; // newly allocated: nothing is kept any more
    kept.push(buffer);
  }
  for (const buffer of kept) returnMemory(buffer);
  return kept;
}

it('kept memory is bounded, and the smallest that fits is taken', () => {
  const sizes = [80, 60, 100, 40, 90].map((mib) => mib * MIB);
  const borrowed = sizes.map((bytes) => borrowMemory(bytes));
  const small = borrowed[3];
  for (const buffer of borrowed) returnMemory(buffer);
  // 256 MiB are kept, the newest ones: 40 and 90 fit with 100, 60 and 80 do not.
  expect(borrowMemory(30 * MIB)).toBe(small);
  expect(borrowMemory(80 * MIB)).toBe(borrowed[4]);
  expect(borrowMemory(95 * MIB)).toBe(borrowed[2]);
  expect(borrowed).not.toContain(borrowMemory(50 * MIB));
});
