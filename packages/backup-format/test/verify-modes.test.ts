import { describe, expect, it } from 'vitest';
import { memoryStore, type ObjectStore, type Repository, RepositoryError, type RestorePoint, type VerifyMode } from '../src/index.ts';
import { faultyStore, flipBit, keysOf, readDisk } from '../testing/index.ts';
import { runVerify } from './support/run-verify.ts';
import { packOfType } from './support/runs.ts';
import { backup, deps, makeDisk, newRepository, reopen } from './support/small-vm.ts';

const BLOCKS = 60;

async function onePoint(): Promise<{ readonly store: ObjectStore; readonly repository: Repository; readonly point: RestorePoint; readonly disk: Uint8Array }> {
  const store = memoryStore();
  const repository = await newRepository(store);
  const disk = makeDisk(21, BLOCKS);
  return { store, repository, point: await backup(repository, disk), disk };
}

/** The same store; told of every read, before its bytes are handed out. */
function watchingReads(store: ObjectStore, onRead: (key: string, length: number) => Promise<void>): ObjectStore {
  return new Proxy(store, {
    get: (target, name: keyof ObjectStore) => {
      if (name !== 'get') return typeof target[name] === 'function' ? target[name].bind(target) : target[name];
      return async (...call: Parameters<ObjectStore['get']>) => {
        const bytes = await target.get(...call);
        await onRead(call[0], bytes.length);
        return bytes;
      };
    },
  });
}

async function verified(store: ObjectStore, mode: VerifyMode): ReturnType<typeof runVerify> {
  deps.clock.advance(1000);
  return runVerify(await reopen(store), { mode });
}

describe('verify by structure', () => {
  it('reads no data of blocks', async () => {
    const { store } = await onePoint();
    const data = await packOfType(store, 1);
    const sizeBytes = (await store.get(data)).length;
    let readBytes = 0;
    const counting = watchingReads(store, async (key, length) => {
      if (key === data) readBytes += length;
    });
    const { damage, report } = await runVerify(await reopen(counting), { mode: 'structure' });
    expect(damage).toEqual([]);
    expect(report).toMatchObject({ mode: 'structure', points: 1, packs: 2, checkedChunks: 0 });
    expect(readBytes).toBeLessThan(sizeBytes / 20);
  });

  it('does not see a flipped bit in the data of a block, but one in a page of a disk index', async () => {
    const { store } = await onePoint();
    await flipBit(store, await packOfType(store, 1), 64 + 48 + 20);
    expect((await verified(store, 'structure')).damage).toEqual([]);
    await flipBit(store, await packOfType(store, 2), 64 + 48 + 20);
    expect((await verified(store, 'structure')).damage).toMatchObject([{ error: { code: 'REPO_CHUNK_CORRUPT' }, affects: [{ diskKey: 'disk-0' }] }]);
  });

  it('sees that a pack is cut short, and which bytes are lost', async () => {
    const { store, point } = await onePoint();
    const pack = await packOfType(store, 1);
    await store.put(pack, (await store.get(pack)).slice(0, 100_000));
    const { damage } = await verified(store, 'structure');
    expect(damage).toMatchObject([{ key: pack, harmless: false, affects: [{ pointId: point.id, diskKey: 'disk-0' }] }]);
  });
});

describe('verify by sample', () => {
  it('reads about its share, spread over the repository, and comes to everything within 100 / percent runs', async () => {
    const { store, repository } = await onePoint();
    const total = (await runVerify(repository)).report.checkedChunks;
    await flipBit(store, await packOfType(store, 1), 64 + 48 + 20);
    const seeds: string[] = [];
    let checked = 0;
    let found = 0;
    for (let n = 0; n < 5; n++) {
      const { damage, report } = await verified(store, { samplePercent: 20 });
      expect(report.checkedChunks).toBeLessThan(total / 2);
      checked += report.checkedChunks;
      found += damage.length;
      seeds.push(report.sample?.seed ?? '');
    }
    expect(new Set(seeds).size).toBe(5);
    expect(checked).toBe(total);
    expect(found).toBe(1);
  });

  it('repeats a sample by its seed, without losing its place in the round', async () => {
    const { store } = await onePoint();
    const first = await verified(store, { samplePercent: 10 });
    const second = await verified(store, { samplePercent: 10 });
    const again = await verified(store, { samplePercent: 10, seed: first.report.sample?.seed ?? '' });
    expect(again.report.checkedChunks).toBe(first.report.checkedChunks);
    const third = await verified(store, { samplePercent: 10 });
    const end = (Number.parseInt(second.report.sample?.seed ?? '', 16) + Math.ceil(2 ** 32 / 10)) % 2 ** 32;
    expect(Number.parseInt(third.report.sample?.seed ?? '', 16)).toBe(end);
  });

  it('refuses a share or a seed that is none', async () => {
    const { repository } = await onePoint();
    await expect(runVerify(repository, { mode: { samplePercent: 0 } })).rejects.toThrow(RangeError);
    await expect(runVerify(repository, { mode: { samplePercent: 101 } })).rejects.toThrow(RangeError);
    await expect(runVerify(repository, { mode: { samplePercent: 5, seed: 'x' } })).rejects.toThrow(RangeError);
  });
});

