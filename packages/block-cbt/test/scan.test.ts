import { blockGrid, DIGEST_BYTES, type DigestSource, Secret } from '@onevault/base';
import { describe, expect, it } from 'vitest';
import { digestFunction, MemoryDigestMap, type ScannedRun, scan } from '../src/index.ts';
import { scanWith } from '../src/scan.ts';
import { fileDevice, imageBytes, type Piece, patternBytes, randomPieces } from '../testing/index.ts';
import { mapOf, oneShot, scanToEnd, trueKinds } from './scan-to-end.ts';

const BLOCK = 65_536;
const OPTIONS = { blockSizeBytes: BLOCK, digest: 'blake3', workers: 2 } as const;
/** Two blocks an extent: 6 slots hold 12 of the 64 blocks. */
const SMALL = { extentBytes: 2 * BLOCK };
const DATA: readonly Piece[] = [{ kind: 'data', length: 64 * BLOCK, seed: 7 }];

type ChangedRun = Extract<ScannedRun, { kind: 'changed' }>;

describe('scan', () => {
  it('of an empty disk yields nothing', async () => {
    await using subject = await fileDevice([]);
    const { kinds, summary } = await scanToEnd(scan(subject.device, OPTIONS));
    expect(kinds).toEqual([]);
    expect(summary).toMatchObject({ readBytes: 0, changedBlocks: 0, zeroBlocks: 0, unchangedBlocks: 0 });
  });

  it('of an unchanged disk yields one run, whatever the number of extents', async () => {
    const pieces = randomPieces(11, 4 * 2 ** 20 + 77, 4096);
    await using subject = await fileDevice(pieces);
    const parent = mapOf(imageBytes(pieces), BLOCK);
    const outcome = await scanToEnd(scanWith(subject.device, { ...OPTIONS, parent }, SMALL));
    expect(outcome.runCount).toBe(1);
    expect(outcome.summary).toMatchObject({ unchangedBlocks: 65, changedBlocks: 0, zeroBlocks: 0 });
  });

  it('digests with the key it is given, in every thread, and compares with digests of that key only', async () => {
    await using subject = await fileDevice(DATA);
    const digest = { algorithm: 'blake3', key: new Secret('5a'.repeat(32)) } as const;
    const image = imageBytes(DATA);
    const keyed = new MemoryDigestMap(blockGrid(image.length, BLOCK));
    const { digests } = await scanToEnd(scanWith(subject.device, { ...OPTIONS, digest }, SMALL));
    for (let index = 0; index < 64; index++) {
      const expected = digestFunction(digest)(image.subarray(index * BLOCK, (index + 1) * BLOCK));
      expect(digests.get(index)).toBe(Buffer.from(expected).toString('hex'));
      keyed.set(index, expected);
    }
    const again = await scanToEnd(scanWith(subject.device, { ...OPTIONS, digest, parent: keyed }, SMALL));
    expect(again.summary).toMatchObject({ unchangedBlocks: 64, changedBlocks: 0 });
    const other = await scanToEnd(scanWith(subject.device, { ...OPTIONS, parent: keyed }, SMALL));
    expect(other.summary).toMatchObject({ unchangedBlocks: 0, changedBlocks: 64 });
  });

  it('reports progress after every extent, in disk order, up to the size of the disk', async () => {
    await using subject = await fileDevice(DATA);
    const seen: number[] = [];
    await scanToEnd(scanWith(subject.device, { ...OPTIONS, onProgress: (doneBytes) => seen.push(doneBytes) }, SMALL));
    expect(seen).toEqual(Array.from({ length: 32 }, (_, i) => (i + 1) * 2 * BLOCK));
  });

  it('leaves data as it is until it is released, in whatever order that happens', async () => {
    await using subject = await fileDevice(DATA);
    const image = imageBytes(DATA);
    const held: ChangedRun[] = [];
    let mostHeld = 0;
    let blocks = 0;
    for await (const run of scanWith(subject.device, OPTIONS, SMALL)) {
      if (run.kind !== 'changed') throw new Error(`unexpected ${run.kind}`);
      blocks++;
      held.push(run);
      mostHeld = Math.max(mostHeld, held.length);
      if (held.length < 9) continue;
      // Nine blocks lie in five of the six slots: the scan goes on. Given back newest first, and only some.
      for (const old of held.splice(3).reverse()) {
        expect(Buffer.compare(old.data, image.subarray(old.index * BLOCK, (old.index + 1) * BLOCK))).toBe(0);
        old.release();
      }
    }
    for (const run of held) expect(Buffer.compare(run.data, image.subarray(run.index * BLOCK, (run.index + 1) * BLOCK))).toBe(0);
    expect(blocks).toBe(64);
    expect(mostHeld).toBe(9);
    for (const run of held) run.release();
  });

  it('gives digests that outlive the release', async () => {
    await using subject = await fileDevice(DATA);
    const image = imageBytes(DATA);
    const kept: Uint8Array[] = [];
    for await (const run of scanWith(subject.device, OPTIONS, SMALL)) {
      if (run.kind !== 'changed') throw new Error(`unexpected ${run.kind}`);
      kept.push(run.digest);
      run.release();
    }
    expect(kept.map((digest) => Buffer.from(digest).toString('hex'))).toEqual(
      Array.from({ length: 64 }, (_, index) => oneShot('blake3', image.subarray(index * BLOCK, (index + 1) * BLOCK))),
    );
  });

  it('waits for released memory, and never hands out more than its slots hold', async () => {
    await using subject = await fileDevice(DATA);
    const runs = scanWith(subject.device, OPTIONS, SMALL);
    const held: ChangedRun[] = [];
    for (let i = 0; i < 12; i++) {
      const step = await runs.next();
      if (step.done || step.value.kind !== 'changed') throw new Error('expected a changed block');
      held.push(step.value);
    }
    let arrived = false;
    const thirteenth = runs.next().then((step) => {
      arrived = true;
      return step;
    });
    // Both blocks of a slot must be back; one of two is not enough, and the same one twice neither.
    held[2]?.release();
    held[2]?.release();
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(arrived).toBe(false);
    held[3]?.release();
    expect(await thirteenth).toMatchObject({ done: false, value: { kind: 'changed', index: 12 } });
    await runs.return(undefined as never);
  });

  it('reads ahead while the consumer is busy', async () => {
    await using subject = await fileDevice(DATA);
    const asked: number[] = [];
    const parent: DigestSource = {
      grid: blockGrid(64 * BLOCK, BLOCK),
      async digests(first) {
        asked.push(first);
        return undefined;
      },
    };
    const runs = scanWith(subject.device, { ...OPTIONS, parent }, SMALL);
    await runs.next();
    // Nobody pulls, and yet all six slots are filled.
    while (asked.length < 6) await new Promise((resolve) => setImmediate(resolve));
    expect(asked).toEqual([0, 2, 4, 6, 8, 10]);
    await runs.return(undefined as never);
  });
});

