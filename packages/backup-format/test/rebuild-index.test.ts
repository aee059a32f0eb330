import { describe, expect, it } from 'vitest';
import { memoryStore, type ObjectStore, type RestorePoint, rebuildIndex } from '../src/index.ts';
import { flipBit, keysOf, readDisk } from '../testing/index.ts';
import { runVerify } from './support/run-verify.ts';
import { backup, deps, makeDisk, newRepository, reopen } from './support/small-vm.ts';

async function twoPoints(): Promise<{ readonly store: ObjectStore; readonly points: readonly RestorePoint[]; readonly disks: readonly Uint8Array[] }> {
  const store = memoryStore();
  const repository = await newRepository(store);
  const disks = [makeDisk(1, 20), makeDisk(2, 20)];
  const points: RestorePoint[] = [];
  for (const disk of disks) points.push(await backup(repository, disk));
  return { store, points, disks };
}

async function expectWhole({ store, points, disks }: Awaited<ReturnType<typeof twoPoints>>): Promise<void> {
  const repository = await reopen(store);
  for (const [n, point] of points.entries())
    expect(Buffer.compare(await readDisk(await repository.openDisk(point, 'disk-0')), disks[n] ?? Buffer.alloc(0))).toBe(0);
}

describe('I7: rebuilding the index', () => {
  const harms: readonly [string, (store: ObjectStore, tables: readonly string[]) => Promise<unknown>, removes: boolean][] = [
    ['that are all lost', (store, tables) => Promise.all(tables.map((table) => store.delete(table))), false],
    ['of which one is lost', (store, [table = '']) => store.delete(table), false],
    ['with a flipped bit in a page', (store, [table = '']) => flipBit(store, table, 50), true],
    ['with a flipped bit in the footer', (store, [table = '']) => flipBit(store, table, -50), true],
  ];
  for (const [harm, doHarm, removes] of harms) {
    it(`makes tables ${harm} good from the packs alone`, async () => {
      const made = await twoPoints();
      const tables = await keysOf(made.store, 'index/');
      await doHarm(made.store, tables);
      expect((await runVerify(await reopen(made.store))).damage.length).toBeGreaterThan(0);
      const report = await rebuildIndex(made.store, deps);
      expect(report).toMatchObject({ packs: 4, unreadablePacks: [], removedTables: removes ? [tables[0]] : [] });
      expect(report.addedEntries).toBeGreaterThan(0);
      await expectWhole(made);
      expect((await runVerify(await reopen(made.store))).damage).toEqual([]);
    });
  }

  it('does nothing to a sound index', async () => {
    const { store } = await twoPoints();
    const before = await keysOf(store, '');
    expect(await rebuildIndex(store, deps)).toMatchObject({ addedEntries: 0, removedTables: [] });
    expect(await keysOf(store, '')).toEqual(before);
  });

  it('keeps a damaged table while a pack cannot say what it holds', async () => {
    const { store } = await twoPoints();
    const [table = ''] = await keysOf(store, 'index/');
    const [pack = ''] = await keysOf(store, 'packs/');
    await flipBit(store, table, 50);
    await flipBit(store, pack, -50);
    expect(await rebuildIndex(store, deps)).toMatchObject({ removedTables: [], unreadablePacks: [pack] });
    expect(await store.stat(table)).toBeDefined();
  });

  it('prefers the copy that reads back whole when a chunk was stored again', async () => {
    const made = await twoPoints();
    const { store, disks } = made;
    for (const pack of await keysOf(store, 'packs/')) await flipBit(store, pack, 64 + 48 + 40, 3); // the first chunk of every pack
    const repository = await reopen(store);
    await runVerify(repository); // now it knows
    for (const disk of disks) await backup(repository, disk, { confirmDedup: true });
    await expectWhole(made);
    for (const table of await keysOf(store, 'index/')) await store.delete(table);
    await rebuildIndex(store, deps);
    await expectWhole(made);
  });
});
