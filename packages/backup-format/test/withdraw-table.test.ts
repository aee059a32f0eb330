import { describe, expect, it } from 'vitest';
import { memoryStore, type ObjectStore } from '../src/index.ts';
import { keysOf, readDisk } from '../testing/index.ts';
import { runVerify } from './support/run-verify.ts';
import { allPoints, backup, deps, makeDisk, newRepository, reopen } from './support/small-vm.ts';

function gate(): { readonly promise: Promise<void>; resolve(): void } {
  let open: () => void = () => undefined;
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, resolve: () => open() };
}

/** A store whose user is stopped right after its first index table has become visible, until `go`. */
function stoppedAfterTable(inner: ObjectStore): { readonly store: ObjectStore; readonly stopped: Promise<void>; go(): void } {
  const stopped = gate();
  const going = gate();
  const store: ObjectStore = {
    location: inner.location,
    create: async (key, options) => {
      const writer = await inner.create(key, options);
      if (!key.startsWith('index/')) return writer;
      const commit = async (): Promise<void> => {
        await writer.commit();
        stopped.resolve();
        await going.promise;
      };
      return { write: (parts) => writer.write(parts), commit, abort: () => writer.abort() };
    },
    put: (key, body, options) => inner.put(key, body, options),
    get: (key, options) => inner.get(key, options),
    stat: (key, options) => inner.stat(key, options),
    list: (prefix, options) => inner.list(prefix, options),
    delete: (key, options) => inner.delete(key, options),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return { store, stopped: stopped.promise, go: going.resolve };
}

const HOUR_MS = 3600_000;

describe('a run whose lease is over when its index table has just become visible', () => {
  it('leaves in it what another run has counted on meanwhile (found by the model of the engine)', async () => {
    const inner = memoryStore();
    const disk = makeDisk(1, 6);
    await newRepository(inner);
    const { store, stopped, go } = stoppedAfterTable(inner);
    const losing = expect(backup(await reopen(store), disk, { group: 'vm-1' })).rejects.toMatchObject({ code: 'REPO_LOCK_LOST' });
    await stopped;
    deps.clock.advance(HOUR_MS);
    const other = await backup(await reopen(inner), disk, { group: 'vm-2' });
    expect(other.stats.newChunks).toBe(0);
    go();
    await losing;
    const repository = await reopen(inner);
    expect(Buffer.compare(await readDisk(await repository.openDisk(other, 'disk-0')), disk)).toBe(0);
    expect((await runVerify(repository)).damage).toEqual([]);
  });

  it('takes out of it the packs that gc has deleted meanwhile', async () => {
    const inner = memoryStore();
    const disk = makeDisk(2, 6);
    await newRepository(inner);
    const { store, stopped, go } = stoppedAfterTable(inner);
    const losing = expect(backup(await reopen(store), disk, { group: 'vm-1' })).rejects.toMatchObject({ code: 'REPO_LOCK_LOST' });
    await stopped;
    deps.clock.advance(HOUR_MS);
    const [gone = ''] = await keysOf(inner, 'packs/');
    await inner.delete(gone);
    go();
    await losing;
    expect(await keysOf(inner, 'packs/')).toHaveLength(1);
    expect((await runVerify(await reopen(inner))).damage).toEqual([]);
    const next = await backup(await reopen(inner), disk, { group: 'vm-2' });
    const repository = await reopen(inner);
    expect(await allPoints(repository)).toHaveLength(1);
    expect(Buffer.compare(await readDisk(await repository.openDisk(next, 'disk-0')), disk)).toBe(0);
  });
});
