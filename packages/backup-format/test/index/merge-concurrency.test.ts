import { setImmediate as nextTurn } from 'node:timers/promises';
import { FakeClock, seededRandom } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { plainEnvelopes } from '../../src/format/envelopes.ts';
import { parseTableKey } from '../../src/format/ids.ts';
import { mergeTables } from '../../src/index/merge-tables.ts';
import { memoryStore, type ObjectStore } from '../../src/index.ts';
import { TableFlusher } from '../../src/write/table-flusher.ts';
import { flipBit, keysOf } from '../../testing/index.ts';
import { CONFIG, digestOf, mergeDeps, openIndex, packOf, placeIn, tableIdOf, writeTestTable } from '../support/index-tables.ts';

type Call = (...args: never[]) => unknown;

/** A store whose every call waits for a while of its own before and after it does its work: calls of several users mix in every order. */
function jittery(store: ObjectStore, seed: number): ObjectStore {
  const random = seededRandom(seed);
  const wait = async (): Promise<void> => {
    for (let turns = random.int(4); turns > 0; turns--) await nextTurn();
  };
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      const call = value.bind(target) as Call;
      if (name === 'list') {
        return async function* list(...args: never[]): AsyncGenerator<unknown, void> {
          for await (const found of call(...args) as AsyncIterable<unknown>) {
            await wait();
            yield found;
          }
        };
      }
      return async (...args: never[]): Promise<unknown> => {
        await wait();
        const result = await call(...args);
        await wait();
        return result;
      };
    },
  });
}

/** Does `harm` once, right after (or before) the merged table has become durable. */
function whenMerged(store: ObjectStore, when: 'before' | 'after', harm: (mergedKey: string) => Promise<unknown>): ObjectStore {
  let done = false;
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (name !== 'create') return typeof value === 'function' ? (value.bind(target) as Call) : value;
      return async (key: string) => {
        const writer = await target.create(key);
        const commit = writer.commit.bind(writer);
        writer.commit = async (options) => {
          if (when === 'before' && !done) await harm(key);
          await commit(options);
          if (when === 'after' && !done) await harm(key);
          done = true;
        };
        return writer;
      };
    },
  });
}

async function fiveTables(): Promise<ObjectStore> {
  const store = memoryStore();
  for (let n = 1; n <= 5; n++) await writeTestTable(store, n * 10, [packOf(n, [digestOf(0), digestOf(n)])]);
  return store;
}

