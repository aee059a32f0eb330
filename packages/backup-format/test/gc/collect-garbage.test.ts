import { FakeClock } from '@onevault/base/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { createRepository, memoryStore, type ObjectStore, type Repository } from '../../src/index.ts';
import { flipBit, keysOf } from '../../testing/index.ts';
import { BLOCK } from '../support/small-vm.ts';
import { backUp, collectAll, expectWhole, forget, type GcWorld, LONG_MS, NOW, noiseDisk, openWorld, packsOf } from './garbage.ts';

let world: GcWorld;
let store: ObjectStore;
let repository: Repository;

beforeEach(async () => {
  store = memoryStore();
  world = { store, clock: new FakeClock() };
  repository = await createRepository(store, { blockSizeBytes: BLOCK }, { clock: world.clock });
});

describe('I20: garbage is collected in two runs', () => {
  it('the first one condemns what nothing needs, the next one deletes it', async () => {
    const gone = await backUp(repository, noiseDisk([1, 2, 3]));
    const kept = await backUp(repository, noiseDisk([4, 5, 6]));
    await forget(repository, gone);
    const before = await packsOf(store);
    const first = await repository.collectGarbage(NOW);
    expect(first).toMatchObject({
      points: 1,
      before: { packs: 4 },
      after: { packs: 4 },
      deleted: { packs: 0 },
      condemned: { packs: 2 },
      waiting: { packs: 2 },
    });
    expect(await packsOf(store)).toEqual(before);
    const second = await repository.collectGarbage(NOW);
    expect(second).toMatchObject({ before: { packs: 4 }, after: { packs: 2 }, deleted: { packs: 2 }, condemned: { packs: 0 } });
    expect(second.deleted.bytes).toBe(first.condemned.bytes);
    expect(await packsOf(store)).toHaveLength(2);
    await expectWhole(world, new Map([[kept.id, noiseDisk([4, 5, 6])]]));
  });

  it('and nothing of it is left in index tables, records or leases', async () => {
    const gone = await backUp(repository, noiseDisk([1, 2, 3]));
    await forget(repository, gone);
    await collectAll(repository);
    expect(await keysOf(store, '')).toEqual(['gc/0000000002', 'onevault.json']);
    await expect(repository.collectGarbage(NOW)).resolves.toMatchObject({ before: { packs: 0 }, condemned: { packs: 0 } });
  });

  it('a run that finds nothing to do writes nothing but its lease', async () => {
    await backUp(repository, noiseDisk([1, 2]));
    const before = await keysOf(store, '');
    await collectAll(repository);
    expect(await keysOf(store, '')).toEqual(before);
  });

  it('a dry run says what would be done and changes nothing at all', async () => {
    const gone = await backUp(repository, noiseDisk([1, 2, 3]));
    await forget(repository, gone);
    const before = await keysOf(store, '');
    await expect(repository.collectGarbage({ ...NOW, dryRun: true })).resolves.toMatchObject({ dryRun: true, condemned: { packs: 2 } });
    expect(await keysOf(store, '')).toEqual(before);
  });

  it('keeps condemned packs for the grace, and a margin for clocks that differ', async () => {
    await forget(repository, await backUp(repository, noiseDisk([1])));
    await repository.collectGarbage({ wait: false });
    world.clock.advance(24 * LONG_MS + 10 * 60_000);
    await expect(repository.collectGarbage({ wait: false })).resolves.toMatchObject({ deleted: { packs: 0 }, waiting: { packs: 2 }, waitingFor: [] });
    world.clock.advance(10 * 60_000);
    await expect(repository.collectGarbage({ wait: false })).resolves.toMatchObject({ deleted: { packs: 2 } });
  });

  it('begins the grace anew for what was condemned by a clock far ahead', async () => {
    await forget(repository, await backUp(repository, noiseDisk([1])));
    const ahead = await openWorld({ store, clock: new FakeClock({ startMs: world.clock.now().getTime() + 1000 * LONG_MS }) });
    await ahead.collectGarbage({ wait: false });
    await expect(repository.collectGarbage({ wait: false })).resolves.toMatchObject({ deleted: { packs: 0 } });
    world.clock.advance(25 * LONG_MS);
    await expect(repository.collectGarbage({ wait: false })).resolves.toMatchObject({ deleted: { packs: 2 } });
  });

  it('rescues a condemned pack that is needed again', async () => {
    const parent = await backUp(repository, noiseDisk([1, 2, 3]));
    await using writer = await repository.begin({ group: 'vm-2', runId: 'r', capturedAt: '2026-11-22T19:00:00Z', mode: 'full' });
    await writer.writeDisk({ key: 'd', sizeBytes: 3 * BLOCK }, scan([1, 2, 3]));
    await forget(repository, parent);
    await expect(repository.collectGarbage(NOW)).resolves.toMatchObject({ condemned: { packs: 2 } });
    const point = await writer.commit({ annotations: {} });
    await expect(repository.collectGarbage(NOW)).resolves.toMatchObject({ rescued: { packs: 2 }, deleted: { packs: 0 } });
    await expectWhole(world, new Map([[point.id, noiseDisk([1, 2, 3])]]));
  });
});

