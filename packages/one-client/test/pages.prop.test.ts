import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readPages } from '../src/pages.ts';

interface Churn {
  readonly delete: readonly number[];
  readonly create: number;
}

/** A pool in oned's order (newest first) that changes a little after every page that is read. */
function changingPool(
  size: number,
  churn: readonly Churn[],
): { readonly read: (offset: number, count: number) => Promise<readonly number[]>; readonly always: readonly number[]; readonly reads: () => number } {
  let ids = Array.from({ length: size }, (_, n) => size - n);
  const initially = ids;
  let next = size + 1;
  let reads = 0;
  const deleted = new Set<number>();
  return {
    async read(offset, count) {
      const page = ids.slice(offset, offset + count);
      const change = churn[reads++];
      for (const position of change?.delete ?? []) {
        const id = ids[position % Math.max(1, ids.length)];
        if (id === undefined) continue;
        deleted.add(id);
        ids = ids.filter((one) => one !== id);
      }
      for (let n = 0; n < (change?.create ?? 0); n++) ids = [next++, ...ids];
      return page;
    },
    get always() {
      return initially.filter((id) => !deleted.has(id));
    },
    reads: () => reads,
  };
}

async function readAll(read: (offset: number, count: number) => Promise<readonly number[]>, pageSize: number): Promise<readonly number[]> {
  const all: number[] = [];
  for await (const id of readPages(read, (one) => one, pageSize)) all.push(id);
  return all;
}

test('whatever is deleted and created between pages, each object that stays is listed exactly once', async () => {
  const churn = fc.record({ delete: fc.array(fc.nat(200), { maxLength: 6 }), create: fc.nat(3) });
  await fc.assert(
    fc.asyncProperty(fc.nat(120), fc.integer({ min: 2, max: 20 }), fc.array(churn, { maxLength: 12 }), async (size, pageSize, changes) => {
      const pool = changingPool(size, changes);
      const listed = await readAll(pool.read, pageSize);
      expect(new Set(listed).size).toBe(listed.length);
      expect(pool.always.filter((id) => !listed.includes(id))).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test('a pool that stays as it is costs one read a page, plus the overlap', async () => {
  const pool = changingPool(1000, []);
  expect((await readAll(pool.read, 100)).length).toBe(1000);
  expect(pool.reads()).toBe(11);
});

test('an empty pool costs one read', async () => {
  const pool = changingPool(0, []);
  expect(await readAll(pool.read, 100)).toEqual([]);
  expect(pool.reads()).toBe(1);
});
