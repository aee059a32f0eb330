import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeTables } from '../../src/index/merge-tables.ts';
import type { ChunkLocation } from '../../src/index/table-reader.ts';
import { memoryStore, type ObjectStore } from '../../src/index.ts';
import { Crash, crashAtWrite, faultyStore, keysOf } from '../../testing/index.ts';
import { mergeDeps, openIndex, packIdOf, packOf, placeIn, writeTestTable } from '../support/index-tables.ts';

/** Digests of which many begin alike, so that pages and cursors meet equal prefixes and equal fences. */
function digest(n: number): Buffer {
  const bytes = createHash('sha256').update(String(n)).digest();
  if (n % 3 === 0) bytes.fill(0x55, 0, 8);
  if (n % 7 === 0) bytes.fill(0xff, 0, 31);
  return bytes;
}

const UNIVERSE = 300;

/** What tables list: digests (by number) in packs, the oldest table first. A pack may be named by several tables, as after a rebuild. */
type Tables = readonly (readonly { readonly pack: number; readonly digests: readonly number[] }[])[];

const tables: fc.Arbitrary<Tables> = fc.array(
  fc.array(fc.record({ pack: fc.nat(25), digests: fc.uniqueArray(fc.nat(UNIVERSE - 1), { minLength: 1, maxLength: 120 }) }), { minLength: 1, maxLength: 4 }),
  { minLength: 1, maxLength: 12 },
);

/** Packs are written once: pack `n` of a case always holds the same. */
function settled(all: Tables): Tables {
  const known = new Map<number, readonly number[]>();
  return all.map((packs) => {
    const once = new Map(packs.map(({ pack, digests }) => [pack, digests]));
    return [...once].map(([pack, digests]) => {
      if (!known.has(pack)) known.set(pack, digests);
      return { pack, digests: known.get(pack) ?? [] };
    });
  });
}

async function write(store: ObjectStore, all: Tables): Promise<void> {
  for (const [n, packs] of all.entries())
    await writeTestTable(
      store,
      n,
      packs.map(({ pack, digests }) => packOf(pack, digests.map(digest))),
    );
}

/** The index as a map: the newest table wins, in it the last pack; dropped packs hold nothing. */
function model(all: Tables, dropped: ReadonlySet<number> = new Set()): Map<number, ChunkLocation> {
  const places = new Map<number, ChunkLocation>();
  for (const packs of all) {
    for (const { pack, digests } of packs) {
      // Within one table a chunk is listed once, whatever is dropped later: what the table left out cannot come back.
      for (const [i, n] of digests.entries()) places.set(n, placeIn(pack, i));
    }
  }
  if (dropped.size === 0) return places;
  places.clear();
  for (const packs of all) {
    for (const [n, place] of model([packs])) {
      if (![...dropped].some((pack) => packIdOf(pack) === place.packId)) places.set(n, place);
    }
  }
  return places;
}

async function expectAgrees(store: ObjectStore, places: ReadonlyMap<number, ChunkLocation>, what = ''): Promise<void> {
  const index = openIndex(store);
  for (let n = 0; n < UNIVERSE; n++) expect(await index.find(digest(n)), `${what} ${n}`).toEqual(places.get(n));
  expect(index.problem).toBeUndefined();
}

/** Every answer is that of one of the maps: what is dropped may be gone already or be there still. */
async function expectOneOf(store: ObjectStore, maps: readonly ReadonlyMap<number, ChunkLocation>[]): Promise<void> {
  const index = openIndex(store);
  for (let n = 0; n < UNIVERSE; n++) {
    const answer = await index.find(digest(n));
    expect(maps.map((places) => places.get(n))).toContainEqual(answer);
  }
}

/** Whether the crash came before the end. */
function dies(merging: Promise<unknown>): Promise<boolean> {
  return merging.then(
    () => false,
    (error: unknown) => {
      if (error instanceof Crash) return true;
      throw error;
    },
  );
}

/** I8: sorted, no digest twice, no pack twice, every pack used. */
async function expectWellFormed(store: ObjectStore): Promise<void> {
  const index = openIndex(store);
  await index.reload();
  for (const table of index.tables) {
    const digests: string[] = [];
    const used = new Set<number>();
    for (const { count, items } of await table.pages('entries', 0)) {
      for (let at = 0; at < count * 44; at += 44) {
        digests.push(items.toString('hex', at, at + 32));
        used.add(items.readUInt32LE(at + 32));
      }
    }
    expect(digests).toEqual([...new Set(digests)].sort());
    expect(digests).toHaveLength(table.footer.entries);
    const packs: string[] = [];
    for await (const { packId } of table.packs()) packs.push(packId);
    expect(new Set(packs).size).toBe(packs.length);
    if (index.tables.length === 1) expect(used.size).toBe(packs.length);
  }
}

