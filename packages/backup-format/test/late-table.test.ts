import { describe, expect, it } from 'vitest';
import { memoryStore, type ObjectStore, type RestorePoint } from '../src/index.ts';
import { faultyStore, keysOf, readDisk } from '../testing/index.ts';
import { NOW } from './gc/garbage.ts';
import { runVerify } from './support/run-verify.ts';
import { backup, makeDisk, newRepository, reopen } from './support/small-vm.ts';

const disk = makeDisk(5, 6);

/** The index table of a run that nobody knows of any more, as it was when its packs were deleted. */
interface LateTable {
  readonly key: string;
  readonly bytes: Uint8Array;
}

/** A run that was lost: its packs are gone, and its table is not there yet. */
async function lostRun(store: ObjectStore): Promise<LateTable> {
  const point = await backup(await reopen(store), disk, { group: 'lost' });
  const [key = ''] = await keysOf(store, 'index/');
  const bytes = await store.get(key);
  await store.delete(`points/lost/${point.id}.json`);
  for (const gone of [key, ...(await keysOf(store, 'packs/'))]) await store.delete(gone);
  return { key, bytes };
}

async function expectWhole(store: ObjectStore, point: RestorePoint): Promise<void> {
  const repository = await reopen(store);
  expect(Buffer.compare(await readDisk(await repository.openDisk(point, 'disk-0')), disk)).toBe(0);
  expect((await runVerify(repository)).damage.filter(({ harmless }) => !harmless)).toEqual([]);
}

/** Later than everything, as by a clock that is far ahead. A table of a repository in the clear does not say its own name. */
const LAST = 'index/29991231T235959999Z-0123456789abcdef';

describe('an index table that comes late and names packs that are gone', () => {
  it('is counted on by no run: it looks once for each pack, and stores anew what is not there', async () => {
    const store = memoryStore();
    await newRepository(store);
    const { key, bytes } = await lostRun(store);
    await store.put(key, bytes);
    const point = await backup(await reopen(store), disk, { group: 'vm-2' });
    expect(point.stats).toMatchObject({ dedupBlocks: 0 });
    await expectWhole(store, point);
  });

  it('hides from no reader where else the chunks lie', async () => {
    const store = memoryStore();
    await newRepository(store);
    const { bytes } = await lostRun(store);
    const point = await backup(await reopen(store), disk, { group: 'vm-2' });
    await store.put(LAST, bytes);
    await expectWhole(store, point);
  });

  it('takes nothing from a table with which it is merged', async () => {
    const store = memoryStore();
    await newRepository(store);
    const { bytes } = await lostRun(store);
    const point = await backup(await reopen(store), disk, { group: 'vm-2' });
    await store.put(LAST, bytes);
    for (let n = 0; n < 6 && (await keysOf(store, 'index/')).includes(LAST); n++) await backup(await reopen(store), makeDisk(50 + n, 2), { group: 'vm-3' });
    expect(await keysOf(store, 'index/')).not.toContain(LAST);
    await expectWhole(store, point);
  });

  it('is made anew without them by the next garbage collection', async () => {
    const store = memoryStore();
    await newRepository(store);
    const { key, bytes } = await lostRun(store);
    const point = await backup(await reopen(store), disk, { group: 'vm-2' });
    await store.put(key, bytes);
    expect((await runVerify(await reopen(store))).damage).not.toEqual([]);
    await (await reopen(store)).collectGarbage(NOW);
    expect((await runVerify(await reopen(store))).damage).toEqual([]);
    await expectWhole(store, point);
  });
});

describe('a run that finds chunks which are stored', () => {
  /** How often each pack is looked for, or read from. */
  async function looks(confirmDedup: boolean): Promise<ReadonlyMap<string, number>> {
    const inner = memoryStore();
    await newRepository(inner);
    const big = makeDisk(9, 40);
    await backup(await reopen(inner), big);
    const counted = new Map<string, number>();
    const counting = faultyStore(inner, ({ kind, key }) => {
      if (key.startsWith('packs/') && (kind === 'stat' || kind === 'get')) counted.set(`${kind} ${key}`, (counted.get(`${kind} ${key}`) ?? 0) + 1);
      return undefined;
    });
    const point = await backup(await reopen(counting), big, { group: 'vm-2', confirmDedup });
    expect(point.stats).toMatchObject({ newChunks: 0 });
    return counted;
  }

  it('looks for each pack of data once, however many of its chunks it finds', async () => {
    const stats = [...(await looks(false))].filter(([call]) => call.startsWith('stat'));
    expect(stats).toEqual([[expect.stringContaining('stat packs/'), 1]]);
  });

  it('and no more often when it asks the trailers', async () => {
    const stats = [...(await looks(true))].filter(([call]) => call.startsWith('stat'));
    expect(stats.length).toBe(1);
  });
});
