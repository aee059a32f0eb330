import { expect, it } from 'vitest';
import { keysOf } from '../damage.ts';
import { bytes, text } from './samples.ts';
import type { Under } from './under-test.ts';

/** Guarantee 4. */
export function exclusiveContract(under: Under, inRaces: boolean): void {
  it('4: an exclusive put to a key that is taken changes nothing', async () => {
    const { store, reopen } = under();
    expect(await store.put('points/g/one', bytes('first'), { ifAbsent: true })).toBe('created');
    expect(await reopen().put('points/g/one', bytes('second'), { ifAbsent: true })).toBe('existed');
    expect(text(await store.get('points/g/one'))).toBe('first');
  });

  it('4: a commit to a key that is taken fails and changes nothing', async () => {
    const { store } = under();
    await store.put('packs/aa/one', bytes('first'));
    const writer = await store.create('packs/aa/one');
    await writer.write([bytes('second')]);
    await expect(writer.commit()).rejects.toMatchObject({ code: 'REPO_OBJECT_EXISTS' });
    await writer.abort();
    expect(text(await store.get('packs/aa/one'))).toBe('first');
    expect(await keysOf(store, '')).toEqual(['packs/aa/one']);
  });

  it('4: a key is free again when its object was deleted', async () => {
    const { store } = under();
    await store.put('leases/one', bytes('first'), { ifAbsent: true });
    await store.delete('leases/one');
    expect(await store.put('leases/one', bytes('second'), { ifAbsent: true })).toBe('created');
    expect(text(await store.get('leases/one'))).toBe('second');
  });

  if (!inRaces) return;

  it('4: of many processes that put exclusively exactly one creates the object, whole', async () => {
    const { store, reopen } = under();
    for (let round = 0; round < 4; round++) {
      const key = `points/g/${round}`;
      const outcomes = await Promise.all([...Array(12).keys()].map((n) => (n % 2 ? reopen() : store).put(key, bytes(`writer ${n}`), { ifAbsent: true })));
      expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1);
      expect(text(await store.get(key))).toBe(`writer ${outcomes.indexOf('created')}`);
    }
  });

  it('4: of many commits and exclusive puts to one key exactly one wins, and the others leave nothing', async () => {
    const { store, reopen } = under();
    const writers = await Promise.all([...Array(6).keys()].map((n) => (n % 2 ? reopen() : store).create('packs/aa/one')));
    for (const [n, writer] of writers.entries()) await writer.write([bytes(`writer ${n}`)]);
    const commits = writers.map((writer) =>
      writer.commit().then(
        () => 'created',
        (error: { code: string }) => error.code,
      ),
    );
    const puts = [6, 7].map((n) => store.put('packs/aa/one', bytes(`writer ${n}`), { ifAbsent: true }));
    const outcomes = await Promise.all([...commits, ...puts]);
    for (const writer of writers) await writer.abort();
    expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1);
    expect(outcomes.filter((outcome) => !['created', 'existed', 'REPO_OBJECT_EXISTS'].includes(outcome))).toEqual([]);
    expect(text(await store.get('packs/aa/one'))).toBe(`writer ${outcomes.indexOf('created')}`);
    expect(await keysOf(store, '')).toEqual(['packs/aa/one']);
  });
}
