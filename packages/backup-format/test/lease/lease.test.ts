import { FakeClock } from '@onevault/base/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { createRepository, type GcReport, memoryStore, type ObjectStore, openRepository, type Repository, type RestorePointWriter } from '../../src/index.ts';
import { faultyStore, flipBit, keysOf } from '../../testing/index.ts';
import { backUp, forget, NOW, noiseDisk, packsOf } from '../gc/garbage.ts';
import { BLOCK } from '../support/small-vm.ts';

const MINUTE = 60_000;
const SPEC = { group: 'vm-1', runId: 'r', capturedAt: '2026-11-22T19:00:00Z', mode: 'full' } as const;

let store: ObjectStore;
let clock: FakeClock;
let repository: Repository;

beforeEach(async () => {
  store = memoryStore();
  clock = new FakeClock();
  repository = await createRepository(store, { blockSizeBytes: BLOCK }, { clock });
});

/** Time goes by while everybody does what is due. */
async function pass(minutes: number, ...clocks: readonly FakeClock[]): Promise<void> {
  for (let n = 0; n < minutes; n++) {
    for (const one of clocks.length > 0 ? clocks : [clock]) one.advance(MINUTE);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function write(writer: RestorePointWriter, seeds: readonly number[]): Promise<void> {
  const { scanBytes } = await import('../../testing/index.ts');
  await writer.writeDisk({ key: 'd', sizeBytes: seeds.length * BLOCK }, scanBytes(noiseDisk(seeds), { blockSizeBytes: BLOCK, digest: 'blake3' }));
}

describe('I24: a lease', () => {
  it('is there from begin to the end of the scope, says who and what for, and is never changed: a heartbeat is a new object', async () => {
    const seen = new Map<string, string>();
    {
      await using _writer = await repository.begin(SPEC);
      for (let n = 0; n < 5; n++) {
        for (const key of await keysOf(store, 'leases/')) {
          const body = Buffer.from(await store.get(key)).toString();
          expect(seen.get(key) ?? body).toBe(body);
          seen.set(key, body);
        }
        await pass(2);
      }
      expect(seen.size).toBeGreaterThan(3);
      await expect(repository.leases()).resolves.toMatchObject([{ kind: 'writer', pid: process.pid, purpose: 'restore point of vm-1, run r', state: 'held' }]);
    }
    expect(await keysOf(store, 'leases/')).toEqual([]);
  });

  it('of a run that was given to somebody else is ended: it commits nothing, other runs do', async () => {
    await using cutOff = await repository.begin(SPEC);
    await using other = await repository.begin({ ...SPEC, runId: 'r2' });
    await write(cutOff, [1]);
    await write(other, [2]);
    const heir = await openRepository(store, { clock });
    await expect(heir.endRun('vm-1', 'r')).resolves.toBe(1);
    await expect(heir.endRun('vm-1', 'r')).resolves.toBe(0);
    await expect(cutOff.commit({ annotations: {} })).rejects.toMatchObject({ code: 'REPO_LOCK_LOST' });
    const { id } = await other.commit({ annotations: {} });
    expect(await keysOf(store, 'points/')).toEqual([expect.stringContaining(id)]);
  });

  it('that is ended while the manifest is written lets the run take the manifest back', async () => {
    const slow = new Proxy(store, {
      get(target, name) {
        if (name === 'put')
          return async (...put: Parameters<ObjectStore['put']>) => {
            if (put[0].startsWith('points/')) await repository.endRun('vm-1', 'r');
            return target.put(...put);
          };
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
    await using writer = await (await openRepository(slow, { clock })).begin(SPEC);
    await write(writer, [1]);
    await expect(writer.commit({ annotations: {} })).rejects.toMatchObject({ code: 'REPO_LOCK_LOST' });
    expect(await keysOf(store, 'points/')).toEqual([]);
  });

  it('that is renewed is held for hours', async () => {
    await using writer = await repository.begin(SPEC);
    await pass(180);
    await write(writer, [1]);
    await expect(writer.commit({ annotations: {} })).resolves.toMatchObject({ group: 'vm-1' });
  });

  it('that cannot be renewed ends the run before anybody may count it as stale', async () => {
    let failing = false;
    const fails = faultyStore(store, ({ key }) => (failing && key.startsWith('leases/') ? { when: 'before', error: new Error('unreachable') } : undefined));
    const writer = await (await openRepository(fails, { clock })).begin(SPEC);
    failing = true;
    await pass(6);
    await write(writer, [1]);
    await pass(2);
    await expect(write(writer, [1])).rejects.toMatchObject({ code: 'REPO_LOCK_LOST' });
    await expect(writer.commit({ annotations: {} })).rejects.toMatchObject({ code: 'REPO_LOCK_LOST' });
    await writer[Symbol.asyncDispose]();
    expect(await keysOf(store, 'points/')).toEqual([]);
  });

  it('of a store that hangs is given up in time', async () => {
    let hanging = false;
    const hangs = faultyStore(store, ({ key, kind }) =>
      hanging && kind === 'put' && key.startsWith('leases/') ? { when: 'before', until: new Promise(() => undefined) } : undefined,
    );
    const writer = await (await openRepository(hangs, { clock })).begin(SPEC);
    hanging = true;
    await pass(8);
    await expect(write(writer, [1])).rejects.toMatchObject({ code: 'REPO_LOCK_LOST' });
  });

  it('is stale only after its whole expiry without a heartbeat on the clock of who watches, whatever the clocks say', async () => {
    const writer = await repository.begin(SPEC);
    const theirs = new FakeClock({ startMs: clock.now().getTime() + 1000 * 3600_000 });
    const other = await openRepository(store, { clock: theirs });
    await expect(other.leases()).resolves.toMatchObject([{ state: 'held', silentMs: 0 }]);
    await pass(11, theirs);
    await expect(other.leases()).resolves.toMatchObject([{ state: 'held', silentMs: 11 * MINUTE }]);
    await pass(1, theirs);
    await expect(other.leases()).resolves.toMatchObject([{ state: 'stale' }]);
    await pass(1, clock);
    await expect(other.leases()).resolves.toMatchObject([{ state: 'held', silentMs: 0 }]);
    await writer[Symbol.asyncDispose]();
  });

  it('that was broken while its holder was stopped keeps the holder from committing when it wakes up', async () => {
    await using writer = await repository.begin(SPEC);
    await write(writer, [1]);
    const theirs = new FakeClock();
    const other = await openRepository(store, { clock: theirs });
    await other.leases();
    await pass(12, theirs); // the holder’s own clock stands still, as it does while a machine sleeps
    await expect(other.unlock()).resolves.toMatchObject({ removed: [{ kind: 'writer' }], left: [] });
    await expect(writer.commit({ annotations: {} })).rejects.toMatchObject({ code: 'REPO_LOCK_LOST' });
    expect(await keysOf(store, 'points/')).toEqual([]);
    expect(await keysOf(store, 'leases/')).toEqual([]);
  });

  it('that was broken between the proof and the manifest takes the manifest back, and lists no packs that may be gone', async () => {
    const theirs = new FakeClock();
    const other = await openRepository(store, { clock: theirs });
    const sleepy = faultyStore(store, ({ key, kind }) => {
      if (kind !== 'put' || !key.startsWith('points/')) return undefined;
      const sleep = async (): Promise<void> => {
        await other.leases();
        await pass(12, theirs);
        await other.unlock();
      };
      return { when: 'before', until: sleep() };
    });
    await using writer = await (await openRepository(sleepy, { clock })).begin(SPEC);
    await write(writer, [1]);
    await expect(writer.commit({ annotations: {} })).rejects.toMatchObject({ code: 'REPO_LOCK_LOST' });
    expect(await keysOf(store, 'points/')).toEqual([]);
  });

  it('of a live holder is not removed by unlock, but by force, and the holder learns of it', async () => {
    await using writer = await repository.begin(SPEC);
    const [lease] = await repository.leases();
    await expect(repository.unlock()).resolves.toMatchObject({ removed: [], left: [{ id: lease?.id }] });
    await expect(repository.unlock({ force: [lease?.id.slice(0, 8) ?? ''] })).resolves.toMatchObject({ removed: [{ id: lease?.id }], left: [] });
    await expect(writer.commit({ annotations: {} })).rejects.toMatchObject({ code: 'REPO_LOCK_LOST' });
  });

  it('that is damaged is listed as unknown, keeps what was condemned, and expires like any other', async () => {
    await forget(repository, await backUp(repository, noiseDisk([1])));
    await repository.collectGarbage(NOW);
    await store.put(`leases/${'ab'.repeat(16)}/0000000001`, Buffer.from('rubbish'));
    await expect(repository.leases()).resolves.toMatchObject([{ kind: 'unknown', state: 'held' }]);
    await expect(repository.collectGarbage(NOW)).rejects.toMatchObject({ code: 'REPO_LOCKED' });
    await pass(12);
    await expect(repository.collectGarbage(NOW)).resolves.toMatchObject({ deleted: { packs: 2 } });
    expect(await keysOf(store, 'leases/')).toEqual([]);
  });
});

describe('I25: gc and leases', () => {
  it('of two gcs at once never both go on', async () => {
    await forget(repository, await backUp(repository, noiseDisk([1])));
    const outcomes = await Promise.allSettled([repository.collectGarbage(NOW), (await openRepository(store, { clock })).collectGarbage(NOW)]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1);
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'REPO_LOCKED' });
    expect(await keysOf(store, 'leases/')).toEqual([]);
  });

  it('waits for the lease of a gc that died, and goes on when it is stale', async () => {
    const dead = memoryStore();
    const lost = await createRepository(dead, { blockSizeBytes: BLOCK }, { clock });
    const dying = faultyStore(dead, ({ kind, key }) =>
      kind === 'delete' && key.startsWith('leases/') ? { when: 'before', error: new Error('killed') } : undefined,
    );
    await (await openRepository(dying, { clock })).collectGarbage(NOW);
    expect(await keysOf(dead, 'leases/')).toHaveLength(1);
    await expect(lost.collectGarbage(NOW)).rejects.toMatchObject({ code: 'REPO_LOCKED' });
    const waiting = (await openRepository(dead, { clock })).collectGarbage({ graceMs: 0 });
    await pass(14);
    await expect(waiting).resolves.toMatchObject({ before: { packs: 0 } });
  });

  it('gives up, while it waits, on a gc that is alive', async () => {
    const slow = faultyStore(store, ({ kind, key }) =>
      kind === 'list' && key === 'packs/' ? { when: 'before', until: new Promise(() => undefined) } : undefined,
    );
    void (await openRepository(slow, { clock })).collectGarbage(NOW).catch(() => undefined);
    await pass(1);
    const second = expect(repository.collectGarbage({ graceMs: 0 })).rejects.toMatchObject({ code: 'REPO_LOCKED' });
    await pass(4);
    await second;
  });

  it('keeps what it has condemned as long as a writer lives that began before, and says for whom', async () => {
    const gone = await backUp(repository, noiseDisk([1, 2]));
    await using writer = await repository.begin(SPEC);
    await forget(repository, gone);
    await repository.collectGarbage(NOW);
    await expect(repository.collectGarbage(NOW)).resolves.toMatchObject({ deleted: { packs: 0 }, waitingFor: [{ purpose: 'restore point of vm-1, run r' }] });
    await writer[Symbol.asyncDispose]();
    await expect(repository.collectGarbage(NOW)).resolves.toMatchObject({ deleted: { packs: 2 } });
  });

  it('does not wait for a writer that began after it was condemned, which stores anew what lies there', async () => {
    const gone = await backUp(repository, noiseDisk([1, 2]));
    await forget(repository, gone);
    await repository.collectGarbage(NOW);
    await using writer = await repository.begin(SPEC);
    await write(writer, [1, 2]);
    await expect(repository.collectGarbage(NOW)).resolves.toMatchObject({ deleted: { packs: 2 } });
    const point = await writer.commit({ annotations: {} });
    expect(point.stats).toMatchObject({ newChunks: 2, dedupBlocks: 0 });
    expect((await packsOf(store)).length).toBe(2);
  });

  it('never condemns the packs of a run that is alive', async () => {
    const reports: GcReport[] = [];
    const collect = async (): Promise<void> => void reports.push(await repository.collectGarbage(NOW));
    // Its packs are durable, its manifest is not.
    const gated = faultyStore(store, ({ kind, key }) => (kind === 'put' && key.startsWith('points/') ? { when: 'before', until: collect() } : undefined));
    await backUp(await openRepository(gated, { clock }), noiseDisk([1, 2]));
    expect(reports).toMatchObject([{ before: { packs: 2 }, points: 0, condemned: { packs: 0 } }]);
  });

  it('that is stopped while it deletes, and loses its lease, deletes no more', async () => {
    for (const seed of [1, 2, 3]) await forget(repository, await backUp(repository, noiseDisk([seed])));
    await repository.collectGarbage(NOW);
    const [theirs, before] = [new FakeClock(), (await packsOf(store)).length];
    const other = await openRepository(store, { clock: theirs });
    let slept = false;
    const sleepy = faultyStore(store, ({ kind, key }) => {
      if (slept || kind !== 'delete' || !key.startsWith('packs/')) return undefined;
      slept = true;
      const sleep = async (): Promise<void> => {
        await other.leases();
        await pass(12, theirs);
        await other.unlock();
      };
      return { when: 'after', until: sleep() };
    });
    await expect((await openRepository(sleepy, { clock })).collectGarbage(NOW)).rejects.toMatchObject({ code: 'REPO_LOCK_LOST' });
    expect(await packsOf(store)).toHaveLength(before - 1);
  });

  it('a lease object that was flipped is not taken for another', async () => {
    await using _writer = await repository.begin(SPEC);
    const [key = ''] = await keysOf(store, 'leases/');
    await flipBit(store, key, 400);
    await expect((await openRepository(store, { clock })).leases()).resolves.toMatchObject([{ kind: 'unknown' }]);
  });
});
