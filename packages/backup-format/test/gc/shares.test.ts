import { FakeClock, seededRandom } from '@onevault/base/testing';
import { describe, expect, it, vi } from 'vitest';
import type * as TakeStock from '../../src/gc/take-stock.ts';
import { createRepository, type GcReport, memoryStore, type Repository } from '../../src/index.ts';
import { playCollectionRace } from '../model/races.ts';
import { BLOCK } from '../support/small-vm.ts';
import { backUp, collectAll, expectWhole, forget, type GcWorld, NOW, noiseDisk, packsOf } from './garbage.ts';

vi.mock('@toondepauw/node-zstd', async (original) => (await import('../model/synchronous-zstd.ts')).synchronousZstd(await original()));

const memory = vi.hoisted(() => ({ digests: 0 }));

vi.mock('../../src/gc/take-stock.ts', async (original) => {
  const real: typeof TakeStock = await original();
  return {
    ...real,
    get MAX_DIGESTS() {
      return memory.digests;
    },
  };
});

const SEEDS = [
  [1, 2, 3, 4, 5, 6, 7, 8],
  [1, 2, 9],
  [10, 11, 12, 13],
  [10, 14, 0, 15],
] as const;

interface Outcome {
  readonly reports: readonly GcReport[];
  readonly packs: number;
  readonly shares: number;
}

/** The same points, forgetting and collections, with room for so many digests at once. */
async function collectWith(digests: number): Promise<Outcome> {
  memory.digests = digests;
  const random = seededRandom(7);
  const world: GcWorld = { store: memoryStore(), clock: new FakeClock() };
  const deps = { clock: world.clock, randomBytes: (length: number) => random.bytes(length) };
  const repository: Repository = await createRepository(world.store, { blockSizeBytes: BLOCK }, deps);
  const points = [];
  for (const [n, seeds] of SEEDS.entries()) points.push(await backUp(repository, noiseDisk(seeds), undefined, `vm-${n}`));
  const [first, second, third, fourth] = points;
  if (!first || !second || !third || !fourth) throw new Error('four points');
  await forget(repository, first);
  await forget(repository, third);
  let shares = 0;
  const onProgress: NonNullable<typeof NOW.onProgress> = ({ phase, total }) => {
    if (phase === 'count') shares = Math.max(shares, total);
  };
  const reports = [await repository.collectGarbage({ ...NOW, onProgress }), await repository.collectGarbage(NOW), await collectAll(repository)];
  const expected = new Map([
    [second.id, noiseDisk(SEEDS[1])],
    [fourth.id, noiseDisk(SEEDS[3])],
  ]);
  await expectWhole(world, expected);
  return { reports, packs: (await packsOf(world.store)).length, shares };
}

describe('a garbage collection that goes through the digests in shares, because they do not fit into memory', () => {
  it('does the same as one that has room for all of them', async () => {
    const whole = await collectWith(12_000_000);
    expect(whole.shares).toBe(1);
    expect(whole.reports[0]).toMatchObject({ condemned: { packs: expect.any(Number) }, repacked: { packs: expect.any(Number) } });
    expect(whole.reports[0]?.repacked.packs).toBeGreaterThan(0);
    for (const digests of [20, 7, 3, 1]) {
      const shared = await collectWith(digests);
      expect(shared.shares).toBeGreaterThan(1);
      expect({ ...shared, shares: 1 }, `${digests} at once, ${shared.shares} shares`).toEqual(whole);
    }
  });

  it('keeps every point whole beside a backup of what is being collected', async () => {
    memory.digests = 2;
    for (let seed = 1; seed <= 12; seed++) await playCollectionRace(seed);
  }, 60_000);
});
