import { seededRandom } from '@onevault/base/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../src/index.ts';
import { gate, keysOf, type S3Fake, type S3FakeOptions, type S3FakeRequest, type S3Fault, startS3Fake } from '../testing/index.ts';
import { storeOn } from './support/s3.ts';

const MIB = 1024 * 1024;
const RECORD = '.onevault-s3.json';
const large = seededRandom(1).bytes(17 * MIB + 11);

let fake: S3Fake;
let bucket: ReturnType<S3Fake['makeBucket']>;
let store: ObjectStore;

async function start(options: S3FakeOptions = {}): Promise<void> {
  fake = await startS3Fake(options);
  bucket = fake.makeBucket('vault');
  store = storeOn(fake);
}

beforeEach(() => start());
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await fake[Symbol.asyncDispose]();
});

/** The fault on the first `times` requests of this operation. */
function failing(operation: S3FakeRequest['operation'], fault: S3Fault, times = 1): void {
  let left = times;
  fake.faults = (request) => (request.operation === operation && !request.key.includes('.probe') && left-- > 0 ? fault : undefined);
}

const asked = (operation: S3FakeRequest['operation']): number => fake.requests.filter((request) => request.operation === operation).length;
const bytes = (content: string): Uint8Array => Buffer.from(content);
const BUSY: S3Fault = { kind: 'refuse', status: 503, code: 'SlowDown' };
const LOST: S3Fault = { kind: 'reset', effect: true };

