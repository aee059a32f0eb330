import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../src/index.ts';
import { type S3Fake, startS3Fake } from '../testing/index.ts';
import { storeOn } from './support/s3.ts';

const DAY_MS = 86_400_000;
const body = Buffer.from('x');
let fake: S3Fake;
let bucket: ReturnType<S3Fake['makeBucket']>;
let store: ObjectStore;

beforeEach(async () => {
  fake = await startS3Fake({ pageSize: 2 });
  bucket = fake.makeBucket('vault', { objectLock: true });
  store = storeOn(fake, { lock: { days: 30, mode: 'compliance' } });
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await fake[Symbol.asyncDispose]();
});

describe('with Object Lock', () => {
  it('what a restore needs is locked for the days asked for; leases, records of work, and tables that can be made again, are not', async () => {
    const locked = ['onevault.json', 'packs/aa/one', 'points/g/one.json', 'keys/one'];
    const free = ['index/one', 'leases/one', 'marks/one', 'verify/one', 'gc/one'];
    for (const key of [...locked, ...free]) await store.put(key, body, { ifAbsent: true });
    for (const key of locked) {
      const { lockMode, retainUntil } = bucket.find(key, undefined);
      expect(lockMode).toBe('COMPLIANCE');
      expect(Math.abs(Date.parse(retainUntil ?? '') - Date.now() - 30 * DAY_MS)).toBeLessThan(60_000);
    }
    for (const key of free) expect(bucket.find(key, undefined).lockMode).toBeUndefined();
  });

  it('an object written in parts is locked from its first moment', async () => {
    const writer = await store.create('packs/aa/one');
    await writer.write([Buffer.alloc(9 * 1024 * 1024)]);
    await writer.commit();
    expect(bucket.find('packs/aa/one', undefined).lockMode).toBe('COMPLIANCE');
  });

  it('also by a server that forgets the lock of an upload, as Ceph 16 does', async () => {
    await using forgetful = await startS3Fake({ locksUploads: false });
    const there = forgetful.makeBucket('vault', { objectLock: true });
    const writer = await storeOn(forgetful, { lock: { days: 30, mode: 'governance' } }).create('packs/aa/one');
    await writer.write([Buffer.alloc(9 * 1024 * 1024)]);
    await writer.commit();
    expect(there.find('packs/aa/one', undefined)).toMatchObject({ lockMode: 'GOVERNANCE', retainUntil: expect.stringMatching(/^\d{4}-/) });
  });

  it('a deletion is refused and says until when; the object stays', async () => {
    await store.put('packs/aa/one', body);
    const { retainUntil = '' } = bucket.find('packs/aa/one', undefined);
    await expect(store.delete('packs/aa/one')).rejects.toMatchObject({
      code: 'REPO_OBJECT_LOCKED',
      retryable: false,
      message: expect.stringContaining(new Date(retainUntil).toISOString()),
      details: { key: 'packs/aa/one', until: new Date(retainUntil).toISOString() },
    });
    expect(await store.stat('packs/aa/one')).toEqual({ key: 'packs/aa/one', sizeBytes: 1 });
  });

  it('after that time it is deleted with every older version, so that nothing comes to light and nothing is paid for', async () => {
    for (let n = 0; n < 5; n++) await store.put('packs/aa/one', Buffer.from(String(n)));
    await store.put('packs/aa/one-more', body);
    expect(bucket.versions('packs/aa/one')).toHaveLength(6);
    fake.aheadMs += 31 * DAY_MS;
    await store.delete('packs/aa/one');
    expect(bucket.versions('packs/aa/one').map(({ key }) => key)).toEqual(['packs/aa/one-more']);
    await store.delete('packs/aa/one');
  });

  it('a deletion that a right is missing for is that, and no lock', async () => {
    await store.put('leases/one', body);
    fake.faults = ({ operation }) => (operation === 'DeleteObject' ? { kind: 'refuse', status: 403, code: 'AccessDenied' } : undefined);
    await expect(store.delete('leases/one')).rejects.toMatchObject({ code: 'REPO_ACCESS_DENIED' });
  });

  it('leases come and go while everything else is locked', async () => {
    for (let n = 0; n < 3; n++) {
      expect(await store.put('leases/one', body, { ifAbsent: true })).toBe('created');
      await store.delete('leases/one');
    }
    expect(bucket.versions('leases/')).toEqual([]);
  });

  it('a bucket without it refuses the first write, and says what it lacks', async () => {
    fake.makeBucket('vault');
    await expect(store.put('onevault.json', body, { ifAbsent: true })).rejects.toMatchObject({
      code: 'REPO_STORE_FAILED',
      message: expect.stringContaining('Object Lock'),
    });
  });
});