describe('merges beside everything else', () => {
  it('lose no lookup of readers, new tables of writers, or entries of one another, in any order of their calls', async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const store = memoryStore();
      const written = new Set<number>();
      for (let n = 0; n < 8; n++) {
        await writeTestTable(store, n, [packOf(n, [digestOf(n), digestOf(100 + n)])]);
        written.add(n);
      }
      const ends = { writing: false };
      const reader = async (): Promise<void> => {
        const index = openIndex(jittery(store, seed * 7));
        while (!ends.writing) {
          for (const n of written) expect(await index.find(digestOf(n)), `seed ${seed}, digest ${n}`).toBeDefined();
          expect(index.problem).toBeUndefined();
          await index.reload();
        }
      };
      const writer = async (): Promise<void> => {
        const slow = jittery(store, seed * 11);
        for (let n = 8; n < 24; n++) {
          await writeTestTable(slow, n, [packOf(n, [digestOf(n), digestOf(100 + (n % 8))])]);
          written.add(n);
        }
        ends.writing = true;
      };
      const merger = async (own: number): Promise<void> => {
        while (!ends.writing) await mergeTables(mergeDeps(jittery(store, seed * own), seed * own));
      };
      await Promise.all([reader(), reader(), writer(), merger(13), merger(17)]);
      await mergeTables(mergeDeps(store, seed));
      const index = openIndex(store);
      for (let n = 0; n < 24; n++) expect(await index.find(digestOf(n)), `seed ${seed}, digest ${n}`).toEqual(placeIn(n, 0));
      for (let n = 0; n < 8; n++) expect(await index.find(digestOf(100 + n)), `seed ${seed}, digest ${100 + n}`).toEqual(placeIn(16 + n, 1));
      expect((await keysOf(store, 'index/')).length).toBeLessThanOrEqual(4);
    }
  });

  it('a reader that has the tables of before finds everything in the merged one, and calls nothing damaged', async () => {
    const store = await fiveTables();
    const warnings: object[] = [];
    const logger = { ...mergeDeps(store).logger, warn: (fields: object) => void warnings.push(fields) };
    const index = openIndex(store, logger);
    await index.reload();
    expect(index.tables).toHaveLength(5);
    await mergeTables(mergeDeps(store));
    expect(await index.find(digestOf(1))).toEqual(placeIn(1, 1));
    expect(await index.find(digestOf(0))).toEqual(placeIn(5, 0));
    expect(await index.find(digestOf(99))).toBeUndefined();
    expect(index.tables).toHaveLength(1);
    expect([warnings, index.problem]).toEqual([[], undefined]);
  });

  it('a reader that has listed the tables when they are merged looks again before it opens them', async () => {
    const inner = await fiveTables();
    let merged = false;
    const store = new Proxy(inner, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (name !== 'stat') return typeof value === 'function' ? (value.bind(target) as Call) : value;
        return async (key: string) => {
          if (!merged) {
            merged = true;
            await mergeTables(mergeDeps(inner));
          }
          return target.stat(key);
        };
      },
    });
    const index = openIndex(store);
    for (let n = 1; n <= 5; n++) expect(await index.find(digestOf(n))).toEqual(placeIn(n, 1));
    expect([index.tables.length, index.problem]).toEqual([1, undefined]);
  });

  for (const when of ['before', 'after'] as const) {
    it(`is taken back when a table that is newer than some of its inputs comes right ${when} it: that one must win`, async () => {
      const inner = await fiveTables();
      const store = whenMerged(inner, when, () => writeTestTable(inner, 35, [packOf(35, [digestOf(3)])]));
      const report = await mergeTables(mergeDeps(store));
      expect(report).toMatchObject({ complete: true, tables: 1 });
      // The chunk of pack 3 was damaged, and the late table says where it was stored again.
      expect(await openIndex(inner).find(digestOf(3))).toEqual(placeIn(35, 0));
      expect(await openIndex(inner).find(digestOf(0))).toEqual(placeIn(5, 0));
    });
  }

  it('is taken back when another merge has deleted one of its inputs', async () => {
    const inner = await fiveTables();
    const tables = await keysOf(inner, 'index/');
    const store = whenMerged(inner, 'after', () => inner.delete(tables[2] ?? ''));
    const merged: string[] = [];
    const watched = new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (name !== 'delete') return typeof value === 'function' ? (value.bind(target) as Call) : value;
        return (key: string) => {
          merged.push(key);
          return target.delete(key);
        };
      },
    });
    await mergeTables(mergeDeps(watched));
    // The first thing that was deleted is the merge's own table, not an input.
    expect(tables).not.toContain(merged[0]);
    for (const n of [1, 2, 4, 5]) expect(await openIndex(inner).find(digestOf(n))).toEqual(placeIn(n, 1));
  });

  it('a writer writes its table again when a merge has come to stand after it', async () => {
    const inner = await fiveTables();
    const clock = new FakeClock({ startMs: Date.UTC(2026, 10, 22, 19, 0, 0, 35) });
    // The writer knew the tables up to 30 and takes its id from its clock; 40 and 50 come while it writes, with a merge of all of them.
    for (const n of [40, 50]) await inner.delete(`index/${tableIdOf(n)}`);
    const store = whenMerged(inner, 'after', async () => {
      for (const n of [4, 5]) await writeTestTable(inner, n * 10, [packOf(n, [digestOf(0), digestOf(n)])]);
    });
    const deps = { ...mergeDeps(store), clock, config: CONFIG, envelopes: plainEnvelopes };
    await deps.index.reload();
    const arrived: string[] = [];
    const sink = { arrived: (digest: Uint8Array) => void arrived.push(Buffer.from(digest).toString('hex')) };
    const flusher = new TableFlusher(deps, sink);
    await flusher.add(packOf(77, [digestOf(3)]), {});
    await flusher.flush({});
    const ids = (await keysOf(inner, 'index/')).map(parseTableKey);
    expect(ids.at(-1)?.slice(0, 19)).toBe(`${tableIdOf(51).slice(0, 18)}Z`);
    expect(ids).toHaveLength(7); // the first try is left for the next merge
    expect(arrived).toEqual([digestOf(3).toString('hex')]);
    await mergeTables(mergeDeps(inner));
    expect(await openIndex(inner).find(digestOf(3))).toEqual(placeIn(77, 0));
  });

  it('leaves a damaged table as it is, merges on either side of it, and does not call the work complete', async () => {
    const store = memoryStore();
    for (let n = 0; n < 13; n++) await writeTestTable(store, n, [packOf(n, [digestOf(n)])]);
    await flipBit(store, `index/${tableIdOf(6)}`, 20);
    const report = await mergeTables(mergeDeps(store));
    expect(report).toMatchObject({ tablesBefore: 13, tables: 3, complete: false });
    expect(await keysOf(store, 'index/')).toContain(`index/${tableIdOf(6)}`);
    for (let n = 0; n < 13; n++) expect(await openIndex(store).find(digestOf(n))).toEqual(n === 6 ? undefined : placeIn(n, 0));
  });

  it('ends with the reason of the signal, and leaves no half table', async () => {
    const store = await fiveTables();
    const before = await keysOf(store, '');
    const reason = new Error('enough');
    await expect(mergeTables(mergeDeps(store), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(await keysOf(store, '')).toEqual(before);
  });
});
