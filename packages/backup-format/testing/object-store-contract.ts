import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../src/index.ts';

export interface StoreUnderTest {
  readonly store: ObjectStore;
  /** The same objects through another store, as another process would see them. */
  reopen(): ObjectStore;
  cleanUp(): Promise<void>;
}

/** The numbered guarantees of `ObjectStore`, as tests. Every store and every decorator runs them. */
export function objectStoreContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`the store contract, ${name}`, () => {
    let under: StoreUnderTest;
    let store: ObjectStore;
    beforeEach(async () => {
      under = await open();
      store = under.store;
    });
    afterEach(() => under.cleanUp());

    it('1: nothing of an object is visible before it is committed, and nothing after it is aborted', async () => {
      const writer = await store.create('packs/aa/one');
      await writer.write([bytes('half')]);
      expect(await store.stat('packs/aa/one')).toBeUndefined();
      expect(await keys(store, '')).toEqual([]);
      await writer.abort();
      await writer.abort();
      expect(await keys(under.reopen(), '')).toEqual([]);
    });

    it('1, 3: a committed object is there as a whole, for another process too', async () => {
      const writer = await store.create('packs/aa/one');
      await writer.write([bytes('ab'), bytes(''), bytes('cd')]);
      await writer.write(Array.from({ length: 1500 }, () => bytes('x')));
      await writer.commit();
      const other = under.reopen();
      expect(text(await other.get('packs/aa/one'))).toBe(`abcd${'x'.repeat(1500)}`);
      expect(await other.stat('packs/aa/one')).toEqual({ key: 'packs/aa/one', sizeBytes: 1504 });
    });

    it('4: of many exclusive puts exactly one creates the object, whole', async () => {
      const outcomes = await Promise.all([...Array(8).keys()].map((n) => store.put('points/g/one', bytes(`writer ${n}`), { ifAbsent: true })));
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1);
      expect(text(await store.get('points/g/one'))).toBe(`writer ${outcomes.indexOf('created')}`);
    });

    it('4: a commit to a key that is taken fails and changes nothing', async () => {
      await store.put('packs/aa/one', bytes('first'));
      const writer = await store.create('packs/aa/one');
      await writer.write([bytes('second')]);
      await expect(writer.commit()).rejects.toMatchObject({ code: 'REPO_OBJECT_EXISTS' });
      await writer.abort();
      expect(text(await store.get('packs/aa/one'))).toBe('first');
      expect(await keys(store, '')).toEqual(['packs/aa/one']);
    });

    it('3: a put without ifAbsent replaces', async () => {
      await store.put('one', bytes('first'));
      await store.put('one', bytes('second!'));
      expect(text(await under.reopen().get('one'))).toBe('second!');
    });

    it('5: a ranged get answers exactly the range', async () => {
      await store.put('one', bytes('0123456789'));
      expect(text(await store.get('one', { range: { offset: 3, length: 4 } }))).toBe('3456');
      expect(text(await store.get('one', { range: { offset: 10, length: 0 } }))).toBe('');
    });

    it('5: a range past the end, and an absent object, are errors of their own', async () => {
      await store.put('one', bytes('0123456789'));
      await expect(store.get('one', { range: { offset: 8, length: 4 } })).rejects.toMatchObject({ code: 'REPO_OBJECT_TRUNCATED', details: { key: 'one' } });
      await expect(store.get('two')).rejects.toMatchObject({ code: 'REPO_OBJECT_MISSING', details: { key: 'two' } });
      await expect(store.get('none/two', { range: { offset: 0, length: 1 } })).rejects.toMatchObject({ code: 'REPO_OBJECT_MISSING' });
      expect(await store.stat('none/two')).toBeUndefined();
    });

    it('6: list yields what lies below a prefix, once, in ascending order of key', async () => {
      const all = ['a', 'a-b/c', 'a.json', 'a/b', 'a/c/d', 'ab', 'b/1', 'b/10', 'b/2'];
      for (const key of all.toReversed().filter((key) => key !== 'a')) await store.put(key, bytes(key));
      expect(await keys(store, '')).toEqual(all.filter((key) => key !== 'a').sort());
      expect(await keys(store, 'b/')).toEqual(['b/1', 'b/10', 'b/2']);
      expect(await keys(store, 'a/')).toEqual(['a/b', 'a/c/d']);
      expect(await keys(store, 'none/')).toEqual([]);
    });

    it('7: delete is idempotent', async () => {
      await store.put('a/one', bytes('x'));
      await store.delete('a/one');
      await store.delete('a/one');
      await store.delete('none/at/all');
      expect(await under.reopen().stat('a/one')).toBeUndefined();
    });

    it('8: an aborted call rejects with the reason of the signal, untouched, and has no effect', async () => {
      const reason = new Error('enough');
      const signal = AbortSignal.abort(reason);
      await expect(store.put('one', bytes('x'), { signal })).rejects.toBe(reason);
      await expect(store.create('one', { signal })).rejects.toBe(reason);
      await expect(store.get('one', { signal })).rejects.toBe(reason);
      await expect(store.stat('one', { signal })).rejects.toBe(reason);
      await expect(store.delete('one', { signal })).rejects.toBe(reason);
      expect(await keys(store, '')).toEqual([]);
    });

    it('9: many objects are written at once, in new directories too', async () => {
      await Promise.all([...Array(40).keys()].map((n) => store.put(`deep/${n % 5}/${n}`, bytes(String(n)), { ifAbsent: true })));
      const found = await Promise.all((await keys(store, 'deep/')).map((key) => store.get(key)));
      expect(new Set(found.map(text)).size).toBe(40);
    });

    it('9: a returned buffer belongs to the caller', async () => {
      await store.put('one', bytes('abc'));
      (await store.get('one')).fill(0);
      expect(text(await store.get('one'))).toBe('abc');
    });

    it('refuses keys that leave the repository or hide in it', async () => {
      for (const key of ['', '/a', '../a', 'a/../b', 'a//b', '.tmp', 'a/.b', 'a/', 'a\0b', 'a b']) {
        await expect(store.put(key, bytes('x'))).rejects.toThrow(TypeError);
      }
    });
  });
}

function bytes(content: string): Uint8Array {
  return Buffer.from(content);
}

function text(content: Uint8Array): string {
  return Buffer.from(content).toString();
}

async function keys(store: ObjectStore, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.list(prefix)) found.push(key);
  return found;
}
