import { describe, expect, it } from 'vitest';
import { memoryStore } from '../src/index.ts';
import { flipBit, keysOf, readDisk } from '../testing/index.ts';
import { runVerify } from './support/run-verify.ts';
import { packOfType } from './support/runs.ts';
import { backup, makeDisk, newRepository, reopen } from './support/small-vm.ts';

describe('healing', () => {
  it('an incremental stores a damaged page again, and every point that uses it reads again', async () => {
    const store = memoryStore();
    const repository = await newRepository(store);
    const disk = makeDisk(10, 20);
    const first = await backup(repository, disk);
    const indexPack = await packOfType(store, 2);
    await flipBit(store, indexPack, 64 + 48 + 40);
    const again = await reopen(store);
    const parent = await again.openDisk(first, 'disk-0');
    expect(await parent.digests(0, 1)).toBeUndefined();
    const second = await backup(again, disk, { parent });
    const fresh = await reopen(store);
    for (const point of [first, second]) expect(Buffer.compare(await readDisk(await fresh.openDisk(point, 'disk-0')), disk)).toBe(0);
    expect((await runVerify(fresh)).damage).toMatchObject([{ key: indexPack, affects: [] }]);
  });

  it('a chunk that a sample found damaged is stored again when its block is read again', async () => {
    const store = memoryStore();
    const disk = makeDisk(11, 20);
    const first = await backup(await newRepository(store), disk);
    await flipBit(store, await packOfType(store, 1), 64 + 48 + 20);
    const repository = await reopen(store);
    const parent = await repository.openDisk(first, 'disk-0');
    let draws = 0;
    const { checked, damaged } = await parent.sample(1000, () => (draws++ * 0.37) % 1);
    expect(checked).toBeGreaterThan(5);
    expect(damaged.length).toBeGreaterThan(0);
    const second = await backup(repository, disk); // a scan that rereads all
    expect(second.stats.newChunks).toBe(1);
    const fresh = await reopen(store);
    expect(Buffer.compare(await readDisk(await fresh.openDisk(first, 'disk-0')), disk)).toBe(0);
  });

  it('a full that confirms stores what the index promises but no pack holds', async () => {
    for (const harm of ['gone', 'trailer'] as const) {
      const store = memoryStore();
      const disk = makeDisk(12, 20);
      const first = await backup(await newRepository(store), disk);
      const pack = await packOfType(store, 1);
      if (harm === 'gone') await store.delete(pack);
      else await flipBit(store, pack, -70);
      // A pack that is gone is missed by everyone; to find a damaged one takes its trailer.
      const trusting = await backup(await reopen(store), disk);
      expect(trusting.stats.newChunks).toBe(harm === 'gone' ? first.stats.newChunks : 0);
      const confirming = await backup(await reopen(store), disk, { confirmDedup: true });
      expect(confirming.stats.newChunks).toBe(harm === 'gone' ? 0 : first.stats.newChunks);
      const fresh = await reopen(store);
      for (const point of [first, confirming]) expect(Buffer.compare(await readDisk(await fresh.openDisk(point, 'disk-0')), disk)).toBe(0);
    }
  });

  it('I9: a backup beside a damaged index table goes on and stores anew', async () => {
    const store = memoryStore();
    const disk = makeDisk(13, 20);
    const first = await backup(await newRepository(store), disk);
    const [table = ''] = await keysOf(store, 'index/');
    await flipBit(store, table, 100);
    const second = await backup(await reopen(store), disk);
    expect(second.stats.newChunks).toBe(first.stats.newChunks);
    const fresh = await reopen(store);
    for (const point of [first, second]) expect(Buffer.compare(await readDisk(await fresh.openDisk(point, 'disk-0')), disk)).toBe(0);
  });
});