describe('merging index tables', () => {
  it('changes no answer, whatever the tables hold', () =>
    fc.assert(
      fc.asyncProperty(tables, async (made) => {
        const all = settled(made);
        const store = memoryStore();
        await write(store, all);
        const report = await mergeTables(mergeDeps(store));
        expect(report).toMatchObject({ tablesBefore: all.length, complete: true });
        if (all.length >= 4) expect(report).toMatchObject({ tables: 1, merges: 1 });
        expect(await keysOf(store, 'index/')).toHaveLength(report.tables);
        await expectAgrees(store, model(all));
        await expectWellFormed(store);
      }),
      { numRuns: 30 },
    ));

  it('leaves out dropped packs, and lists an older place of the same chunk instead', () =>
    fc.assert(
      fc.asyncProperty(tables, fc.uniqueArray(fc.nat(25), { maxLength: 20 }), async (made, dropped) => {
        const all = settled(made);
        const store = memoryStore();
        await write(store, all);
        const ids = new Set(dropped.map(packIdOf));
        const report = await mergeTables(mergeDeps(store), { dropPack: (packId) => ids.has(packId) });
        expect(report.complete).toBe(true);
        await expectAgrees(store, model(all, new Set(dropped)));
        const index = openIndex(store);
        await index.reload();
        for (const table of index.tables) for await (const { packId } of table.packs()) expect(ids.has(packId)).toBe(false);
      }),
      { numRuns: 30 },
    ));

  it('lists the place that is preferred when it is asked', async () => {
    const store = memoryStore();
    for (let n = 0; n < 5; n++) await writeTestTable(store, n, [packOf(n, [digest(1), digest(10 + n)])]);
    const asked: string[] = [];
    const preferPlace = async (_digest: Uint8Array, newer: ChunkLocation, older: ChunkLocation): Promise<'newer' | 'older'> => {
      asked.push(`${newer.packBytes} ${older.packBytes}`);
      return older.packBytes === 1002 ? 'older' : 'newer';
    };
    await mergeTables(mergeDeps(store), { preferPlace });
    expect(asked).toEqual(['1004 1003', '1004 1002', '1002 1001', '1002 1000']);
    expect((await openIndex(store).find(digest(1)))?.packBytes).toBe(1002);
    for (let n = 0; n < 5; n++) expect(await openIndex(store).find(digest(10 + n))).toEqual(placeIn(n, 1));
  });

  it('that dies before or after any of its writes changes no answer, and the next one ends the work', async () => {
    const all: Tables = Array.from({ length: 9 }, (_, n) => [{ pack: n, digests: Array.from({ length: 40 }, (_, i) => (n * 29 + i * 3) % UNIVERSE) }]);
    for (const dropped of [new Set<number>(), new Set([3, 8])]) {
      const ids = new Set([...dropped].map(packIdOf));
      const dropPack = (packId: string): boolean => ids.has(packId);
      for (const when of ['before', 'after'] as const) {
        let n = 1;
        for (; n < 100; n++) {
          const store = memoryStore();
          await write(store, all);
          const died = await dies(mergeTables(mergeDeps(faultyStore(store, crashAtWrite(n, when)), n), { dropPack }));
          await expectOneOf(store, [model(all), model(all, dropped)]);
          await mergeTables(mergeDeps(store, 77), { dropPack });
          await expectAgrees(store, model(all, dropped), `${when} write ${n}`);
          if (!died) break;
        }
        expect(n).toBeGreaterThan(11); // the table opened, written, committed, and nine deleted
        expect(n).toBeLessThan(100);
      }
    }
  });

  it('joins hundreds of tables in passes of bounded width', async () => {
    const store = memoryStore();
    const all: Tables = Array.from({ length: 150 }, (_, n) => [
      { pack: n % 26, digests: [n % UNIVERSE, (n * 7) % UNIVERSE].filter((d, i, both) => both.indexOf(d) === i) },
    ]);
    const fixed = settled(all);
    await write(store, fixed);
    const report = await mergeTables(mergeDeps(store));
    expect(report).toMatchObject({ tablesBefore: 150, complete: true });
    expect(report.merges).toBeGreaterThan(4);
    expect(report.tables).toBeLessThanOrEqual(4);
    await expectAgrees(store, model(fixed));
  });
});