describe('I21: sparse packs are rewritten', () => {
  it('when less of them is needed than the threshold, and what they had is read from the new ones', async () => {
    const first = await backUp(repository, noiseDisk([1, 2, 3, 4, 5, 6, 7, 8]));
    const second = await backUp(repository, noiseDisk([1, 2]));
    await forget(repository, first);
    const reader = await openWorld(world);
    const disk = await reader.openDisk(await reader.point(second.id), 'd');
    await disk.digests(0, 2); // a reader that knows the tables as they were
    const report = await repository.collectGarbage(NOW);
    expect(report).toMatchObject({ repacked: { packs: 1 }, rewritten: { packs: 1 } });
    const after = await collectAll(repository);
    expect(after.before.bytes).toBeLessThan(3.5 * BLOCK);
    await expectWhole(world, new Map([[second.id, noiseDisk([1, 2])]]));
    for await (const run of disk.blocks()) expect(run.kind).toBe('data');
  });

  it('and not when the threshold is zero', async () => {
    const first = await backUp(repository, noiseDisk([1, 2, 3, 4, 5, 6, 7, 8]));
    await backUp(repository, noiseDisk([1, 2]));
    await forget(repository, first);
    const report = await collectAll(repository, { ...NOW, repackBelow: 0 });
    expect(report.before.bytes).toBeGreaterThan(8 * BLOCK);
  });

  it('leaves a sparse pack alone in which a needed chunk is damaged', async () => {
    const first = await backUp(repository, noiseDisk([1, 2, 3, 4, 5, 6, 7, 8]));
    await backUp(repository, noiseDisk([1]));
    await forget(repository, first);
    const [data] = await largest(store);
    await flipBit(store, data ?? '', 64 + 48 + 100);
    await expect(repository.collectGarbage(NOW)).resolves.toMatchObject({ repacked: { packs: 0 } });
    await collectAll(repository);
    expect(await packsOf(store)).toContain(data);
  });
});

describe('I22: gc does nothing when it does not know what is needed', () => {
  async function someGarbage(): Promise<void> {
    const gone = await backUp(repository, noiseDisk([1, 2, 3]));
    await backUp(repository, noiseDisk([4, 5]));
    await forget(repository, gone);
  }

  async function expectRefusal(code: string): Promise<void> {
    const before = await keysOf(store, '');
    const fresh = await openWorld(world);
    await expect(fresh.collectGarbage(NOW)).rejects.toMatchObject({ code });
    await expect(fresh.collectGarbage(NOW)).rejects.toMatchObject({ code });
    expect(await keysOf(store, '')).toEqual(before);
  }

  it('because a manifest is damaged, until that point is forgotten', async () => {
    await someGarbage();
    const [manifest = ''] = await keysOf(store, 'points/');
    await flipBit(store, manifest, 300);
    await expectRefusal('REPO_MANIFEST_INVALID');
    await repository.forgetPoint(manifest.split('/')[2]?.slice(0, -5) ?? '', { evenLast: true });
    await collectAll(repository);
    expect(await packsOf(store)).toEqual([]);
  });

  it('because a page of a disk index cannot be read', async () => {
    await someGarbage();
    const small = (await largest(store)).reverse();
    for (const key of small.slice(0, 2)) await flipBit(store, key, 64 + 48 + 3);
    await expectRefusal('REPO_CHUNK_CORRUPT');
  });

  it('because an index table is damaged', async () => {
    await someGarbage();
    for (const key of await keysOf(store, 'index/')) await flipBit(store, key, 40);
    const before = await keysOf(store, '');
    await expect((await openWorld(world)).collectGarbage(NOW)).rejects.toMatchObject({ code: expect.stringMatching(/REPO_(INDEX_INVALID|CHUNK_MISSING)/) });
    expect(await keysOf(store, '')).toEqual(before);
  });

  it('because an index table is lost', async () => {
    await someGarbage();
    for (const key of await keysOf(store, 'index/')) await store.delete(key);
    await expectRefusal('REPO_CHUNK_MISSING');
  });

  it('because the store leaves a manifest out of a listing', async () => {
    await someGarbage();
    let listings = 0;
    const forgetful: ObjectStore = {
      ...bound(store),
      async *list(prefix, options) {
        const hide = prefix === 'points/' && ++listings % 3 === 0;
        for await (const found of store.list(prefix, options)) if (!hide) yield found;
      },
    };
    const before = await keysOf(store, '');
    await expect((await openWorld(world, forgetful)).collectGarbage(NOW)).rejects.toMatchObject({ code: 'REPO_LISTING_INCOMPLETE' });
    expect(await keysOf(store, '')).toEqual(before);
  });

  it('but a damaged record of its own only makes it begin anew', async () => {
    await someGarbage();
    await repository.collectGarbage(NOW);
    await flipBit(store, 'gc/0000000001', 200);
    await expect(repository.begin({ group: 'g', runId: 'r', capturedAt: '2026-11-22T19:00:00Z', mode: 'full' })).rejects.toMatchObject({
      code: 'REPO_GC_RECORD_INVALID',
    });
    await expect(repository.collectGarbage(NOW)).resolves.toMatchObject({ deleted: { packs: 0 }, condemned: { packs: 2 } });
    await expect(repository.collectGarbage(NOW)).resolves.toMatchObject({ deleted: { packs: 2 } });
    await backUp(repository, noiseDisk([4, 9]));
  });
});

async function largest(from: ObjectStore): Promise<string[]> {
  const found: { key: string; sizeBytes: number }[] = [];
  for await (const stat of from.list('packs/')) found.push(stat);
  return found.sort((a, b) => b.sizeBytes - a.sizeBytes).map(({ key }) => key);
}

function bound(inner: ObjectStore): ObjectStore {
  return {
    location: inner.location,
    put: (key, body, options) => inner.put(key, body, options),
    create: (key, options) => inner.create(key, options),
    get: (key, options) => inner.get(key, options),
    stat: (key, options) => inner.stat(key, options),
    list: (prefix, options) => inner.list(prefix, options),
    delete: (key, options) => inner.delete(key, options),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}

async function* scan(seeds: readonly number[]) {
  const { scanBytes } = await import('../../testing/index.ts');
  yield* scanBytes(noiseDisk(seeds), { blockSizeBytes: BLOCK, digest: 'blake3' });
}
