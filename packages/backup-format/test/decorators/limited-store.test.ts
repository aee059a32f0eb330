import { FakeClock } from '@onevault/base/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limitedStore, memoryStore } from '../../src/index.ts';
import { TokenBucket } from '../../src/store/decorators/token-bucket.ts';
import { faultyStore, gate, keysOf } from '../../testing/index.ts';

const KIB = 1024;

async function turns(count = 20): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise((resolve) => setImmediate(resolve));
}

describe('a limited store', () => {
  it('keeps uploads and downloads to their rates, each to its own', async () => {
    const clock = new FakeClock({ auto: true });
    const store = limitedStore(memoryStore(), { uploadBytesPerSecond: 100 * KIB, downloadBytesPerSecond: 400 * KIB }, { clock });
    const writer = await store.create('packs/aa/one');
    for (let n = 0; n < 40; n++) await writer.write([new Uint8Array(25 * KIB)]);
    await writer.commit();
    const uploadedMs = clock.monotonicMs();
    expect(uploadedMs).toBeGreaterThan(9_000); // 1000 KiB, less the burst and the last piece
    expect(uploadedMs).toBeLessThan(10_100);
    for (let n = 0; n < 10; n++) await store.get('packs/aa/one', { range: { offset: 0, length: 100 * KIB } });
    expect(clock.monotonicMs() - uploadedMs).toBeGreaterThan(1_900);
    expect(clock.monotonicMs() - uploadedMs).toBeLessThan(2_600);
  });

  it('counts a whole object that was read by what came, and nothing for one that is not there', async () => {
    const clock = new FakeClock({ auto: true });
    const store = limitedStore(memoryStore(), { downloadBytesPerSecond: 100 * KIB }, { clock });
    await store.put('one', new Uint8Array(200 * KIB));
    await store.get('one');
    expect(clock.monotonicMs()).toBe(0); // passes at once, and is owed
    await store.get('one', { range: { offset: 0, length: 1 } });
    expect(clock.monotonicMs()).toBe(1_750);
    for (let n = 0; n < 5; n++)
      await expect(store.get('two', { range: { offset: 0, length: 100 * KIB } })).rejects.toMatchObject({ code: 'REPO_OBJECT_MISSING' });
    expect(clock.monotonicMs()).toBeLessThan(1_760);
  });

  it('keeps requests to their rate', async () => {
    const clock = new FakeClock({ auto: true });
    const store = limitedStore(memoryStore(), { requestsPerSecond: 10 }, { clock });
    for (let n = 0; n < 30; n++) await store.stat('one');
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(2_600);
    expect(clock.monotonicMs()).toBeLessThanOrEqual(3_000);
  });

  it('never has more requests under way than allowed, and starts them in the order asked', async () => {
    const gates = [...Array(9).keys()].map(() => gate());
    const started: string[] = [];
    const inner = faultyStore(memoryStore(), ({ key }) => {
      started.push(key);
      return { when: 'before', until: gates[started.length - 1]?.until ?? Promise.resolve() };
    });
    const store = limitedStore(inner, { concurrentRequests: 3 }, { clock: new FakeClock() });
    const calls = gates.map((_, n) => store.stat(`${n}`));
    for (const [n, { open }] of gates.entries()) {
      await turns();
      expect(started).toHaveLength(Math.min(n + 3, 9));
      open();
    }
    await Promise.all(calls);
    expect(started).toEqual([...Array(9).keys()].map(String));
  });

  it('holds no slot while a listing waits for its reader', async () => {
    const store = limitedStore(memoryStore(), { concurrentRequests: 1 }, { clock: new FakeClock() });
    for (const key of ['a', 'b', 'c']) await store.put(key, Buffer.from(key));
    const read: string[] = [];
    for await (const { key } of store.list('')) read.push(Buffer.from(await store.get(key)).toString());
    expect(read).toEqual(['a', 'b', 'c']);
  });

  it('lets a call be aborted while it waits, which then costs nothing and has no effect', async () => {
    const clock = new FakeClock();
    const store = limitedStore(memoryStore(), { uploadBytesPerSecond: KIB }, { clock });
    await store.put('first', new Uint8Array(10 * KIB));
    const reason = new Error('enough');
    const [sleeping, queued] = [new AbortController(), new AbortController()];
    const puts = [sleeping, queued].map(({ signal }, n) => store.put(`aborted-${n}`, new Uint8Array(10 * KIB), { signal }));
    const last = store.put('last', new Uint8Array(1));
    await turns();
    for (const aborter of [queued, sleeping]) aborter.abort(reason);
    for (const put of puts) await expect(put).rejects.toBe(reason);
    await turns();
    clock.advance(9_750); // what the first one owes
    await turns();
    await last;
    expect(await keysOf(store, '')).toEqual(['first', 'last']);
  });

  it('refuses a limit that would let nothing through', () => {
    for (const limit of [0, -1, Number.NaN]) {
      expect(() => limitedStore(memoryStore(), { uploadBytesPerSecond: limit }, { clock: new FakeClock() })).toThrow(RangeError);
      expect(() => limitedStore(memoryStore(), { concurrentRequests: limit }, { clock: new FakeClock() })).toThrow(RangeError);
    }
  });
});

describe('a token bucket', () => {
  it('lets through, over any time, at most the rate, a quarter of a second more and one request; and never sleeps longer than owed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 10_000 }),
        fc.array(fc.record({ units: fc.nat(20_000), pauseMs: fc.nat(3_000) }), { minLength: 1, maxLength: 30 }),
        async (perSecond, asks) => {
          const clock = new FakeClock({ auto: true });
          const bucket = new TokenBucket(perSecond, clock);
          const passed: { readonly atMs: number; readonly units: number }[] = [];
          for (const { units, pauseMs } of asks) {
            await clock.sleep(pauseMs);
            await bucket.take(units);
            passed.push({ atMs: clock.monotonicMs(), units });
          }
          for (const [from, first] of passed.entries()) {
            let total = 0;
            for (const { atMs, units } of passed.slice(from)) {
              // All but the one that passes last have been paid for by then.
              expect(total).toBeLessThanOrEqual(perSecond * ((atMs - first.atMs) / 1000 + 0.25) + 1e-6);
              total += units;
            }
          }
          const askedUnits = asks.reduce((sum, { units }) => sum + units, 0);
          const pausedMs = asks.reduce((sum, { pauseMs }) => sum + pauseMs, 0);
          expect(clock.monotonicMs()).toBeLessThanOrEqual(pausedMs + (askedUnits / perSecond) * 1000 + asks.length);
        },
      ),
      { numRuns: 100 },
    );
  });
});
