import { FakeClock } from '@onevault/base/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { createRepository, isRepositoryError, memoryStore, type ObjectStore, openRepository, type Repository, type RestorePoint } from '../../src/index.ts';
import { faultyStore, keysOf, readDisk } from '../../testing/index.ts';
import { keyFile } from '../support/encrypted.ts';
import { runVerify } from '../support/run-verify.ts';
import { BLOCK } from '../support/small-vm.ts';
import { backUp, forget, NOW, noiseDisk } from './garbage.ts';

const DISKS = { parent: [1, 2, 3, 4], kept: [1, 2, 20, 21], doomed: [5, 6, 7], incremental: [1, 30, 3, 4], copied: [8, 1, 9] };

interface Bed {
  readonly store: ObjectStore;
  readonly clock: FakeClock;
  readonly points: Readonly<Record<'parent' | 'kept' | 'doomed', RestorePoint>>;
}

/** What may be going on in a repository. Each is a process of its own: it opens the repository. */
interface Activity {
  readonly name: string;
  run(repository: Repository, bed: Bed): Promise<RestorePoint | undefined>;
}

const activities: readonly Activity[] = [
  {
    name: 'backup',
    run: async (repository, { points }) => backUp(repository, noiseDisk(DISKS.incremental), await repository.openDisk(points.parent, 'd')),
  },
  {
    name: 'restore',
    run: async (repository, { points }) => {
      expect(Buffer.compare(await readDisk(await repository.openDisk(points.kept, 'd')), noiseDisk(DISKS.kept))).toBe(0);
      return undefined;
    },
  },
  {
    name: 'verify',
    run: async (repository) => {
      // Packs that gc deletes under its eyes it may call damaged, but harmless.
      expect((await runVerify(repository)).damage.filter(({ harmless }) => !harmless)).toEqual([]);
      return undefined;
    },
  },
  { name: 'gc', run: async (repository) => void (await repository.collectGarbage(NOW)) as undefined },
  { name: 'forget', run: async (repository, { points }) => void (await forget(repository, points.parent)) as undefined },
  {
    name: 'copy into it',
    run: async (repository) => {
      await using source = await createRepository(memoryStore(), { blockSizeBytes: BLOCK }, { clock: new FakeClock({ startMs: 1_700_000_000_000 }) });
      await backUp(source, noiseDisk(DISKS.copied), undefined, 'vm-9');
      for await (const outcome of source.copyTo(repository)) if (outcome.kind === 'copied') return outcome.point;
      throw new Error('nothing was copied');
    },
  },
  { name: 'repair', run: async (repository) => void (await repository.repair({ wait: false })) as undefined },
  { name: 'a change of keys', run: async (repository) => void (await repository.keys?.replace(keyFile(1))) as undefined },
  {
    name: 'a merge of tables',
    run: async (repository) => {
      // Runs merge when they are over: many small ones make it happen.
      for (let n = 0; n < 4; n++) await backUp(repository, noiseDisk([40 + n]), undefined, 'vm-8');
      return undefined;
    },
  },
  {
    name: 'unlock by force',
    run: async (repository) => void (await repository.unlock({ force: (await repository.leases()).map(({ id }) => id) })) as undefined,
  },
];

const IDLE: Activity = { name: 'nothing', run: () => Promise.resolve(undefined) };

/** Where in its way the first activity is met by the second one. ONEVAULT_LONG=1 tries more places. */
const SHARES = process.env['ONEVAULT_LONG'] ? [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9] : [0.55];

/** What one may answer to the other: nothing else, and never data that is not there. */
const ANSWERS = ['REPO_LOCKED', 'REPO_LOCK_LOST', 'REPO_POINT_NOT_FOUND', 'REPO_KEY_NOT_FOUND'] as const;

const EXPECTED: Readonly<Record<string, Uint8Array>> = { parent: noiseDisk(DISKS.parent), kept: noiseDisk(DISKS.kept) };