async function write(key: string, body: Uint8Array): Promise<void> {
  const writer = await store.create(key);
  try {
    await writer.write([body]);
    await writer.commit();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

describe('conditional writes', () => {
  it('are tried at the first exclusive write and recorded; whoever comes later reads the record', async () => {
    await store.put('onevault.json', bytes('{}'), { ifAbsent: true });
    expect(bucket.current(RECORD)?.body?.toString()).toBe('{"conditionalComplete":true,"conditionalPut":true,"version":1}\n');
    expect(bucket.keys()).toEqual([RECORD, 'onevault.json']);
    expect(await keysOf(store, '')).toEqual(['onevault.json']);
    const before = fake.requests.length;
    await storeOn(fake).put('points/one', bytes('x'), { ifAbsent: true });
    expect(fake.requests.slice(before).map(({ operation }) => operation)).toEqual(['GetObject', 'PutObject']);
  });

  it.each([
    ['ignored', 'ignored', false, false],
    ['unknown', 'unknown', false, false],
    ['enforced', 'ignored', true, false],
    ['enforced', 'enforced', true, true],
  ] as const)(
    'by a server where they are %s, and %s when an upload ends, are recorded as %s and %s',
    async (conditionalPut, conditionalComplete, put, complete) => {
      await fake[Symbol.asyncDispose]();
      await start({ conditionalPut, conditionalComplete });
      await store.put('onevault.json', bytes('{}'), { ifAbsent: true });
      expect(JSON.parse(bucket.current(RECORD)?.body?.toString() ?? '')).toEqual({ conditionalPut: put, conditionalComplete: complete, version: 1 });
      expect(bucket.keys()).toHaveLength(2);
      expect(bucket.uploads()).toEqual([]);
    },
  );

  it('leave nothing behind when they are stopped while the server is at work on the trial: what is sent is waited for', async () => {
    const stop = new AbortController();
    const seen = gate();
    const goOn = gate();
    fake.faults = ({ operation, key }) => {
      if (operation === 'DeleteObject') goOn.open(); // too early: the put comes after it
      if (operation !== 'PutObject' || !key.includes('.probe')) return undefined;
      seen.open();
      return { kind: 'late', after: goOn.until };
    };
    const put = expect(store.put('onevault.json', bytes('{}'), { ifAbsent: true, signal: stop.signal })).rejects.toThrow('told to stop');
    await seen.until;
    stop.abort(new Error('told to stop'));
    for (let round = 0; round < 5; round++) await keysOf(storeOn(fake), ''); // time enough to take the trial away
    goOn.open();
    await put;
    expect(bucket.keys()).toEqual([]);
  });

  it.each(['', '{', '{"version":2}', 'x'.repeat(5000)])('are tried again when the record says %j', async (damaged) => {
    bucket.put(RECORD, Buffer.from(damaged), { metadata: {} });
    expect(await store.put('one', bytes('x'), { ifAbsent: true })).toBe('created');
    expect(bucket.current(RECORD)?.body?.toString()).toContain('"conditionalPut":true');
  });
});

describe('an answer that is lost', () => {
  beforeEach(async () => void (await store.put('onevault.json', bytes('{}'), { ifAbsent: true })));

  it('to an exclusive put: the repeated put finds its own object and counts as the one that created it', async () => {
    failing('PutObject', LOST);
    expect(await store.put('one', bytes('mine'), { ifAbsent: true })).toBe('created');
    expect(asked('HeadObject')).toBe(1);
  });

  it('to an exclusive put whose key another writer holds: it existed', async () => {
    await store.put('one', bytes('first'), { ifAbsent: true });
    failing('PutObject', LOST);
    expect(await store.put('one', bytes('second'), { ifAbsent: true })).toBe('existed');
    expect(Buffer.from(await store.get('one')).toString()).toBe('first');
  });

  it('to the end of an upload: the object is there, and committed', async () => {
    failing('CompleteMultipartUpload', LOST);
    await write('packs/aa/one', large);
    expect(bucket.current('packs/aa/one')?.body?.equals(large)).toBe(true);
    expect(bucket.uploads()).toEqual([]);
  });

  it('to the begin of an upload: the one that nobody knows of is removed too, committed or not', async () => {
    failing('CreateMultipartUpload', LOST);
    await write('packs/aa/one', large);
    expect(bucket.uploads()).toEqual([]);
    failing('CreateMultipartUpload', LOST);
    const writer = await store.create('packs/aa/two');
    await writer.write([large]);
    await writer.abort();
    expect(bucket.uploads()).toEqual([]);
    expect(bucket.keys('packs/')).toEqual(['packs/aa/one']);
  });
});

describe('a large object', () => {
  it('goes in parts of 8 MiB with their checksums, and a small one as a whole', async () => {
    await write('packs/aa/large', large);
    await write('packs/aa/small', large.subarray(0, 8 * MIB));
    expect(asked('UploadPart') - asked('CreateMultipartUpload')).toBe(3 + 1 - 2); // the probe had one upload with one part
    expect(bucket.current('packs/aa/large')?.body?.equals(large)).toBe(true);
    expect(bucket.current('packs/aa/small')?.body?.length).toBe(8 * MIB);
  });

  it('whose part is refused fails as what it is, and leaves no upload', async () => {
    failing('UploadPart', { kind: 'refuse', status: 403, code: 'AccessDenied' }, 99);
    await expect(write('packs/aa/one', large)).rejects.toMatchObject({ code: 'REPO_ACCESS_DENIED', retryable: false });
    expect(bucket.uploads()).toEqual([]);
    expect(bucket.keys('packs/')).toEqual([]);
  });

  it('survives parts that are damaged or cut on their way', async () => {
    failing('UploadPart', { kind: 'refuse', status: 400, code: 'BadDigest' }, 3);
    await write('packs/aa/one', large);
    expect(bucket.current('packs/aa/one')?.body?.equals(large)).toBe(true);
  });

  it('that is aborted while parts hang is given up at once', async () => {
    const reason = new Error('enough');
    const aborter = new AbortController();
    failing('UploadPart', { kind: 'stall' }, 99);
    const writer = await store.create('packs/aa/one');
    await writer.write([large]);
    const commit = writer.commit({ signal: aborter.signal });
    aborter.abort(reason);
    await expect(commit).rejects.toBe(reason);
    await writer.abort();
    expect(bucket.uploads()).toEqual([]);
  });

  it('that cannot be cleaned up does not hide why it failed', async () => {
    fake.faults = ({ operation, key }) =>
      !key.includes('.probe') && (operation === 'UploadPart' || operation === 'AbortMultipartUpload')
        ? { kind: 'refuse', status: 403, code: 'AccessDenied' }
        : undefined;
    await expect(write('packs/aa/one', large)).rejects.toMatchObject({ code: 'REPO_ACCESS_DENIED' });
    fake.faults = () => undefined;
    expect(bucket.uploads()).toHaveLength(1);
    expect(await store.sweepTemporaries?.({ olderThanMs: 86_400_000 })).toMatchObject({ removed: 0, kept: 1 });
    fake.aheadMs += 90_000_000;
    expect(await store.sweepTemporaries?.({ olderThanMs: 86_400_000 })).toMatchObject({ removed: 1, kept: 0 });
    expect(bucket.uploads()).toEqual([]);
  });
});

describe('a read', () => {
  beforeEach(async () => void (await store.put('one', large)));

  it.each<[string, S3Fault]>([
    ['cut short', { kind: 'truncate', bytes: 1000 }],
    ['empty', { kind: 'truncate', bytes: 0 }],
    ['reset', { kind: 'reset', effect: false }],
    ['a page of a proxy', { kind: 'page', status: 502, text: '<html><body>Bad Gateway</body></html>' }],
    ['busy', BUSY],
    ['too many requests', { kind: 'refuse', status: 429, code: 'TooManyRequests' }],
  ])('whose answer is %s is repeated, and never answers anything else than the bytes', async (_, fault) => {
    failing('GetObject', fault, 2);
    expect(Buffer.compare(await store.get('one', { range: { offset: 5, length: 70_000 } }), large.subarray(5, 70_005))).toBe(0);
    failing('GetObject', fault, 2);
    expect(Buffer.compare(await store.get('one'), large)).toBe(0);
  });

  it('that is always cut short fails, and says that it may be tried later', async () => {
    failing('GetObject', { kind: 'truncate', bytes: 10 }, 99);
    await expect(store.get('one')).rejects.toMatchObject({ code: expect.stringMatching(/^REPO_(STORE_FAILED|UNREACHABLE)$/), retryable: true });
    expect(asked('GetObject')).toBe(10);
  });

  it('that is not answered is given up after a while, and repeated', async () => {
    const patient = storeOn(fake, { idleTimeoutMs: 150 });
    failing('GetObject', { kind: 'stall' });
    expect(Buffer.compare(await patient.get('one', { range: { offset: 0, length: 10 } }), large.subarray(0, 10))).toBe(0);
    await patient[Symbol.asyncDispose]();
  });

  it('that is aborted while it hangs rejects with the reason', async () => {
    const reason = new Error('enough');
    const aborter = new AbortController();
    failing('GetObject', { kind: 'stall' });
    const read = store.get('one', { signal: aborter.signal });
    setImmediate(() => aborter.abort(reason));
    await expect(read).rejects.toBe(reason);
  });
});

describe('a listing', () => {
  const page = (contents: string): S3Fault => ({ kind: 'page', status: 200, text: `<ListBucketResult>${contents}</ListBucketResult>` });
  const entry = (key: string): string => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`;

  it.each([
    ['ends in the middle', `<IsTruncated>true</IsTruncated>${entry('a')}`],
    ['is not sorted', `<IsTruncated>false</IsTruncated>${entry('b')}${entry('a')}`],
    ['repeats itself', `<IsTruncated>false</IsTruncated>${entry('a')}${entry('a')}`],
    ['lacks sizes', '<IsTruncated>false</IsTruncated><Contents><Key>a</Key></Contents>'],
  ])('that %s is an error, not a short list', async (_, contents) => {
    failing('ListObjectsV2', page(contents), 99);
    await expect(keysOf(store, '')).rejects.toMatchObject({ code: 'REPO_STORE_FAILED' });
  });

  it('that breaks between two pages goes on where it was, or fails', async () => {
    await fake[Symbol.asyncDispose]();
    await start({ pageSize: 3 });
    for (let n = 0; n < 10; n++) bucket.put(`packs/aa/${n}`, Buffer.from('x'), { metadata: {} });
    fake.faults = ({ n }) => (n % 2 === 0 ? BUSY : undefined);
    expect(await keysOf(store, 'packs/')).toHaveLength(10);
    fake.faults = ({ n }) => (n > fake.requests.length - 1 && fake.requests.length > 8 ? BUSY : undefined);
    await expect(keysOf(store, 'packs/')).rejects.toMatchObject({ code: 'REPO_STORE_FAILED', retryable: true });
  });

  it('shows what is foreign under its name, and neither marks of folders nor what begins with a dot', async () => {
    for (const key of ['in/', 'in/.sweep-1', 'in/a+b é&<x>\u0001', 'in/packs/', 'in/packs/one', 'inside', 'other/in/x'])
      bucket.put(key, Buffer.from('x'), { metadata: {} });
    expect(await keysOf(storeOn(fake, { prefix: 'in' }), '')).toEqual(['a+b é&<x>\u0001', 'packs/one']);
  });
});

it('waits longer and longer under a storm of SlowDown, about forty seconds in all, then says that it may be tried later', async () => {
  const { FakeClock } = await import('@onevault/base/testing');
  const clock = new FakeClock({ auto: true });
  const calm = storeOn(fake, {}, { clock });
  await calm.put('one', bytes('x'));
  fake.faults = () => BUSY;
  await expect(calm.put('two', bytes('x'))).rejects.toMatchObject({ code: 'REPO_STORE_FAILED', retryable: true, message: expect.stringContaining('SlowDown') });
  expect(asked('PutObject')).toBe(1 + 10);
  expect(clock.monotonicMs()).toBeGreaterThan(21_000);
  expect(clock.monotonicMs()).toBeLessThan(43_000);
});
