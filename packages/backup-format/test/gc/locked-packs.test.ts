import { FakeClock } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { createRepository, memoryStore, type ObjectStore, openRepository, RepositoryError } from '../../src/index.ts';
import { faultyStore, keysOf, startS3Fake } from '../../testing/index.ts';
import { storeOn } from '../support/s3.ts';
import { BLOCK } from '../support/small-vm.ts';
import { backUp, expectWhole, forget, NOW, noiseDisk, packsOf } from './garbage.ts';

const DAY_MS = 86_400_000;
const LOCK = { days: 30, mode: 'compliance' } as const;

/** A run that stores everything but its manifest: what it stored is garbage, and as new as can be. */
async function garbage(store: ObjectStore, clock: FakeClock, seeds: readonly number[]): Promise<void> {
  const error = new RepositoryError({ code: 'REPO_STORE_FAILED', message: 'refused' });
  const failing = faultyStore(store, ({ kind, key }) => (kind === 'put' && key.startsWith('points/') ? { when: 'before', error } : undefined));
  await expect(backUp(await openRepository(failing, { clock }), noiseDisk(seeds))).rejects.toBe(error);
}

describe('a garbage collection in a bucket with Object Lock', () => {
  it('deletes what is not locked any more, names what is, and deletes that when its lock has ended', async () => {
    await using fake = await startS3Fake();
    fake.makeBucket('vault', { objectLock: true });
    const startMs = Date.now();
    const clock = new FakeClock({ startMs });
    const first = storeOn(fake, { lock: LOCK }, { clock: new FakeClock({ startMs, auto: true }) });
    const repository = await createRepository(first, { blockSizeBytes: BLOCK }, { clock });
    const gone = await backUp(repository, noiseDisk([1, 2, 3]));
    const kept = await backUp(repository, noiseDisk([4, 5]));
    await expect(repository.forgetPoint(gone.id)).rejects.toMatchObject({ code: 'REPO_OBJECT_LOCKED' });
    expect(await keysOf(first, 'marks/')).toEqual([]);

    fake.aheadMs += 31 * DAY_MS;
    const later = storeOn(fake, { lock: LOCK }, { clock: new FakeClock({ startMs: startMs + 31 * DAY_MS, auto: true }) });
    await keysOf(later, 'gc/'); // the client learns the time of the server from an answer with a body
    const reopened = await openRepository(later, { clock });
    await forget(reopened, gone);
    await garbage(later, clock, [6, 7, 8]);
    await expect(reopened.collectGarbage(NOW)).resolves.toMatchObject({ condemned: { packs: 4 }, locked: { packs: 0, keys: [] } });
    const before = await packsOf(later);
    const report = await reopened.collectGarbage(NOW);
    expect(report).toMatchObject({
      deleted: { packs: 2 },
      locked: { packs: 2, keys: [expect.stringMatching(/^packs\//), expect.any(String)] },
      waiting: { packs: 2 },
      kept: [],
    });
    expect(Math.abs(Date.parse(report.locked.until ?? '') - startMs - 61 * DAY_MS)).toBeLessThan(60_000);
    expect(await packsOf(later)).toHaveLength(before.length - 2);
    await expect(reopened.collectGarbage(NOW)).resolves.toMatchObject({ deleted: { packs: 0 }, locked: { packs: 2 }, waiting: { packs: 2 } });

    fake.aheadMs += 31 * DAY_MS;
    await expect(reopened.collectGarbage(NOW)).resolves.toMatchObject({ deleted: { packs: 2 }, locked: { packs: 0 }, waiting: { packs: 0 } });
    await expectWhole({ store: later, clock }, new Map([[kept.id, noiseDisk([4, 5])]]));
  });
});

describe('index tables that are locked, as a version before made them', () => {
  it('do not become more by being merged again and again, and keep nothing from working', async () => {
    const inner = memoryStore();
    const clock = new FakeClock();
    await createRepository(inner, { blockSizeBytes: BLOCK }, { clock });
    const locked = new Set<string>();
    const store = faultyStore(inner, ({ kind, key }) => {
      if (kind !== 'delete' || !locked.has(key)) return undefined;
      return { when: 'before', error: new RepositoryError({ code: 'REPO_OBJECT_LOCKED', message: `${key} is locked`, details: { key } }) };
    });
    const repository = await openRepository(store, { clock });
    const expected = new Map<string, Uint8Array>();
    for (let run = 0; run < 4; run++) {
      clock.advance(1000);
      expected.set((await backUp(repository, noiseDisk([run + 1]), undefined, `vm-${run}`)).id, noiseDisk([run + 1]));
      for (const key of await keysOf(inner, 'index/')) locked.add(key);
    }
    const before = (await keysOf(inner, 'index/')).length;
    for (let run = 0; run < 3; run++) {
      clock.advance(1000);
      expected.set((await backUp(repository, noiseDisk([run + 10]), undefined, 'vm-9')).id, noiseDisk([run + 10]));
    }
    expect((await keysOf(inner, 'index/')).length).toBeLessThanOrEqual(before + 4);
    const [first = ''] = expected.keys();
    await repository.forgetPoint(first, { evenLast: true });
    expected.delete(first);
    await repository.collectGarbage(NOW);
    const report = await repository.collectGarbage(NOW);
    expect(report).toMatchObject({ deleted: { packs: 0 }, kept: ['locked-tables'] });
    locked.clear();
    expect((await repository.collectGarbage(NOW)).deleted.packs).toBeGreaterThan(0);
    await expectWhole({ store: inner, clock }, expected);
  });
});