describe('I45: records of verify', () => {
  it('say what was checked and what was found; a damaged point is told from a sound one', async () => {
    const { store, repository, point } = await onePoint();
    const other = await backup(repository, makeDisk(22, 20), { group: 'vm-2' });
    await flipBit(store, await packOfType(store, 1), 64 + 48 + 20);
    const { damage, report } = await verified(store, 'all');
    const [record] = await (await reopen(store)).verifyRecords();
    const hurt = damage[0]?.affects[0]?.pointId;
    expect([point.id, other.id]).toContain(hurt);
    expect(record).toMatchObject({ mode: 'all', sample: null, complete: true, counts: { points: 2, damaged: 1, checkedChunks: report.checkedChunks } });
    expect(record?.damage).toMatchObject([{ key: damage[0]?.key, code: 'REPO_CHUNK_CORRUPT', points: [hurt] }]);
    expect(record?.damage[0]?.chunks).toHaveLength(1);
    expect(record?.soundPoints).toEqual([point.id, other.id].filter((id) => id !== hurt));
    expect(report.record).toBe(`verify/${record?.id}.json`);
  });

  it('are pruned, and what they knew is carried over until it is found again or gone', async () => {
    const { store } = await onePoint();
    await flipBit(store, await packOfType(store, 1), 64 + 48 + 20);
    await verified(store, 'all');
    for (let n = 0; n < 12; n++) await verified(store, 'structure');
    const records = await (await reopen(store)).verifyRecords();
    // The newest of each mode stays too: when everything was read is worth knowing.
    expect(records.map(({ mode }) => mode)).toEqual(['all', ...Array(10).fill('structure')]);
    expect(await keysOf(store, 'verify/')).toHaveLength(11);
    expect(records.at(-1)?.damage).toMatchObject([{ code: 'REPO_CHUNK_CORRUPT', chunks: [expect.stringMatching(/^[0-9a-f]{64}$/)] }]);
  });

  it('that are damaged are told as harmless and left out', async () => {
    const { store } = await onePoint();
    await verified(store, 'all');
    const [key = ''] = await keysOf(store, 'verify/');
    for (const harm of [() => flipBit(store, key, -20), () => store.put(key, Buffer.from('{}')), () => store.put(key, Buffer.alloc(0))]) {
      await harm();
      const repository = await reopen(store);
      expect(await repository.verifyRecords()).toEqual([]);
      expect((await runVerify(repository, { record: false })).damage).toMatchObject([{ key, harmless: true, affects: [] }]);
    }
  });

  it('are not needed: where nothing can be written verify works, and leaves none', async () => {
    const { store } = await onePoint();
    const readOnly = faultyStore(store, ({ writes, key }) =>
      writes ? { when: 'before', error: new RepositoryError({ code: 'REPO_NOT_WRITABLE', message: `${key} is read-only` }) } : undefined,
    );
    const { damage, report } = await runVerify(await reopen(readOnly));
    expect(damage).toEqual([]);
    expect(report.record).toBeUndefined();
  });
});

