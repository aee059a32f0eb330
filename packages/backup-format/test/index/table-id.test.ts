import { describe, expect, it } from 'vitest';
import { parseTableKey, tableKey } from '../../src/format/ids.ts';
import { mergedTableId, newTableId } from '../../src/index/table-id.ts';

const now = new Date(Date.UTC(2026, 10, 22, 23, 59, 59, 999));
const ones = (length: number): Uint8Array => new Uint8Array(length).fill(1);

describe('the ids of index tables', () => {
  it('sort after every table that the writer knew, whatever its clock says', () => {
    expect(newTableId(now, undefined, ones)).toBe('20261122T235959999Z-0101010101010101');
    expect(newTableId(now, '20261122T235959998Z-ffffffffffffffff', ones)).toBe('20261122T235959999Z-0101010101010101');
    expect(newTableId(now, '20261122T235959999Z-0000000000000000', ones)).toBe('20261123T000000000Z-0101010101010101');
    expect(newTableId(now, '20311231T235959999Z-ffffffffffffffff', ones)).toBe('20320101T000000000Z-0101010101010101');
  });

  it('of a merge stand right behind the newest table that was merged', () => {
    const newest = '20261122T190000000Z-00ffffffffffffff';
    const merged = mergedTableId(newest, ones) ?? '';
    expect(merged).toBe('20261122T190000000Z-0100000000010101');
    expect(merged > newest).toBe(true);
    expect(parseTableKey(tableKey(merged))).toBe(merged);
    expect(mergedTableId(newest, () => new Uint8Array(3))).not.toBe(newest);
  });

  it('are refused where there is no room behind', () => {
    expect(mergedTableId('20261122T190000000Z-ffffffffffffffff', ones)).toBeUndefined();
  });
});
