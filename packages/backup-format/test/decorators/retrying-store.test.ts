import type { Clock } from '@onevault/base';
import { FakeClock } from '@onevault/base/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryStore, type ObjectStore, RepositoryError, retryingStore } from '../../src/index.ts';
import { WrittenTail } from '../../src/store/decorators/written-tail.ts';
import { type Fault, type FaultyStore, faultyStore, keysOf, type Operation } from '../../testing/index.ts';

const busy = new RepositoryError({ code: 'REPO_STORE_FAILED', message: 'slow down', retryable: true });
const broken = new RepositoryError({ code: 'REPO_STORE_FAILED', message: 'broken for good' });
const policy = { attempts: 4, firstDelayMs: 100, maxDelayMs: 250 };

function retrying(inner: ObjectStore, clock: Clock = new FakeClock({ auto: true })): ObjectStore {
  return retryingStore(inner, { clock, random: () => 1 }, policy);
}

/** The faults in turn for operations of one kind, then none. */
function inTurn(kind: Operation['kind'], ...faults: Fault[]): (operation: Operation) => Fault {
  return (operation) => (operation.kind === kind ? faults.shift() : undefined);
}

const lost = { when: 'after', error: busy } as const;
const refused = { when: 'before', error: busy } as const;

describe('a retrying store', () => {
  it('repeats what is retryable with growing delays, and gives up with the last error', async () => {
    const clock = new FakeClock({ auto: true });
    const inner = faultyStore(memoryStore(), inTurn('get', refused, refused, refused, refused));
    await expect(retrying(inner, clock).get('one')).rejects.toBe(busy);
    expect(inner.reads).toBe(policy.attempts);
    expect(clock.monotonicMs()).toBe(100 + 200 + 250);
  });

  it('does not repeat what will not get better', async () => {
    const inner = faultyStore(memoryStore(), inTurn('get', { when: 'before', error: broken }));
    await expect(retrying(inner).get('one')).rejects.toBe(broken);
    await expect(retrying(inner).get('absent')).rejects.toMatchObject({ code: 'REPO_OBJECT_MISSING' });
    expect(inner.reads).toBe(2);
  });

  it('stops waiting when it is aborted', async () => {
    const aborter = new AbortController();
    const reading = retrying(faultyStore(memoryStore(), inTurn('get', refused)), new FakeClock()).get('one', { signal: aborter.signal });
    await new Promise((resolve) => setImmediate(resolve));
    const reason = new Error('enough');
    aborter.abort(reason);
    await expect(reading).rejects.toBe(reason);
  });

  it('knows its own object again after the answer to an exclusive put was lost', async () => {
    const inner = memoryStore();
    const store = retrying(faultyStore(inner, inTurn('put', lost)));
    expect(await store.put('points/g/one', Buffer.from('mine'), { ifAbsent: true })).toBe('created');
  });

  it('does not take an object of the same length for its own', async () => {
    const inner = memoryStore();
    await inner.put('leases/one', Buffer.from('their'));
    const store = retrying(faultyStore(inner, inTurn('put', refused)));
    expect(await store.put('leases/one', Buffer.from('mine!'), { ifAbsent: true })).toBe('existed');
    expect(Buffer.from(await inner.get('leases/one')).toString()).toBe('their');
  });

  it('believes an answer that was not lost, also when the bytes are the same', async () => {
    const inner = memoryStore();
    await inner.put('leases/one', Buffer.from('same'));
    expect(await retrying(inner).put('leases/one', Buffer.from('same'), { ifAbsent: true })).toBe('existed');
  });

  it('judges a commit whose answer was lost by what is there', async () => {
    const inner = memoryStore();
    const body = Buffer.alloc(100_000, 'pack');
    const writer = await retrying(faultyStore(inner, inTurn('commit', lost))).create('packs/aa/one');
    await writer.write([body]);
    await writer.commit();
    expect(Buffer.compare(await inner.get('packs/aa/one'), body)).toBe(0);
  });

  it('fails with a commit that did not happen, and with one where another object lies', async () => {
    for (const there of [undefined, Buffer.from('their')]) {
      const inner = memoryStore();
      const writer = await retrying(faultyStore(inner, inTurn('commit', refused))).create('packs/aa/one');
      await writer.write([Buffer.from('mine!')]);
      if (there) await inner.put('packs/aa/one', there);
      await expect(writer.commit()).rejects.toBe(busy);
      await writer.abort();
    }
  });

  it('does not repeat a write, which may have been done in part', async () => {
    const inner = faultyStore(memoryStore(), inTurn('write', lost));
    const writer = await retrying(inner).create('packs/aa/one');
    await expect(writer.write([Buffer.from('x')])).rejects.toBe(busy);
    expect(inner.writes).toBe(2);
    await writer.abort();
    expect(await keysOf(inner, '')).toEqual([]);
  });

  it('goes on with a listing after the last key it gave out: each key once, none left out', async () => {
    const inner = memoryStore();
    for (let n = 10; n < 40; n++) await inner.put(`d/${n}`, Buffer.from('x'));
    const faults: Fault[] = [3, 0, 11, 29, 12].map((listed) => ({ when: 'midway', listed, error: busy }));
    const store = retrying(faultyStore(inner, inTurn('list', ...faults, { when: 'after', error: busy })));
    expect(await keysOf(store, 'd/')).toEqual(await keysOf(inner, 'd/'));
  });

  it('fails a listing that stays broken, instead of ending it', async () => {
    const inner = memoryStore();
    for (let n = 10; n < 20; n++) await inner.put(`d/${n}`, Buffer.from('x'));
    const broken: FaultyStore = faultyStore(inner, () => ({ when: 'midway', listed: 5, error: busy }));
    await expect(keysOf(retrying(broken), 'd/')).rejects.toBe(busy);
    expect(broken.reads).toBe(policy.attempts);
  });
});

describe('what is remembered of a written object', () => {
  it('is its length and its last 4 KiB, however it was cut', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(5000), { maxLength: 4 }), { maxLength: 8 }), (writes) => {
        const tail = new WrittenTail();
        const all: Buffer[] = [];
        for (const [n, lengths] of writes.entries()) {
          const parts = lengths.map((length, i) => Buffer.alloc(length, 1 + ((n * 7 + i) % 255)));
          all.push(...parts.map((part) => Buffer.from(part)));
          tail.add(parts);
          for (const part of parts) part.fill(0); // the caller's again
        }
        const whole = Buffer.concat(all);
        expect(tail.totalBytes).toBe(whole.length);
        expect(Buffer.compare(tail.bytes, whole.subarray(Math.max(0, whole.length - 4096)))).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
