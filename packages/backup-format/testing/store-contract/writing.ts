import { expect, it } from 'vitest';
import { keysOf } from '../damage.ts';
import { bytes, digest, MIB, noise, text } from './samples.ts';
import type { Under } from './under-test.ts';

/** Guarantees 1 and 3, and the end of a writer. */
export function wholeOrAbsentContract(under: Under): void {
  it('1: nothing of an object is visible before it is committed, and nothing after it is aborted', async () => {
    const { store, reopen } = under();
    const writer = await store.create('packs/aa/one');
    await writer.write([bytes('half')]);
    expect(await store.stat('packs/aa/one')).toBeUndefined();
    expect(await keysOf(store, '')).toEqual([]);
    await writer.abort();
    await writer.abort();
    expect(await keysOf(reopen(), '')).toEqual([]);
  });

  it('1, 3: a committed object is there as a whole, for another process too', async () => {
    const { store, reopen } = under();
    const writer = await store.create('packs/aa/one');
    await writer.write([bytes('ab'), bytes(''), bytes('cd')]);
    await writer.write(Array.from({ length: 1500 }, () => bytes('x')));
    await writer.commit();
    const other = reopen();
    expect(text(await other.get('packs/aa/one'))).toBe(`abcd${'x'.repeat(1500)}`);
    expect(await other.stat('packs/aa/one')).toEqual({ key: 'packs/aa/one', sizeBytes: 1504 });
  });

  it('1: a large object in pieces of any size arrives in order, and none of it when it is aborted', async () => {
    const { store, reopen } = under();
    const body = noise(17 * MIB + 4321);
    const cuts = [0, 1, 4096, 5 * MIB - 1, 5 * MIB + 1, 13 * MIB, 13 * MIB, body.length];
    for (const key of ['packs/aa/gone', 'packs/aa/kept']) {
      const writer = await store.create(key);
      for (const [n, end] of cuts.entries()) if (n > 0) await writer.write([body.subarray(cuts[n - 1], end)]);
      if (key.endsWith('gone')) await writer.abort();
      else await writer.commit();
    }
    expect(await keysOf(reopen(), '')).toEqual(['packs/aa/kept']);
    expect(digest(await reopen().get('packs/aa/kept'))).toBe(digest(body));
    const range = { offset: 5 * MIB - 10, length: 9 * MIB };
    expect(digest(await store.get('packs/aa/kept', { range }))).toBe(digest(body.subarray(range.offset, range.offset + range.length)));
  });

  it('1: a reader of an object that is being replaced gets one or the other, whole', async () => {
    const { store, reopen } = under();
    const versions = [bytes('a'.repeat(70_000)), bytes('b'.repeat(90_000))] as const;
    await store.put('one', versions[0]);
    const replacing = [versions[1], versions[0], versions[1]].map((body) => store.put('one', body));
    for (let n = 0; n < 8; n++) expect(versions.map(digest)).toContain(digest(await reopen().get('one')));
    await Promise.all(replacing);
  });

  it('1: an object may be empty, put or written', async () => {
    const { store, reopen } = under();
    expect(await store.put('empty/put', new Uint8Array(0), { ifAbsent: true })).toBe('created');
    await (await store.create('empty/written')).commit();
    for (const key of ['empty/put', 'empty/written']) {
      expect(await reopen().stat(key)).toEqual({ key, sizeBytes: 0 });
      expect(await store.get(key)).toHaveLength(0);
      await expect(store.get(key, { range: { offset: 0, length: 1 } })).rejects.toMatchObject({ code: 'REPO_OBJECT_TRUNCATED' });
    }
    expect(await keysOf(store, '')).toEqual(['empty/put', 'empty/written']);
  });

  it('3: a put without ifAbsent replaces', async () => {
    const { store, reopen } = under();
    await store.put('one', bytes('first'));
    await store.put('one', bytes('second!'));
    expect(text(await reopen().get('one'))).toBe('second!');
  });

  it('a call on a writer after its end is a TypeError', async () => {
    const { store } = under();
    const committed = await store.create('one');
    await committed.write([bytes('x')]);
    await committed.commit();
    await expect(committed.write([bytes('y')])).rejects.toThrow(TypeError);
    await expect(committed.commit()).rejects.toThrow(TypeError);
    await committed.abort();
    expect(text(await store.get('one'))).toBe('x');
    const aborted = await store.create('two');
    await aborted.abort();
    await expect(aborted.write([bytes('y')])).rejects.toThrow(TypeError);
    await expect(aborted.commit()).rejects.toThrow(TypeError);
    expect(await keysOf(store, '')).toEqual(['one']);
  });
}

/** Guarantee 9. */
export function concurrencyContract(under: Under): void {
  it('9: many objects are written at once, in new directories too', async () => {
    const { store } = under();
    await Promise.all([...Array(40).keys()].map((n) => store.put(`deep/${n % 5}/${n}`, bytes(String(n)), { ifAbsent: true })));
    const found = await Promise.all((await keysOf(store, 'deep/')).map((key) => store.get(key)));
    expect(new Set(found.map(text)).size).toBe(40);
  });

  it('9: several large objects grow at once without mixing', async () => {
    const { store, reopen } = under();
    const writers = await Promise.all([1, 2, 3].map((n) => store.create(`packs/aa/${n}`)));
    for (let piece = 0; piece < 6; piece++)
      await Promise.all(writers.map((writer, n) => writer.write([new Uint8Array(MIB).fill(10 * n + piece), bytes(`${n}`)])));
    await Promise.all(writers.map((writer) => writer.commit()));
    for (const n of [0, 1, 2]) {
      const body = await reopen().get(`packs/aa/${n + 1}`);
      expect(body).toHaveLength(6 * (MIB + 1));
      for (let piece = 0; piece < 6; piece++) expect([body[piece * (MIB + 1)], body[(piece + 1) * (MIB + 1) - 1]]).toEqual([10 * n + piece, 48 + n]);
    }
  });

  it('9: a returned buffer belongs to the caller, and so does a body once the call has settled', async () => {
    const { store, reopen } = under();
    const body = bytes('abc');
    await store.put('one', body);
    body.fill(0);
    (await store.get('one')).fill(0);
    expect(text(await store.get('one'))).toBe('abc');
    const writer = await store.create('two');
    const part = bytes('first ');
    await writer.write([part]);
    part.fill(0);
    await writer.write([bytes('second')]);
    await writer.commit();
    expect(text(await reopen().get('two'))).toBe('first second');
  });
}