describe('a parent', () => {
  it('that lost digests makes those blocks changed, or zero, and no others', async () => {
    const pieces: Piece[] = [
      { kind: 'data', length: 8 * BLOCK, seed: 1 },
      { kind: 'hole', length: 16 * BLOCK },
      { kind: 'data', length: 8 * BLOCK, seed: 2 },
    ];
    await using subject = await fileDevice(pieces);
    const whole = mapOf(imageBytes(pieces), BLOCK);
    const damaged: DigestSource = {
      grid: whole.grid,
      digests: async (first, count) => (first === 0 || first === 8 ? undefined : whole.digests(first, count)),
    };
    const { kinds } = await scanToEnd(scanWith(subject.device, { ...OPTIONS, parent: damaged }, SMALL));
    const expected = trueKinds(imageBytes(pieces), imageBytes(pieces), BLOCK);
    expected.fill('changed', 0, 2).fill('zero', 8, 24);
    expect(kinds).toEqual(expected);
  });

  it('of another block size is a mistake of the caller', async () => {
    await using subject = await fileDevice(DATA);
    const parent = new MemoryDigestMap(blockGrid(64 * BLOCK, 2 * BLOCK));
    await expect(scan(subject.device, { ...OPTIONS, parent }).next()).rejects.toThrow(RangeError);
  });

  it('that fails, or answers with the wrong number of digests, ends the scan with that error', async () => {
    await using subject = await fileDevice(DATA);
    const grid = blockGrid(64 * BLOCK, BLOCK);
    const lost = new Error('the repository is gone');
    const failing: DigestSource = { grid, digests: (first) => (first < 8 ? Promise.resolve(undefined) : Promise.reject(lost)) };
    await expect(scanToEnd(scanWith(subject.device, { ...OPTIONS, parent: failing }, SMALL))).rejects.toBe(lost);
    const wrong: DigestSource = { grid, digests: async () => new Uint8Array(DIGEST_BYTES) };
    await expect(scanToEnd(scanWith(subject.device, { ...OPTIONS, parent: wrong }, SMALL))).rejects.toThrow(RangeError);
  });

  it('is never asked beyond its own end', async () => {
    await using subject = await fileDevice([...DATA, { kind: 'hole', length: 64 * BLOCK }]);
    const small = mapOf(patternBytes(7, 64 * BLOCK).subarray(0, 3 * BLOCK - 5), BLOCK);
    const outcome = await scanToEnd(scanWith(subject.device, { ...OPTIONS, parent: small }, SMALL));
    expect(outcome.summary).toMatchObject({ unchangedBlocks: 2, changedBlocks: 62, zeroBlocks: 64 });
  });
});

describe('figures', () => {
  it.each([{ blockSizeBytes: 1000 }, { blockSizeBytes: 2 ** 28 }, { workers: 0 }, { workers: 1.5 }, { workers: 1000 }])('%o are refused', async (wrong) => {
    await using subject = await fileDevice(DATA);
    await expect(scan(subject.device, { ...OPTIONS, ...wrong }).next()).rejects.toThrow(RangeError);
  });

  it('blocks larger than an extent are read whole', async () => {
    await using subject = await fileDevice(DATA);
    const { kinds, summary } = await scanToEnd(scan(subject.device, { ...OPTIONS, blockSizeBytes: 16 * 2 ** 20 }));
    expect(kinds).toEqual(['changed']);
    expect(summary.readBytes).toBe(64 * BLOCK);
  });
});
