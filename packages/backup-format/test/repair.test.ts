import { describe, expect, it } from 'vitest';
import { memoryStore, type ObjectStore, type RepairReport, type RestorePoint } from '../src/index.ts';
import { Crash, crashAtWrite, faultyStore, flipBit, keysOf, readDisk, truncateObject } from '../testing/index.ts';
import { runVerify } from './support/run-verify.ts';
import { packOfType } from './support/runs.ts';
import { backup, makeDisk, newRepository, reopen } from './support/small-vm.ts';

interface TwoPoints {
  readonly store: ObjectStore;
  readonly points: readonly RestorePoint[];
  readonly disks: readonly Uint8Array[];
}

async function twoPoints(): Promise<TwoPoints> {
  const store = memoryStore();
  const repository = await newRepository(store);
  const disks = [makeDisk(1, 20), makeDisk(2, 20)];
  const points: RestorePoint[] = [];
  for (const disk of disks) points.push(await backup(repository, disk));
  return { store, points, disks };
}

async function expectWhole({ store, points, disks }: TwoPoints): Promise<void> {
  const repository = await reopen(store);
  for (const [n, point] of points.entries())
    expect(Buffer.compare(await readDisk(await repository.openDisk(point, 'disk-0')), disks[n] ?? Buffer.alloc(0))).toBe(0);
}

async function repair(store: ObjectStore, dryRun = false): Promise<RepairReport> {
  return (await reopen(store)).repair({ dryRun });
}

/** Bytes of the disks of all points that cannot be read. */
async function lostBlocks({ store, points, disks }: TwoPoints): Promise<Set<string>> {
  const lost = new Set<string>();
  const repository = await reopen(store);
  for (const [n, point] of points.entries()) {
    const reader = await repository.openDisk(point, 'disk-0');
    for (let block = 0; block < reader.grid.blockCount; block++) {
      const step = await reader
        .blocks({ from: block, to: block + 1 })
        .next()
        .catch(() => undefined);
      const run = step?.value;
      if (!run) lost.add(`${n} ${block}`);
      else if (run.kind === 'data') expect(Buffer.compare(run.data, (disks[n] ?? run.data).subarray(run.offset, run.offset + run.data.length))).toBe(0);
    }
  }
  return lost;
}

describe('I7: repair of the index', () => {
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
      const report = await repair(made.store);
      expect(report).toMatchObject({ packs: 4, quarantined: [], removedTables: removes ? [tables[0]] : [], setAside: [] });
      expect(report.listedChunks).toBeGreaterThan(0);
      await expectWhole(made);
      expect((await runVerify(await reopen(made.store))).damage).toEqual([]);
    });
  }

  it('does nothing to a sound repository but to leave a record', async () => {
    const { store } = await twoPoints();
    const before = await keysOf(store, '');
    expect(await repair(store)).toMatchObject({ listedChunks: 0, relistedChunks: 0, mendedChunks: 0, removedTables: [], quarantined: [], setAside: [] });
    expect((await keysOf(store, '')).filter((key) => !key.startsWith('verify/'))).toEqual(before);
  });

  it('prefers the copy that reads back whole when a chunk was stored again', async () => {
    const made = await twoPoints();
    const { store, disks } = made;
    for (const pack of await keysOf(store, 'packs/')) await flipBit(store, pack, 64 + 48 + 40, 3); // the first chunk of every pack
    await runVerify(await reopen(store)); // now the records know
    for (const disk of disks) await backup(await reopen(store), disk, { confirmDedup: true });
    await expectWhole(made);
    for (const table of await keysOf(store, 'index/')) await store.delete(table);
    await repair(store);
    await expectWhole(made);
  });

  it('leads to a whole copy in another pack when the index leads to a damaged one', async () => {
    const made = await twoPoints();
    const { store, disks } = made;
    for (const table of await keysOf(store, 'index/')) await store.delete(table);
    const early = await keysOf(store, 'packs/');
    for (const disk of disks) await backup(await reopen(store), disk); // stored twice, the newer tables lead to the new packs
    const late = (await keysOf(store, 'packs/')).filter((key) => !early.includes(key));
    for (const pack of late) await flipBit(store, pack, 64 + 48 + 40, 3);
    expect((await runVerify(await reopen(store))).damage.some(({ harmless }) => !harmless)).toBe(true);
    expect((await repair(store)).relistedChunks).toBeGreaterThan(0);
    await expectWhole(made);
    expect((await runVerify(await reopen(store))).damage.every(({ harmless }) => harmless)).toBe(true);
  });
});

