import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PlannedTable, planMerge } from '../../src/index/merge-plan.ts';

const SMALL = 16_384;

function table(entries: number, facts: Partial<PlannedTable> = {}): PlannedTable {
  return { entries, mergeable: true, touched: false, ...facts };
}

/** Merges as planned until nothing is left to do; what was read on the way. */
function settle(tables: readonly PlannedTable[], maxEntries = Number.POSITIVE_INFINITY): { readonly tables: readonly PlannedTable[]; readonly read: number } {
  let left = [...tables];
  let read = 0;
  for (let run = planMerge(left, maxEntries); run; run = planMerge(left, maxEntries)) {
    const inputs = left.slice(run.from, run.to);
    const entries = inputs.reduce((sum, input) => sum + input.entries, 0);
    expect(inputs.every(({ mergeable }) => mergeable)).toBe(true);
    expect(inputs.length > 1 || inputs[0]?.touched).toBe(true);
    expect(inputs.length).toBeLessThanOrEqual(32);
    expect(entries).toBeLessThanOrEqual(maxEntries);
    read += entries;
    left = [...left.slice(0, run.from), table(entries), ...left.slice(run.to)];
  }
  return { tables: left, read };
}

const sizes = fc.array(fc.oneof(fc.nat(50), fc.nat(100_000), fc.nat(5_000_000)), { maxLength: 200 });

describe('the plan of merges', () => {
  it('leaves few tables, whatever there was', () => {
    fc.assert(
      fc.property(sizes, (entries) => {
        const { tables } = settle(entries.map((n) => table(n)));
        const total = entries.reduce((sum, n) => sum + Math.max(n, SMALL), 0);
        expect(tables.length).toBeLessThanOrEqual(3 + Math.max(0, Math.log2(total / SMALL)) + 1);
        expect(tables.reduce((sum, one) => sum + one.entries, 0)).toBe(entries.reduce((sum, n) => sum + n, 0));
      }),
    );
  });

  it('never merges across a table that cannot be merged, and reads no more at once than it may', () => {
    fc.assert(
      fc.property(sizes, fc.nat(200), fc.nat(3_000_000), (entries, barrier, maxEntries) => {
        const tables = entries.map((n, i) => table(n, { mergeable: i !== barrier }));
        const behindBarrier = (all: readonly PlannedTable[]): number =>
          all
            .slice(
              0,
              all.findIndex(({ mergeable }) => !mergeable),
            )
            .reduce((sum, one) => sum + one.entries, 0);
        const settled = settle(tables, maxEntries).tables;
        if (barrier < tables.length) expect(behindBarrier(settled)).toBe(behindBarrier(tables));
      }),
    );
  });

  it('writes an entry again a few times over a thousand backups, not a thousand times', () => {
    let tables: readonly PlannedTable[] = [];
    let read = 0;
    let most = 0;
    const added = 20_000;
    for (let run = 0; run < 1000; run++) {
      const settled = settle([table(added), ...tables]);
      tables = settled.tables;
      read += settled.read;
      most = Math.max(most, tables.length);
    }
    expect(read / (1000 * added)).toBeLessThan(11);
    expect(most).toBeLessThanOrEqual(13);
  });

  it('writes a table that names dropped packs anew even where nothing is to be merged', () => {
    expect(planMerge([table(5), table(1000, { touched: true })], 10_000)).toEqual({ from: 1, to: 2 });
    expect(planMerge([table(5), table(1000)], 10_000)).toBeUndefined();
    expect(planMerge([], 10_000)).toBeUndefined();
  });
});
