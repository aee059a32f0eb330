import { silentLogger } from '@onevault/base';
import { describe, expect, it } from 'vitest';
import { FilterShelf } from '../../src/index/filter-shelf.ts';
import { TableFilter } from '../../src/index/table-filter.ts';
import type { IndexTable } from '../../src/index/table-reader.ts';
import { memoryStore } from '../../src/index.ts';
import { faultyStore, flipBit, keysOf } from '../../testing/index.ts';
import { digestOf, openIndex, packOf, writeTestTable } from '../support/index-tables.ts';

const ENTRIES = 5000;

async function tableOf5000(): Promise<{ readonly table: IndexTable; readonly reads: () => number }> {
  const inner = memoryStore();
  const packs = Array.from({ length: 50 }, (_, n) =>
    packOf(
      n,
      Array.from({ length: 100 }, (_, i) => digestOf(n * 100 + i)),
    ),
  );
  await writeTestTable(inner, 1, packs);
  const store = faultyStore(inner, () => undefined);
  const index = openIndex(store);
  await index.reload();
  const [table] = index.tables;
  if (!table) throw new Error('no table');
  return { table, reads: () => store.reads };
}

describe('the filter of a table', () => {
  it('lets all through that was added, and of the rest as few as its size allows', () => {
    for (const [bits, most] of [
      [12, 0.01],
      [6, 0.08],
      [3.5, 0.25],
    ] as const) {
      const filter = new TableFilter(8000, Math.ceil((8000 * bits) / 8));
      for (let n = 0; n < 8000; n++) filter.add(digestOf(n), 0);
      let wrong = 0;
      for (let n = 0; n < 8000; n++) {
        expect(filter.mayHold(digestOf(n))).toBe(true);
        if (filter.mayHold(digestOf(-1 - n))) wrong += 1;
      }
      expect(wrong / 8000, `${bits} bits`).toBeLessThan(most);
    }
  });

  it('is made in the background once enough was looked up in vain, and never says no to what is there', async () => {
    const { table } = await tableOf5000();
    await using shelf = new FilterShelf(silentLogger, { leastPages: 10 });
    const misses = Math.ceil(table.footer.entryPages / 16);
    for (let n = 0; n < misses; n++) {
      expect(shelf.mayHold(table, digestOf(-1))).toBe(true);
      shelf.missed(table);
    }
    await shelf.idle();
    for (let n = 0; n < ENTRIES; n++) expect(shelf.mayHold(table, digestOf(n))).toBe(true);
    const passed = Array.from({ length: ENTRIES }, (_, n) => shelf.mayHold(table, digestOf(-1 - n))).filter(Boolean).length;
    expect(passed / ENTRIES).toBeLessThan(0.01);
    shelf.retain(new Set());
    expect(shelf.mayHold(table, digestOf(-1))).toBe(true);
  });

  it('is not made for a small table, nor where there is no room for a useful one', async () => {
    const { table, reads } = await tableOf5000();
    const before = reads();
    for (const limits of [{}, { leastPages: 10, bytes: 1000 }]) {
      await using shelf = new FilterShelf(silentLogger, limits);
      for (let n = 0; n < 1000; n++) shelf.missed(table);
      await shelf.idle();
      expect(shelf.mayHold(table, digestOf(-1))).toBe(true);
    }
    expect(reads()).toBe(before);
  });

  it('is given up when a page is damaged, and when the index is closed', async () => {
    const { table } = await tableOf5000();
    const shelf = new FilterShelf(silentLogger, { leastPages: 10 });
    for (let n = 0; n < 10; n++) shelf.missed(table);
    await shelf[Symbol.asyncDispose]();
    expect(shelf.mayHold(table, digestOf(-1))).toBe(true);

    const store = memoryStore();
    await writeTestTable(store, 1, [
      packOf(
        1,
        Array.from({ length: 5000 }, (_, n) => digestOf(n)),
      ),
    ]);
    const [key = ''] = await keysOf(store, 'index/');
    await flipBit(store, key, 4096 * 30 + 50);
    const index = openIndex(store);
    await index.reload();
    await using other = new FilterShelf(silentLogger, { leastPages: 10 });
    for (const damaged of index.tables) for (let n = 0; n < 100; n++) other.missed(damaged);
    await other.idle();
    for (const damaged of index.tables) expect(other.mayHold(damaged, digestOf(-1))).toBe(true);
  });
});