describe('repair of packs', () => {
  const harms: readonly [string, (store: ObjectStore, pack: string) => Promise<unknown>][] = [
    ['whose footer is damaged', (store, pack) => flipBit(store, pack, -50)],
    ['whose trailer is damaged', (store, pack) => flipBit(store, pack, -80)],
    ['whose header is damaged', (store, pack) => flipBit(store, pack, 20)],
    ['whose first chunk has a damaged magic', (store, pack) => flipBit(store, pack, 64)],
    ['whose first chunk has a damaged length', (store, pack) => flipBit(store, pack, 64 + 12, 3)],
  ];
  for (const [harm, doHarm] of harms) {
    it(`loses nothing of a pack ${harm}`, async () => {
      const made = await twoPoints();
      const pack = await packOfType(made.store, 1);
      await doHarm(made.store, pack);
      await runVerify(await reopen(made.store));
      const report = await repair(made.store);
      if (report.quarantined.length > 0) expect(report.quarantined).toMatchObject([{ key: pack }]);
      else expect(report.mendedChunks).toBe(1);
      await expectWhole(made);
      const after = await runVerify(await reopen(made.store));
      expect(after.damage.every(({ harmless }) => harmless)).toBe(true);
      if (report.quarantined.length > 0) expect(after).toMatchObject({ damage: [], report: { quarantinedPacks: 1 } });
      await made.store.delete(pack); // nothing leads there any more
      if (report.quarantined.length > 0) await expectWhole(made);
    });
  }

  it('keeps every whole chunk of a pack that is cut short, and says which bytes are lost', async () => {
    const made = await twoPoints();
    const pack = await packOfType(made.store, 1);
    await truncateObject(made.store, pack, Math.floor((await made.store.get(pack)).length / 2));
    const lost = await lostBlocks(made);
    expect(lost.size).toBeGreaterThan(0);
    await runVerify(await reopen(made.store));
    const report = await repair(made.store);
    expect(report.quarantined).toMatchObject([{ key: pack }]);
    expect(report.quarantined[0]?.savedChunks).toBeGreaterThan(0);
    expect(await lostBlocks(made)).toEqual(lost);
    const { damage } = await runVerify(await reopen(made.store));
    expect(damage.flatMap(({ affects }) => affects.flatMap(({ ranges }) => ranges ?? [])).length).toBeGreaterThan(0);
    // The chunks it lost are no dedup hit: the next backup in another process heals them.
    await backup(await reopen(made.store), made.disks[0] ?? Buffer.alloc(0));
    await backup(await reopen(made.store), made.disks[1] ?? Buffer.alloc(0));
    await expectWhole(made);
  });

  it('finds the chunks behind garbage in a pack without a trailer, and with them what no table knows any more', async () => {
    const made = await twoPoints();
    const { store } = made;
    const pack = await packOfType(store, 1);
    const bytes = Buffer.from(await store.get(pack));
    bytes.fill(0x5a, bytes.readUInt32LE(bytes.length - 64 + 16)); // the trailer
    await store.put(pack, bytes);
    bytes.fill(0xa5, 64 + 48, 64 + 48 + 20); // data of the first chunk
    await store.put(pack, bytes);
    const lost = await lostBlocks(made);
    expect(lost.size).toBeGreaterThan(0);
    for (const table of await keysOf(store, 'index/')) await store.delete(table);
    await repair(store);
    expect(await lostBlocks(made)).toEqual(lost);
  });
});

describe('repair', () => {
  it('sets a damaged manifest aside, byte for byte, and leaves one of a newer version alone', async () => {
    const { store, points } = await twoPoints();
    const [first = '', second = ''] = await keysOf(store, 'points/');
    await flipBit(store, first, -30);
    const bytes = await store.get(first);
    const newer = Buffer.from(await store.get(second))
      .toString('latin1')
      .replace('"version":1}', '"version":9}');
    await store.put(second, Buffer.from(newer, 'latin1'));
    const report = await repair(store);
    expect(report.setAside).toEqual([{ key: first, to: `quarantine/${first}` }]);
    expect(Buffer.compare(await store.get(`quarantine/${first}`), bytes)).toBe(0);
    expect(await keysOf(store, 'points/')).toEqual([second]);
    expect(points).toHaveLength(2);
  });

  it('writes nothing in a dry run, and says what the real one does', async () => {
    const made = await twoPoints();
    const { store } = made;
    await flipBit(store, await packOfType(store, 1), -50);
    const [table = ''] = await keysOf(store, 'index/');
    await flipBit(store, table, 50);
    const [manifest = ''] = await keysOf(store, 'points/');
    await flipBit(store, manifest, -30);
    await runVerify(await reopen(store));
    const before = await keysOf(store, '');
    const { dryRun, ...foretold } = await repair(store, true);
    expect(dryRun).toBe(true);
    expect(await keysOf(store, '')).toEqual(before);
    expect(await repair(store)).toMatchObject({ ...foretold, dryRun: false });
    expect(foretold.setAside).toHaveLength(1);
  });

  for (const when of ['before', 'after'] as const) {
    it(`may die ${when} any of its writes: nothing that could be read is lost, and the next repair finishes the work`, async () => {
      let n = 1;
      while (await diesAndIsFinished(n, when)) n += 1;
      expect(n).toBeGreaterThan(8);
    });
  }
});

/** Repairs a repository with a broken pack, table and manifest until the `n`-th write, then for good. False when it did not die any more. */
async function diesAndIsFinished(n: number, when: 'before' | 'after'): Promise<boolean> {
  const made = await twoPoints();
  const { store } = made;
  await flipBit(store, await packOfType(store, 1), -50);
  await flipBit(store, (await keysOf(store, 'index/'))[0] ?? '', 50);
  await flipBit(store, (await keysOf(store, 'points/'))[1] ?? '', -30);
  const lost = await lostBlocks(made);
  const died = await (await reopen(faultyStore(store, crashAtWrite(n, when)))).repair().then(
    () => false,
    (error: unknown) => {
      if (error instanceof Crash) return true;
      throw error;
    },
  );
  for (const block of await lostBlocks(made)) expect(lost).toContain(block);
  for (const lease of await keysOf(store, 'leases/')) await store.delete(lease); // as "repo unlock" does; it would expire by itself
  await repair(store);
  expect(await lostBlocks(made)).toEqual(new Set());
  return died;
}
