import { describe, expect, it } from 'vitest';
import { memoryStore } from '../../src/index.ts';
import { Crash, crashAtWrite, faultyStore, flipBit, keysOf } from '../../testing/index.ts';
import { backup, makeDisk, newRepository, reopen } from '../support/small-vm.ts';

describe('the figures of a repository', () => {
  it('of an empty one are zeros', async () => {
    const repository = await newRepository(memoryStore());
    const { stored, storedBytes, ...rest } = await repository.stats();
    expect(rest).toEqual({
      groups: 0,
      points: 0,
      unreadablePoints: 0,
      markedPoints: 0,
      logicalBytes: 0,
      newBytes: 0,
      newStoredBytes: 0,
      compression: { plainBytes: 0, storedBytes: 0, packs: 0, ofPacks: 0 },
      orphanPacks: { objects: 0, bytes: 0 },
    });
    expect(stored).toEqual({ 'onevault.json': { objects: 1, bytes: storedBytes } });
  });

  it('count points, groups, disks as if stored whole, and every object there is', async () => {
    const store = memoryStore();
    const repository = await newRepository(store);
    const disk = makeDisk(1, 20);
    const first = await backup(repository, disk);
    const second = await backup(repository, disk);
    await backup(repository, makeDisk(2, 3), { group: 'vm-2' });
    await repository.marks.hold(second.id, { reason: 'r', by: 'b' });
    await repository.marks.tag(first.id, ['x']);
    const stats = await repository.stats();
    const sizes = [];
    for await (const { sizeBytes } of store.list('')) sizes.push(sizeBytes);
    expect(stats).toMatchObject({ groups: 2, points: 3, unreadablePoints: 0, markedPoints: 1, orphanPacks: { objects: 0, bytes: 0 } });
    expect(stats.logicalBytes).toBe(2 * disk.length + makeDisk(2, 3).length);
    expect(stats.storedBytes).toBe(sizes.reduce((sum, bytes) => sum + bytes, 0));
    expect(await repository.storedBytes()).toBe(stats.storedBytes);
    expect(stats.stored['packs']?.objects).toBe((await keysOf(store, 'packs/')).length);
    expect(stats.stored['marks']?.objects).toBe(2);
    expect(second.stats.newBytes).toBeLessThan(first.stats.newBytes / 10);
    expect(stats.newStoredBytes).toBeLessThanOrEqual(stats.newBytes);
  });

  it('tell from the packs what compression saves, also when the points that stored them are gone', async () => {
    const store = memoryStore();
    const repository = await newRepository(store);
    const first = await backup(repository, Buffer.alloc(40 * 65_536, 'a line that compresses well. '), { group: 'vm-1' });
    await backup(repository, makeDisk(3, 12), { group: 'vm-2' });
    await repository.forgetPoint(first.id, { evenLast: true });
    const { compression, stored } = await repository.stats();
    const packs = await keysOf(store, 'packs/');
    expect(compression).toMatchObject({ packs: packs.length, ofPacks: packs.length });
    expect(compression.plainBytes).toBeGreaterThan(compression.storedBytes);
    expect(compression.storedBytes).toBeLessThan(stored['packs']?.bytes ?? 0);
    const [damaged = ''] = packs;
    await flipBit(store, damaged, -1);
    expect((await repository.stats()).compression).toMatchObject({ packs: packs.length - 1, ofPacks: packs.length });
  });

  it('tell what a run that died has left, and manifests that cannot be read', async () => {
    const store = memoryStore();
    const { id } = await backup(await newRepository(store), makeDisk(1, 20));
    const before = await keysOf(store, 'packs/');
    let n = 1;
    for (; (await keysOf(store, 'packs/')).length === before.length; n++) {
      const dying = await reopen(faultyStore(store, crashAtWrite(n, 'after')));
      await expect(backup(dying, makeDisk(n + 5, 20))).rejects.toThrow(Crash);
    }
    const stats = await (await reopen(store)).stats();
    let orphans = { objects: 0, bytes: 0 };
    for await (const { key, sizeBytes } of store.list('packs/'))
      if (!before.includes(key)) orphans = { objects: orphans.objects + 1, bytes: orphans.bytes + sizeBytes };
    expect(orphans.bytes).toBeGreaterThan(20_000);
    expect(stats.orphanPacks).toEqual(orphans);
    await flipBit(store, `points/vm-1/${id}.json`, 300);
    expect(await (await reopen(store)).stats()).toMatchObject({ points: 0, unreadablePoints: 1 });
  });

  it('say nothing of orphans when a damaged table hides whose they are', async () => {
    const store = memoryStore();
    await backup(await newRepository(store), makeDisk(1, 5));
    const [table = ''] = await keysOf(store, 'index/');
    await flipBit(store, table, -10);
    const stats = await (await reopen(store)).stats();
    expect(stats.orphanPacks).toBeUndefined();
    expect(stats.points).toBe(1);
  });
});
