import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryStore, RepositoryError } from '@onevault/backup-format';
import { faultyStore } from '@onevault/backup-format/testing';
import { silentLogger } from '@onevault/base';
import { FakeClock } from '@onevault/base/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decorateStore } from '../../src/store/decorate-store.ts';
import { type StoreTraffic, UNLIMITED } from '../../src/store/traffic.ts';

const range = { offset: 0, length: 1000 };
let path: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'onevault-traffic-'));
});
afterEach(() => rm(path, { recursive: true }));

function traffic(limits: Partial<StoreTraffic> = {}): StoreTraffic {
  return { ...UNLIMITED, cache: { path, maxBytes: 32 * 1024 * 1024 }, ...limits };
}

function deps() {
  return { clock: new FakeClock({ auto: true }), logger: silentLogger, random: () => 0.5 };
}

describe('a store as commands use it', () => {
  test('waits for the limits, and repeats what failed', async () => {
    const busy = new RepositoryError({ code: 'REPO_STORE_FAILED', message: 'busy', retryable: true });
    const inner = faultyStore(memoryStore(), ({ n, writes }) => (writes && n === 1 ? { when: 'before', error: busy } : undefined));
    const { clock, logger } = deps();
    const store = decorateStore(inner, 'file', traffic({ uploadBytesPerSecond: 100 }), { cached: true }, { clock, logger, random: () => 0.5 });
    await store.put('one', new Uint8Array(1000));
    await store.put('two', new Uint8Array(1));
    expect(clock.monotonicMs()).toBeGreaterThan(19_000); // 1000 bytes, sent twice
    expect(await readdir(path)).toEqual([]);
  });

  test('caches the reads of a bucket for those who may have them cached', async () => {
    const inner = faultyStore(memoryStore(), () => undefined);
    await inner.put('index/one', new Uint8Array(1000));
    for (const [cached, reads] of [
      [true, 1 + 1 + 1], // its size is asked again by the second store
      [false, 2],
    ] as const) {
      const before = inner.reads;
      for (let n = 0; n < 2; n++) await decorateStore(inner, 's3', traffic(), { cached }, deps()).get('index/one', { range });
      expect(inner.reads - before).toBe(reads);
    }
    expect(await readdir(path)).not.toEqual([]);
  });
});