async function prepare(): Promise<Bed> {
  const store = memoryStore();
  const clock = new FakeClock();
  await using repository = await createRepository(store, { blockSizeBytes: BLOCK, encryption: { secret: keyFile(1) } }, { clock });
  const gone = await backUp(repository, noiseDisk([1, 50, 51, 52, 53]));
  const parent = await backUp(repository, noiseDisk(DISKS.parent));
  const doomed = await backUp(repository, noiseDisk(DISKS.doomed), undefined, 'vm-2');
  const kept = await backUp(repository, noiseDisk(DISKS.kept), undefined, 'vm-3');
  await forget(repository, gone);
  await forget(repository, doomed);
  await repository.collectGarbage(NOW); // so that the next run deletes
  return { store, clock, points: { parent, kept, doomed } };
}

async function copyOf(bed: Bed): Promise<Bed> {
  const store = memoryStore();
  for (const key of await keysOf(bed.store, '')) await store.put(key, await bed.store.get(key));
  return { ...bed, store, clock: new FakeClock() };
}

function open(bed: Bed, store: ObjectStore): Promise<Repository> {
  return openRepository(store, { clock: bed.clock, secret: keyFile(1) });
}

async function outcomeOf(work: Promise<RestorePoint | undefined>): Promise<RestorePoint | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isRepositoryError(error, ...ANSWERS)) return undefined;
    throw error;
  }
}

/** The first activity is stopped before its `at`-th operation until the second one is over, then goes on. How many operations it had. */
async function meet(bed: Bed, first: Activity, second: Activity, at: number): Promise<number> {
  let operations = 0;
  const committed: (RestorePoint | undefined)[] = [];
  const other = async (): Promise<void> => void committed.push(await outcomeOf(second.run(await open(bed, bed.store), bed)));
  const gated = faultyStore(bed.store, () => (++operations === at ? { when: 'before', until: other() } : undefined));
  committed.push(await outcomeOf(first.run(await open(bed, gated), bed)));
  await checkAll(bed, committed);
  return operations;
}

/** Every restore point that there is restores byte for byte, now and after the garbage of all this was collected. */
async function checkAll(bed: Bed, committed: readonly (RestorePoint | undefined)[]): Promise<void> {
  const repository = await open(bed, bed.store);
  await repository.unlock({ force: (await repository.leases()).map(({ id }) => id) });
  for (let round = 0; round < 2; round++) {
    const there = new Set<string>();
    for await (const listed of repository.points()) {
      if (listed.kind === 'damaged') throw listed.error;
      there.add(listed.point.id);
      await checkPoint(bed, repository, listed.point);
    }
    expect(there).toContain(bed.points.kept.id);
    for (const point of committed) if (point) expect(there).toContain(point.id);
    expect((await runVerify(repository)).damage).toEqual([]);
    for (let run = 0; run < 2; run++) await repository.collectGarbage(NOW);
  }
}

async function checkPoint(bed: Bed, repository: Repository, point: RestorePoint): Promise<void> {
  const restored = await readDisk(await repository.openDisk(point, 'd'));
  const name = Object.entries(bed.points).find(([, known]) => known.id === point.id)?.[0];
  const expected = name ? EXPECTED[name] : point.mode === 'incremental' ? noiseDisk(DISKS.incremental) : undefined;
  if (expected) expect(Buffer.compare(restored, expected)).toBe(0);
}

describe('docs/concurrency.md, the matrix', () => {
  let bed: Bed;
  /** How many each activity has when it is alone. */
  const operations = new Map<string, number>();
  beforeAll(async () => {
    bed = await prepare();
    for (const activity of activities) operations.set(activity.name, await meet(await copyOf(bed), activity, IDLE, Number.POSITIVE_INFINITY));
  }, 30_000);

  for (const first of activities) {
    for (const second of activities) {
      it(`${first.name} × ${second.name}`, async () => {
        const alone = operations.get(first.name) ?? 0;
        for (const share of SHARES) await meet(await copyOf(bed), first, second, Math.max(1, Math.floor(alone * share)));
      }, 20_000);
    }
  }
});
