import { seededRandom } from '@onevault/base/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isRepositoryError } from '../src/index.ts';
import { readDisk, type S3Fake, type S3FakeRequest, startS3Fake } from '../testing/index.ts';
import { runVerify } from './support/run-verify.ts';
import { storeOn } from './support/s3.ts';
import { allPoints, BLOCK, backup, makeDisk, newRepository, reopen } from './support/small-vm.ts';

const before = makeDisk(1, 12);
const after = (() => {
  const disk = before.slice();
  disk.set(makeDisk(2, 3), 5 * BLOCK);
  return disk;
})();
const large = seededRandom(3).bytes(20 * 1024 * 1024);

let fake: S3Fake;
let bucket: ReturnType<S3Fake['makeBucket']>;

beforeEach(async () => {
  fake = await startS3Fake();
});
afterEach(() => fake[Symbol.asyncDispose]());

async function newBucketWithOnePoint(): Promise<void> {
  fake.faults = () => undefined;
  bucket = fake.makeBucket('vault');
  await using repository = await newRepository(storeOn(fake));
  await backup(repository, before);
}

/** An incremental of `disk`, and how it ended. */
async function run(disk: Uint8Array): Promise<unknown> {
  try {
    await using repository = await reopen(storeOn(fake));
    const [first] = await allPoints(repository);
    if (!first) throw new Error('the first point is gone');
    await backup(repository, disk, { parent: await repository.openDisk(first, 'disk-0') });
    return undefined;
  } catch (error) {
    return error;
  }
}

/** I2, I3: what was committed restores; the point under way is there whole or not at all; the next backup works; nothing half uploaded stays. */
async function expectIntact(disk: Uint8Array, where: string): Promise<void> {
  await using repository = await reopen(storeOn(fake));
  const points = await allPoints(repository);
  expect([1, 2], where).toContain(points.length);
  for (const [n, point] of points.entries())
    expect(Buffer.compare(await readDisk(await repository.openDisk(point, 'disk-0')), n === 0 ? before : disk), where).toBe(0);
  expect((await runVerify(repository)).damage, where).toEqual([]);
  const next = await backup(repository, disk);
  expect(Buffer.compare(await readDisk(await repository.openDisk(next, 'disk-0')), disk), where).toBe(0);
  expect(bucket.uploads(), where).toEqual([]);
}

interface Outage {
  readonly code: string;
  begin(request: S3FakeRequest): ReturnType<S3Fake['faults']>;
  end(): void;
}

const OUTAGES: readonly (readonly [string, () => Outage])[] = [
  [
    'a bucket that vanishes and returns',
    () => ({
      code: 'REPO_BUCKET_MISSING',
      begin: () => {
        fake.vanish('vault');
        return undefined;
      },
      end: () => fake.comeBack('vault'),
    }),
  ],
  [
    'a storm of 503 that does not end in time',
    () => ({ code: 'REPO_STORE_FAILED', begin: () => ({ kind: 'refuse', status: 503, code: 'SlowDown' }), end: () => undefined }),
  ],
  ['a network that is gone', () => ({ code: 'REPO_UNREACHABLE', begin: () => ({ kind: 'reset', effect: false }), end: () => undefined })],
];

describe.each(OUTAGES)('%s', (_, makeOutage) => {
  it('early, late or in the middle of a backup harms no committed point, says what it was, and the next backup works', async () => {
    // Close together at the beginning, wider later: 1, 2, 4, 6, 9, 13, 19, 28, …
    for (let n = 1; ; n += Math.ceil(n / 2)) {
      await newBucketWithOnePoint();
      const outage = makeOutage();
      const from = fake.requests.length + n;
      let struck = false;
      fake.faults = (request) => {
        if (request.n < from) return undefined;
        struck = true;
        return outage.begin(request);
      };
      const failure = await run(after);
      fake.faults = () => undefined;
      outage.end();
      if (!struck) {
        expect(failure).toBeUndefined();
        expect(n).toBeGreaterThan(8);
        return;
      }
      if (failure !== undefined && !isRepositoryError(failure, 'REPO_LOCK_LOST'))
        expect(failure, `from request ${n} on`).toMatchObject({ code: outage.code, hint: expect.anything() });
      await expectIntact(after, `from request ${n} on`);
    }
  }, 60_000);
});

it.each(['CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload'] as const)(
  'a bucket that vanishes at %s and returns: no committed point is harmed, and nothing half uploaded stays',
  async (operation) => {
    await newBucketWithOnePoint();
    let gone = false;
    fake.faults = (request) => {
      if (request.operation === operation && !gone) {
        gone = true;
        fake.vanish('vault');
      }
      return undefined;
    };
    expect(await run(large)).toMatchObject({ code: 'REPO_BUCKET_MISSING' });
    fake.comeBack('vault');
    await storeOn(fake).sweepTemporaries?.({ olderThanMs: 0 });
    await expectIntact(large, operation);
  },
  60_000,
);

it('a storm of 503 that passes costs time and nothing else', async () => {
  await newBucketWithOnePoint();
  const random = seededRandom(7);
  fake.faults = () => (random.next() < 0.4 ? { kind: 'refuse', status: 503, code: 'SlowDown' } : undefined);
  expect(await run(after)).toBeUndefined();
  fake.faults = () => undefined;
  await expectIntact(after, 'after the storm');
});
