import { blockGrid } from '@onevault/base';
import { describe, expect, it } from 'vitest';
import { MemoryDigestMap, scan } from '../src/index.ts';
import { fileDevice, imageBytes, type Piece } from '../testing/index.ts';
import { mapOf } from './scan-to-end.ts';

const BLOCK = 65_536;
const OPTIONS = { blockSizeBytes: BLOCK, digest: 'blake3', workers: 1 } as const;
const FIRST: Piece[] = [
  { kind: 'data', length: 6 * BLOCK, seed: 1 },
  { kind: 'hole', length: 4 * BLOCK },
  { kind: 'data', length: BLOCK + 100, seed: 2 },
];
const SECOND: Piece[] = [{ kind: 'zero', length: BLOCK }, ...FIRST.slice(1), { kind: 'data', length: 5 * BLOCK, seed: 3 }];

describe('MemoryDigestMap', () => {
  it('from a scan knows every block, and from an incremental one as well', async () => {
    await using first = await fileDevice(FIRST);
    const grid = blockGrid(first.device.sizeBytes, BLOCK);
    const map = await MemoryDigestMap.fromScan(grid, scan(first.device, OPTIONS));
    expect(await map.digests(0, grid.blockCount)).toEqual(await mapOf(imageBytes(FIRST), BLOCK).digests(0, grid.blockCount));

    await using second = await fileDevice(SECOND);
    const later = blockGrid(second.device.sizeBytes, BLOCK);
    const next = await MemoryDigestMap.fromScan(later, scan(second.device, { ...OPTIONS, parent: map }), map);
    expect(await next.digests(0, later.blockCount)).toEqual(await mapOf(imageBytes(SECOND), BLOCK).digests(0, later.blockCount));
  });

  it('does not invent digests of unchanged blocks', async () => {
    await using subject = await fileDevice(FIRST);
    const grid = blockGrid(subject.device.sizeBytes, BLOCK);
    const parent = mapOf(imageBytes(FIRST), BLOCK);
    await expect(MemoryDigestMap.fromScan(grid, scan(subject.device, { ...OPTIONS, parent }))).rejects.toThrow(RangeError);
  });

  it('gives and takes nothing outside its grid', async () => {
    const map = new MemoryDigestMap(blockGrid(4 * BLOCK, BLOCK));
    expect(await map.digests(4, 0)).toHaveLength(0);
    for (const [first, count] of [
      [-1, 1],
      [4, 1],
      [0, 5],
      [0.5, 1],
    ] as const) {
      await expect(map.digests(first, count)).rejects.toThrow(RangeError);
    }
    expect(() => map.set(4, new Uint8Array(32))).toThrow(RangeError);
    expect(() => map.set(0, new Uint8Array(31))).toThrow(RangeError);
  });

  it('throws the reason of an abort', async () => {
    const reason = new Error('stop');
    const map = new MemoryDigestMap(blockGrid(BLOCK, BLOCK));
    await expect(map.digests(0, 1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
