import { expect } from 'vitest';
import { type Damage, isRepositoryError, memoryStore, type ObjectStore, type Repository, type RestorePoint } from '../../src/index.ts';
import { BLOCK, backup, makeDisk } from './small-vm.ts';

/** A repository with objects of every kind, as bytes that a test may harm. */
export interface DamageBed {
  readonly objects: ReadonlyMap<string, Uint8Array>;
  readonly points: readonly RestorePoint[];
  readonly disks: readonly Uint8Array[];
  readonly encrypted: boolean;
  readonly open: (store: ObjectStore) => Promise<Repository>;
}

export async function makeBed(create: (store: ObjectStore) => Promise<Repository>, open: DamageBed['open']): Promise<DamageBed> {
  const store = memoryStore();
  const repository = await create(store);
  const disks = [makeDisk(31, 4), makeDisk(34, 4)];
  const points: RestorePoint[] = [];
  for (const [n, disk] of disks.entries()) points.push(await backup(repository, disk, { group: `vm-${n + 1}` }));
  const gone = await backup(repository, makeDisk(33, 3), { group: 'vm-3' });
  await repository.forgetPoint(gone.id, { evenLast: true });
  await repository.collectGarbage({ wait: false }); // leaves a record that condemns, and every pack
  await repository.marks.hold(points[0]?.id ?? '', { reason: 'an audit', by: 'somebody' });
  await finish(repository.verify());
  const writer = await repository.begin({ group: 'vm-4', runId: 'run', capturedAt: '2026-11-22T19:00:00Z', mode: 'full' });
  const objects = new Map<string, Uint8Array>();
  for await (const { key } of store.list('')) objects.set(key, await store.get(key)); // with the lease of the writer
  await writer[Symbol.asyncDispose]();
  return { objects, points, disks, encrypted: repository.keys !== undefined, open };
}

async function finish(run: AsyncGenerator<Damage, unknown>): Promise<Damage[]> {
  const damage: Damage[] = [];
  for (let step = await run.next(); !step.done; step = await run.next()) damage.push(step.value);
  return damage;
}

export async function storeOf(objects: ReadonlyMap<string, Uint8Array>): Promise<ObjectStore> {
  const store = memoryStore();
  for (const [key, bytes] of objects) await store.put(key, bytes);
  return store;
}

/** What cannot be had back: `<point> <block>`, `<point> metadata`, `<point>` for all of it. Everything else is compared with what was backed up. */
export async function survey(bed: DamageBed, repository: Repository): Promise<Set<string>> {
  const lost = new Set<string>();
  for (const [n, point] of bed.points.entries()) {
    const found = await typed(() => repository.point(point.id));
    if (!found) {
      lost.add(point.id);
      continue;
    }
    expect(found.value).toEqual(point);
    await surveyDisk(bed.disks[n] ?? new Uint8Array(0), point, repository, lost);
    const metadata = await typed(() => repository.readMetadata(point, 'vm.xml'));
    if (metadata) expect(Buffer.from(metadata.value).toString()).toBe(`<VM><GROUP>${point.group}</GROUP></VM>`);
    else lost.add(`${point.id} metadata`);
  }
  return lost;
}

async function surveyDisk(disk: Uint8Array, point: RestorePoint, repository: Repository, lost: Set<string>): Promise<void> {
  const reader = await repository.openDisk(point, 'disk-0');
  for (let block = 0; block < reader.grid.blockCount; block++) {
    const read = await typed(async () => (await reader.blocks({ from: block, to: block + 1 }).next()).value);
    const run = read?.value;
    if (!run) lost.add(`${point.id} ${block}`);
    else if (run.kind === 'data') expect(Buffer.compare(run.data, disk.subarray(run.offset, run.offset + run.data.length))).toBe(0);
    else expect(disk.subarray(run.offset, run.offset + run.length).every((byte) => byte === 0)).toBe(true);
  }
}

/** Undefined for an error of the repository; any other one fails the test. */
async function typed<T>(work: () => Promise<T>): Promise<{ readonly value: T } | undefined> {
  try {
    return { value: await work() };
  } catch (error) {
    if (isRepositoryError(error)) return undefined;
    throw error;
  }
}

/** What verify says is lost, in the words of `survey`. */
export function claimed(damage: readonly Damage[], points: readonly RestorePoint[]): Set<string> {
  const lost = new Set<string>();
  const known = new Set(points.map(({ id }) => id));
  for (const { pointId, diskKey, metadata, ranges } of damage.flatMap(({ affects }) => affects)) {
    if (!known.has(pointId)) continue;
    if (metadata !== undefined) lost.add(`${pointId} metadata`);
    else if (diskKey === undefined) lost.add(pointId);
    for (const { offset, length } of ranges ?? []) {
      for (let block = Math.floor(offset / BLOCK); block * BLOCK < offset + length; block++) lost.add(`${pointId} ${block}`);
    }
  }
  return lost;
}

export async function damageOf(repository: Repository, mode: 'structure' | 'all'): Promise<Damage[]> {
  return finish(repository.verify({ mode, record: false }));
}