describe('I46: what a record calls damaged is never a dedup hit again', () => {
  it('a backup in another process stores it again, and every point that uses it is whole', async () => {
    const { store, point, disk } = await onePoint();
    await flipBit(store, await packOfType(store, 1), 64 + 48 + 20);
    expect((await backup(await reopen(store), disk)).stats.newChunks).toBe(0); // nobody knows yet
    await verified(store, 'all');
    expect((await backup(await reopen(store), disk)).stats.newChunks).toBe(1);
    const fresh = await reopen(store);
    expect(Buffer.compare(await readDisk(await fresh.openDisk(point, 'disk-0')), disk)).toBe(0);
    expect((await backup(await reopen(store), disk)).stats.newChunks).toBe(0); // once is enough
    const { damage, report } = await verified(store, 'all');
    expect(damage).toMatchObject([{ harmless: true, affects: [] }]);
    expect(report).toMatchObject({ damaged: 1, harmless: 1, healed: 1 });
  });

  it('the next incremental brings the block, although its parent says that it did not change', async () => {
    const { store, point, disk } = await onePoint();
    await flipBit(store, await packOfType(store, 1), 64 + 48 + 20);
    await verified(store, 'all');
    const repository = await reopen(store);
    const next = await backup(repository, disk, { parent: await repository.openDisk(point, 'disk-0') });
    expect(next.stats).toMatchObject({ newChunks: 1 });
    expect(next.stats.unchangedBlocks).toBeGreaterThan(BLOCKS - 5);
    const fresh = await reopen(store);
    for (const each of [point, next]) expect(Buffer.compare(await readDisk(await fresh.openDisk(each, 'disk-0')), disk)).toBe(0);
  });

  it('the same when the pack is gone', async () => {
    const { store, point, disk } = await onePoint();
    await store.delete(await packOfType(store, 1));
    await verified(store, 'structure');
    const repository = await reopen(store);
    const next = await backup(repository, disk, { parent: await repository.openDisk(point, 'disk-0') });
    expect(next.stats.newChunks).toBe(point.stats.newChunks);
    const fresh = await reopen(store);
    for (const each of [point, next]) expect(Buffer.compare(await readDisk(await fresh.openDisk(each, 'disk-0')), disk)).toBe(0);
  });

  it('and when no index table knows it', async () => {
    const { store, point, disk } = await onePoint();
    for (const table of await keysOf(store, 'index/')) await store.delete(table);
    await backup(await reopen(store), makeDisk(21, 3)); // a new table that knows some of the blocks, and not the index of the disk
    await verified(store, 'structure');
    const repository = await reopen(store);
    const next = await backup(repository, disk, { parent: await repository.openDisk(point, 'disk-0') });
    const fresh = await reopen(store);
    for (const each of [point, next]) expect(Buffer.compare(await readDisk(await fresh.openDisk(each, 'disk-0')), disk)).toBe(0);
  });
});

describe('verify beside others', () => {
  it('calls nothing damaged that a run committed meanwhile', async () => {
    const { store, repository } = await onePoint();
    let once = true;
    const busy = watchingReads(store, async (key) => {
      if (!once || !key.startsWith('packs/')) return;
      once = false;
      await backup(repository, makeDisk(23, 12), { group: 'vm-2' });
    });
    expect((await runVerify(await reopen(busy))).damage).toEqual([]);
    expect(once).toBe(false);
  });

  it('calls nothing damaged that a garbage collection removed meanwhile', async () => {
    for (const victim of ['packs/', 'index/']) {
      const { store, repository } = await onePoint();
      const needed = new Set(await keysOf(store, ''));
      const gone = await backup(repository, makeDisk(23, 12), { group: 'vm-2' });
      await repository.forgetPoint(gone.id, { evenLast: true });
      const garbage = [...(await keysOf(store, 'index/')), ...(await keysOf(store, 'packs/'))].filter((key) => !needed.has(key));
      let left = victim === 'packs/' ? 12 : 1; // in the middle of reading packs, or before the tables are read
      const collected = watchingReads(store, async (key) => {
        if (key.startsWith(victim) && left-- === 0) await Promise.all(garbage.map((each) => store.delete(each)));
      });
      expect((await runVerify(await reopen(collected))).damage).toEqual([]);
      expect(left).toBeLessThan(0);
    }
  });

  it('ends with the reason of the signal in the middle of its work, and leaves no record', async () => {
    const { store } = await onePoint();
    const abort = new AbortController();
    const reason = new Error('enough');
    const run = (await reopen(store)).verify({ signal: abort.signal, onProgress: () => abort.abort(reason) });
    await expect(run.next()).rejects.toBe(reason);
    expect(await keysOf(store, 'verify/')).toEqual([]);
  });
});
