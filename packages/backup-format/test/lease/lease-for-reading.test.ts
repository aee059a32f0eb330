import { FakeClock } from '@onevault/base/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { createRepository, memoryStore, type ObjectStore, openRepository, type Repository, type RestorePoint } from '../../src/index.ts';
import { faultyStore, keysOf, readDisk } from '../../testing/index.ts';
import { backUp, collectAll, forget, NOW, noiseDisk } from '../gc/garbage.ts';
import { runVerify } from '../support/run-verify.ts';
import { BLOCK } from '../support/small-vm.ts';

const MINUTE = 60_000;
const content = noiseDisk([1, 2, 0, 3]);

let store: ObjectStore;
let clock: FakeClock;
let repository: Repository;
let point: RestorePoint;

beforeEach(async () => {
  store = memoryStore();
  clock = new FakeClock();
  repository = await createRepository(store, { blockSizeBytes: BLOCK }, { clock });
  point = await backUp(repository, content);
  await backUp(repository, noiseDisk([9, 8]), undefined, 'vm-2');
});

async function pass(minutes: number): Promise<void> {
  for (let n = 0; n < minutes; n++) {
    clock.advance(MINUTE);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function restored(): Promise<Uint8Array> {
  return readDisk(await repository.openDisk(point, 'd'));
}

describe('I27: a lease for reading', () => {
  it('says who reads what, and is gone when it is given back', async () => {
    {
      await using _lease = await repository.leaseForReading(point, 'serving web');
      await expect(repository.leases()).resolves.toMatchObject([{ kind: 'reader', purpose: 'serving web', pid: process.pid, state: 'held' }]);
    }
    expect(await keysOf(store, 'leases/')).toEqual([]);
  });

  it('keeps a forgotten point readable through any number of collections, for hours, and nothing after that', async () => {
    {
      await using lease = await repository.leaseForReading(point, 'serving');
      await forget(repository, point);
      for (let hour = 0; hour < 3; hour++) {
        await pass(60);
        const report = await repository.collectGarbage(NOW);
        expect(report.deleted.packs).toBe(0);
        expect(report.waitingFor).toMatchObject([{ kind: 'reader', purpose: 'serving' }]);
      }
      expect(Buffer.compare(await restored(), content)).toBe(0);
      expect(lease.signal.aborted).toBe(false);
    }
    await collectAll(repository);
    await expect(restored()).rejects.toMatchObject({ code: 'REPO_CHUNK_MISSING' });
    expect((await runVerify(repository)).damage).toEqual([]);
  });

  it('lets gc delete what others have forgotten', async () => {
    await using _lease = await repository.leaseForReading(point, 'serving');
    const other = await backUp(repository, noiseDisk([20, 21]), undefined, 'vm-3');
    await forget(repository, other);
    await repository.collectGarbage(NOW);
    expect((await repository.collectGarbage(NOW)).deleted.packs).toBeGreaterThan(0);
  });

  it('does not keep a garbage collection waiting while its point is there', async () => {
    await using _lease = await repository.leaseForReading(point, 'serving');
    await repository.collectGarbage({ graceMs: 0, wait: true });
  });

  it('of a server that was killed expires, and the next collection that waits gives its space back', async () => {
    const killed = await (await openRepository(store, { clock: new FakeClock() })).leaseForReading(point, 'killed'); // whose clock stands still from now on
    await forget(repository, point);
    expect((await repository.collectGarbage(NOW)).condemned.packs).toBe(0);
    const watching = repository.collectGarbage({ graceMs: 0, wait: true });
    await pass(13);
    expect((await watching).condemned.packs).toBeGreaterThan(0);
    expect((await repository.collectGarbage(NOW)).deleted.packs).toBeGreaterThan(0);
    expect(await keysOf(store, 'leases/')).toEqual([]);
    await killed[Symbol.asyncDispose]();
  });

  it('of a point that goes at this moment is refused, and leaves nothing', async () => {
    const racing = faultyStore(store, ({ key, kind }) =>
      kind === 'stat' && key.startsWith('points/') ? { when: 'before', until: forget(repository, point) } : undefined,
    );
    const other = await openRepository(racing, { clock });
    await expect(other.leaseForReading(point, 'too late')).rejects.toMatchObject({ code: 'REPO_POINT_NOT_FOUND' });
    expect(await keysOf(store, 'leases/')).toEqual([]);
  });

  it('tells its holder when it is lost', async () => {
    const lease = await repository.leaseForReading(point, 'serving');
    const [held] = await repository.leases();
    await repository.unlock({ force: [held?.id ?? ''] });
    await pass(3);
    expect(lease.signal.reason).toMatchObject({ code: 'REPO_LOCK_LOST' });
    await lease[Symbol.asyncDispose]();
  });
});
