import { expect, it } from 'vitest';
import { keysOf } from '../damage.ts';
import { bytes, text } from './samples.ts';
import type { Under } from './under-test.ts';

/** Guarantees 5 and 7, and keys. */
export function readsContract(under: Under): void {
  it('5: a ranged get answers exactly the range, at the end too', async () => {
    const { store } = under();
    await store.put('one', bytes('0123456789'));
    const ranges = [
      [0, 10],
      [3, 4],
      [0, 1],
      [9, 1],
      [4, 6],
      [10, 0],
      [5, 0],
    ] as const;
    for (const [offset, length] of ranges)
      expect(text(await store.get('one', { range: { offset, length } }))).toBe('0123456789'.slice(offset, offset + length));
  });

  it('5: a range past the end, and an absent object, are errors of their own', async () => {
    const { store } = under();
    await store.put('one', bytes('0123456789'));
    for (const [offset, length] of [
      [8, 4],
      [10, 1],
      [50, 1],
    ] as const)
      await expect(store.get('one', { range: { offset, length } })).rejects.toMatchObject({ code: 'REPO_OBJECT_TRUNCATED', details: { key: 'one' } });
    await expect(store.get('two')).rejects.toMatchObject({ code: 'REPO_OBJECT_MISSING', details: { key: 'two' } });
    await expect(store.get('none/two', { range: { offset: 0, length: 1 } })).rejects.toMatchObject({ code: 'REPO_OBJECT_MISSING' });
    expect(await store.stat('none/two')).toBeUndefined();
  });

  it('7: delete is idempotent', async () => {
    const { store, reopen } = under();
    await store.put('a/one', bytes('x'));
    await store.delete('a/one');
    await store.delete('a/one');
    await store.delete('none/at/all');
    expect(await reopen().stat('a/one')).toBeUndefined();
    await expect(store.get('a/one', { range: { offset: 0, length: 1 } })).rejects.toMatchObject({ code: 'REPO_OBJECT_MISSING' });
  });

  it('refuses keys that leave the repository or hide in it, and takes long ones', async () => {
    const { store } = under();
    for (const key of ['', '/a', '../a', 'a/../b', 'a//b', '.tmp', 'a/.b', 'a/', 'a\0b', 'a b', 'x'.repeat(201)]) {
      await expect(store.put(key, bytes('x'))).rejects.toThrow(TypeError);
    }
    const long = `${'d'.repeat(200)}/${'f'.repeat(200)}`;
    await store.put(long, bytes('x'), { ifAbsent: true });
    expect(await keysOf(store, '')).toEqual([long]);
  });
}

/** Guarantee 6. */
export function listingsContract(under: Under, many: number): void {
  it('6: list yields what lies below a prefix, once, in ascending order of key', async () => {
    const { store } = under();
    const all = ['B', '_', 'a-b/c', 'a.json', 'a/b', 'a/c/d', 'ab', 'b/1', 'b/10', 'b/2'];
    for (const key of all.toReversed()) await store.put(key, bytes(key));
    expect(await keysOf(store, '')).toEqual(all.toSorted());
    expect(await keysOf(store, 'b/')).toEqual(['b/1', 'b/10', 'b/2']);
    expect(await keysOf(store, 'a/')).toEqual(['a/b', 'a/c/d']);
    expect(await keysOf(store, 'none/')).toEqual([]);
  });

  it(`6: list yields all of ${many} objects, with their sizes`, async () => {
    const { store, reopen } = under();
    const keys = [...Array(many).keys()].map((n) => `packs/${(n % 7).toString(16).padStart(2, '0')}/${n}`);
    for (let at = 0; at < keys.length; at += 32) await Promise.all(keys.slice(at, at + 32).map((key) => store.put(key, bytes(key))));
    const found: string[] = [];
    for await (const { key, sizeBytes } of reopen().list('packs/')) {
      expect(sizeBytes).toBe(key.length);
      found.push(key);
    }
    expect(found).toEqual(keys.toSorted());
    expect(await keysOf(store, 'packs/03/')).toEqual(keys.filter((key) => key.startsWith('packs/03/')).toSorted());
  });

  it('6: a listing goes on while objects come and go, and may be left early', async () => {
    const { store } = under();
    for (let n = 10; n < 30; n++) await store.put(`d/${n}`, bytes('x'));
    const found: string[] = [];
    for await (const { key } of store.list('d/')) {
      if (found.length === 0) await Promise.all([store.delete('d/15'), store.delete('d/25'), store.put('d/12a', bytes('x'))]);
      found.push(key);
    }
    const stays = [...Array(20).keys()].map((n) => `d/${n + 10}`).filter((key) => key !== 'd/15' && key !== 'd/25');
    expect(found.filter((key) => stays.includes(key))).toEqual(stays);
    for await (const { key } of store.list('d/')) {
      expect(key).toBe('d/10');
      break;
    }
  });
}
