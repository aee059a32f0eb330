import { expect, it } from 'vitest';
import type { ObjectStore, SweepReport } from '../../src/index.ts';
import { keysOf } from '../damage.ts';
import { bytes, digest, MIB, noise } from './samples.ts';
import type { Under } from './under-test.ts';

/** Guarantee 8. */
export function abortsContract(under: Under): void {
  it('8: an aborted call rejects with the reason of the signal, untouched, and has no effect', async () => {
    const { store } = under();
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    const writer = await store.create('packs/aa/one');
    await writer.write([bytes('x')]);
    await expect(writer.write([bytes('y')], { signal })).rejects.toBe(reason);
    await expect(writer.commit({ signal })).rejects.toBe(reason);
    await writer.abort();
    await expect(store.put('one', bytes('x'), { signal })).rejects.toBe(reason);
    await expect(store.put('one', bytes('x'), { signal, ifAbsent: true })).rejects.toBe(reason);
    await expect(store.create('one', { signal })).rejects.toBe(reason);
    await expect(store.get('one', { signal })).rejects.toBe(reason);
    await expect(store.stat('one', { signal })).rejects.toBe(reason);
    await expect(store.delete('one', { signal })).rejects.toBe(reason);
    expect(await keysOf(store, '')).toEqual([]);
    await store.put('one', bytes('x'));
    await expect(
      (async () => {
        for await (const { key } of store.list('', { signal })) throw new Error(`${key} was listed`);
      })(),
    ).rejects.toBe(reason);
  });

  it('8: a put that is aborted under way rejects with the reason or is done; the object is whole or absent', async () => {
    const { store, reopen } = under();
    const body = noise(2 * MIB);
    for (let turns = 0; turns < 4; turns++) {
      const key = `packs/aa/${turns}`;
      const aborter = new AbortController();
      const reason = new Error('enough');
      const putting = store.put(key, body, { ifAbsent: true, signal: aborter.signal }).catch((error: unknown) => error);
      for (let n = 0; n < turns; n++) await new Promise((resolve) => setImmediate(resolve));
      aborter.abort(reason);
      expect(['created', reason]).toContain(await putting);
      const found = await reopen().stat(key);
      if (found) expect(digest(await store.get(key))).toBe(digest(body));
      await store.delete(key);
    }
  });
}

/** What writers that died leave behind. */
export function temporariesContract(under: Under): void {
  it('a sweep leaves committed objects and young writers alone, and a writer that it takes fails as a whole', async () => {
    const { store, reopen } = under();
    await store.put('packs/aa/kept', bytes('kept'));
    const young = await store.create('packs/aa/young');
    await young.write([bytes('young')]);
    expect(await sweep(store, 3_600_000)).toMatchObject({ removed: 0 });
    await young.commit();
    const old = await store.create('packs/aa/old');
    await old.write([bytes('old')]);
    expect(await sweep(reopen(), 0)).toMatchObject({ kept: 0 });
    const outcome = await old.commit().then(
      () => 'created',
      (error: { code: string }) => error.code,
    );
    await old.abort();
    const expected = outcome === 'created' ? ['packs/aa/kept', 'packs/aa/old', 'packs/aa/young'] : ['packs/aa/kept', 'packs/aa/young'];
    expect(['created', 'REPO_STORE_FAILED']).toContain(outcome); // a store that has sent nothing yet has nothing to sweep
    expect(await keysOf(reopen(), '')).toEqual(expected);
  });
}

async function sweep(store: ObjectStore, olderThanMs: number): Promise<SweepReport> {
  return (await store.sweepTemporaries?.({ olderThanMs })) ?? { removed: 0, removedBytes: 0, kept: 0 };
}
