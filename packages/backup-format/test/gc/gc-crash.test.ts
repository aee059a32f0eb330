import { FakeClock } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { createRepository, memoryStore, type ObjectStore, type Repository, type RestorePoint } from '../../src/index.ts';
import { Crash, crashAtWrite, faultyStore, keysOf } from '../../testing/index.ts';
import { BLOCK } from '../support/small-vm.ts';
import { backUp, collectAll, expectWhole, forget, type GcWorld, LONG_MS, NOW, noiseDisk, openWorld, packsOf } from './garbage.ts';

const KEPT = [1, 2, 20, 21];
const NEXT = [1, 2, 30, 21];

interface Prepared extends GcWorld {
  readonly kept: RestorePoint;
}

/** Two restore points gone, one kept: dead packs, a sparse one, one that stays; the first run of gc is over when `condemned`. */
async function prepare(condemned: boolean): Promise<Prepared> {
  const world = { store: memoryStore(), clock: new FakeClock() };
  const repository = await createRepository(world.store, { blockSizeBytes: BLOCK }, { clock: world.clock });
  const first = await backUp(repository, noiseDisk([1, 2, 3, 4, 5, 6, 7, 8]));
  const second = await backUp(repository, noiseDisk([9, 10, 11]));
  const kept = await backUp(repository, noiseDisk(KEPT));
  await forget(repository, first);
  await forget(repository, second);
  if (condemned) await repository.collectGarbage(NOW);
  return { ...world, kept };
}

/** The same objects in a store of their own, and a clock that begins anew. */
async function copyOf({ store, kept }: Prepared): Promise<Prepared> {
  const copy = memoryStore();
  for (const key of await keysOf(store, '')) await copy.put(key, await store.get(key));
  return { store: copy, clock: new FakeClock(), kept };
}

async function dies(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    if (error instanceof Crash) return true;
    throw error;
  }
}

/** What the dead left is stale by then: another process watches its lease for long enough. */
async function recover(world: GcWorld): Promise<Repository> {
  const repository = await openWorld(world);
  await repository.leases();
  world.clock.advance(LONG_MS);
  await repository.unlock();
  return repository;
}

async function sweep(
  condemned: boolean,
  run: (repository: Repository, world: Prepared) => Promise<unknown>,
  expected: (world: Prepared) => Map<string, Uint8Array>,
) {
  const prepared = await prepare(condemned);
  let crashes = 0;
  for (const when of ['before', 'after'] as const) {
    for (let n = 1; ; n++) {
      const world = await copyOf(prepared);
      const store: ObjectStore = faultyStore(world.store, crashAtWrite(n, when));
      const died = await dies(async () => run(await openWorld(world, store), world));
      await expectWhole(world, expected(world));
      const repository = await recover(world);
      await collectAll(repository);
      const next = await backUp(repository, noiseDisk(NEXT), await repository.openDisk(await repository.point(world.kept.id), 'd'));
      await expectWhole(world, new Map([...expected(world), [next.id, noiseDisk(NEXT)]]));
      if (!died) break;
      crashes += 1;
      expect(n).toBeLessThan(200);
    }
  }
  return crashes;
}

describe('I23: killed at any write', () => {
  const kept = (world: Prepared): Map<string, Uint8Array> => new Map([[world.kept.id, noiseDisk(KEPT)]]);

  it('of its first run, gc leaves every restore point whole, and the next run takes up its work', async () => {
    expect(await sweep(false, (repository) => repository.collectGarbage(NOW), kept)).toBeGreaterThan(20);
  }, 30_000);

  it('of a run that deletes, gc leaves every restore point whole, and the next run takes up its work', async () => {
    expect(await sweep(true, (repository) => repository.collectGarbage(NOW), kept)).toBeGreaterThan(20);
  }, 30_000);

  it('of gc, a backup and gc again, every restore point is whole', async () => {
    const crashes = await sweep(
      true,
      async (repository, world) => {
        await repository.collectGarbage(NOW);
        await backUp(repository, noiseDisk([40, 2, 3, 4]), await repository.openDisk(await repository.point(world.kept.id), 'd'));
        await repository.collectGarbage(NOW);
      },
      kept,
    );
    expect(crashes).toBeGreaterThan(40);
  }, 60_000);

  it('and in the end nothing is left of what nobody needs', async () => {
    const world = await prepare(true);
    await dies(async () => (await openWorld(world, faultyStore(world.store, crashAtWrite(9, 'after')))).collectGarbage(NOW));
    const repository = await recover(world);
    await collectAll(repository);
    let bytes = 0;
    for await (const { sizeBytes } of world.store.list('packs/')) bytes += sizeBytes;
    expect(bytes).toBeLessThan(5 * BLOCK);
    expect((await packsOf(world.store)).length).toBeLessThanOrEqual(4);
  });
});
