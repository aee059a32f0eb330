import { beforeEach, describe, expect, it } from 'vitest';
import { type CopyProgress, createRepository, type DiskReader, memoryStore, type ObjectStore, type Repository, type RestorePoint } from '../../src/index.ts';
import { faultyStore, flipBit, keysOf, scanBytes } from '../../testing/index.ts';
import { runVerify } from '../support/run-verify.ts';
import { packOfType, packsBytes } from '../support/runs.ts';
import { allPoints, BLOCK, backup, deps, makeDisk, newRepository, reopen } from '../support/small-vm.ts';
import { blake3, diskOf, type Kind, runCopy, sealed, sha256 } from './copying.ts';

async function lastDisk(repository: Repository, points: readonly RestorePoint[]): Promise<DiskReader | undefined> {
  const last = points.at(-1);
  return last && (await repository.openDisk(last, 'disk-0'));
}

/** The same disk with `blocks` of it written anew. */
function changed(disk: Uint8Array, ...blocks: readonly number[]): Uint8Array {
  const next = disk.slice();
  for (const block of blocks)
    next.set(
      makeDisk(1000 + block, 1)
        .subarray(0, BLOCK)
        .fill(block + 1),
      block * BLOCK,
    );
  return next;
}

/** Reads of data chunks: what a copy costs in the source. */
function countingReads(inner: ObjectStore): { readonly store: ObjectStore; readonly reads: { bytes: number } } {
  const reads = { bytes: 0 };
  const store: ObjectStore = {
    location: inner.location,
    get: async (key, options) => {
      const bytes = await inner.get(key, options);
      if (key.startsWith('packs/')) reads.bytes += bytes.length;
      return bytes;
    },
    put: (key, body, options) => inner.put(key, body, options),
    create: (key, options) => inner.create(key, options),
    stat: (key, options) => inner.stat(key, options),
    list: (prefix, options) => inner.list(prefix, options),
    delete: (key, options) => inner.delete(key, options),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
  return { store, reads };
}

describe.each([
  ['of the same digest', blake3, blake3],
  ['of another digest', blake3, sha256],
  ['that is encrypted, from one that is not', blake3, sealed(1)],
  ['with another key', sealed(1), sealed(2)],
  ['that is not encrypted, from one that is', sealed(1), blake3],
] as const)('copy into a repository %s', (_title, sourceKind: Kind, targetKind: Kind) => {
  let from: ObjectStore;
  let to: ObjectStore;
  let source: Repository;
  let target: Repository;
  beforeEach(async () => {
    from = memoryStore();
    to = memoryStore();
    source = await sourceKind.create(from);
    target = await targetKind.create(to);
  });

  it('makes points that restore byte for byte, keep their id, and say where they come from', async () => {
    const disk = makeDisk(1, 20);
    const next = changed(disk, 3, 4);
    const first = await backup(source, disk);
    const second = await backup(source, next, { parent: await source.openDisk(first, 'disk-0') });
    const { outcomes, report } = await runCopy(source, target);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['copied', 'copied']);
    expect(report).toMatchObject({ copied: 2, present: 0, failed: 0 });

    const [one, two] = await allPoints(await targetKind.open(to));
    expect(one).toMatchObject({ id: first.id, group: 'vm-1', mode: 'full', origin: source.config.id, annotations: { name: 'vm-1' } });
    expect(two).toMatchObject({ id: second.id, capturedAt: second.capturedAt, runId: second.runId });
    expect(Buffer.compare(await diskOf(target, one), disk)).toBe(0);
    expect(Buffer.compare(await diskOf(target, two), next)).toBe(0);
    expect(two && Buffer.from(await target.readMetadata(two, 'vm.xml')).toString()).toContain('vm-1');
    expect((await runVerify(await targetKind.open(to))).damage).toEqual([]);
  });

  it('costs what changed since the point copied before, and nothing for one that is there', async () => {
    const disk = makeDisk(2, 40);
    const first = await backup(source, disk);
    await runCopy(source, target);
    const stored = await packsBytes(to);
    const next = changed(disk, 7);
    await backup(source, next, { parent: await source.openDisk(first, 'disk-0') });
    const counted = countingReads(from);
    const { outcomes, report } = await runCopy(await sourceKind.open(counted.store), target);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['present', 'copied']);
    expect(outcomes[1]).toMatchObject({ point: { stats: { changedBlocks: 1, newChunks: 1 } } });
    expect(report.readBytes).toBeLessThan(2 * BLOCK);
    expect(counted.reads.bytes).toBeLessThan(2 * BLOCK + 20_000); // the block, a root, two pages, metadata
    expect((await packsBytes(to)) - stored).toBeLessThan(8_000); // a block of one byte repeated, a page, a root
    expect(Buffer.compare(await diskOf(target, (await allPoints(target))[1]), next)).toBe(0);

    const again = await runCopy(source, target);
    expect(again.report).toEqual({ copied: 0, present: 2, failed: 0, readBytes: 0, storedBytes: 0, marks: { holds: 0, tags: 0, unreadable: 0 }, drills: 0 });
  });

  it('copies disks that grew, shrank, came, are empty or all zero', async () => {
    const disks = [makeDisk(3, 6), makeDisk(3, 9), makeDisk(3, 2), new Uint8Array(0), new Uint8Array(5 * BLOCK + 3), makeDisk(4, 5)];
    const points: RestorePoint[] = [];
    for (const disk of disks) {
      points.push(await backup(source, disk, { parent: await lastDisk(source, points) }));
      await runCopy(source, target);
    }
    for (const [at, point] of (await allPoints(target)).entries()) expect(Buffer.compare(await diskOf(target, point), disks[at] ?? new Uint8Array(1))).toBe(0);
    expect((await runVerify(target)).damage).toEqual([]);
  });

  it('copies chosen points in any order, each compared with the nearest copy', async () => {
    const disk = makeDisk(5, 30);
    const versions = [disk, changed(disk, 1), changed(disk, 1, 2)];
    const points: RestorePoint[] = [];
    for (const version of versions) points.push(await backup(source, version, { parent: await lastDisk(source, points) }));
    await runCopy(source, target, { points: [points[2]?.id ?? ''] });
    const { outcomes } = await runCopy(source, target, { points: [points[0]?.id ?? ''] });
    expect(outcomes).toMatchObject([{ kind: 'copied', point: { stats: { changedBlocks: 2 } } }]);
    const copies = await allPoints(target);
    expect(copies.map(({ id }) => id)).toEqual([points[0]?.id, points[2]?.id]);
    expect(Buffer.compare(await diskOf(target, copies[0]), disk)).toBe(0);
    await expect(runCopy(source, target, { points: ['20261122T190011123Z-9f86d081884c7d65'] })).rejects.toMatchObject({ code: 'REPO_POINT_NOT_FOUND' });
  });

  it('does not commit a point with a damaged block, names disk and range, and goes on with the others', async () => {
    const disk = makeDisk(6, 12);
    const bad = await backup(source, disk, { group: 'vm-bad' });
    const pack = await packOfType(from, 1);
    const good = await backup(source, makeDisk(60, 8), { group: 'vm-good' });
    await flipBit(from, pack, 64 + 48 + 9, 1);
    const { outcomes, report } = await runCopy(await sourceKind.open(from), target);
    expect(report).toMatchObject({ copied: 1, failed: 1 });
    const failed = outcomes.find(({ kind }) => kind === 'failed');
    expect(failed).toMatchObject({ pointId: bad.id, error: { code: 'REPO_CHUNK_CORRUPT', details: { pointId: bad.id, diskKey: 'disk-0', length: BLOCK } } });
    const offset = failed?.kind === 'failed' ? (failed.error.details.offset ?? -1) : -1;
    expect(offset % BLOCK).toBe(0);
    expect((await allPoints(target)).map(({ id }) => id)).toEqual([good.id]);
    expect((await runVerify(await targetKind.open(to))).damage).toEqual([]);
  });

  it('names the range of a page of the disk index that is damaged', async () => {
    const disk = makeDisk(7, 12);
    await backup(source, disk);
    await flipBit(from, await packOfType(from, 2), 64 + 48 + 3, 1);
    const { outcomes } = await runCopy(await sourceKind.open(from), target);
    expect(outcomes).toMatchObject([{ kind: 'failed', error: { details: { diskKey: 'disk-0', offset: 0, length: disk.length } } }]);
    expect(await keysOf(to, 'points/')).toEqual([]);
  });

  it('writes a page anew that is damaged in the target, instead of taking it over', async () => {
    const disk = makeDisk(8, 12);
    const first = await backup(source, disk);
    await runCopy(source, target);
    await flipBit(to, await packOfType(to, 2), 64 + 48 + 3, 1);
    await backup(source, disk, { parent: await source.openDisk(first, 'disk-0') });
    await runCopy(source, await targetKind.open(to));
    const healed = await targetKind.open(to);
    for (const point of await allPoints(healed)) expect(Buffer.compare(await diskOf(healed, point), disk)).toBe(0);
  });

  it('heals with `full` what the target lost', async () => {
    const disk = makeDisk(9, 12);
    const first = await backup(source, disk);
    await runCopy(source, target);
    await to.delete(await packOfType(to, 1));
    await backup(source, disk, { parent: await source.openDisk(first, 'disk-0') });
    await runCopy(source, await targetKind.open(to), { full: true });
    const healed = await targetKind.open(to);
    for (const point of await allPoints(healed)) expect(Buffer.compare(await diskOf(healed, point), disk)).toBe(0);
  });

  it('an abort ends it with the reason of the signal; the next copy stores nothing twice', async () => {
    const disk = makeDisk(10, 60);
    await backup(source, disk);
    const enough = new Error('enough');
    const abort = new AbortController();
    const onProgress = ({ doneBytes }: CopyProgress): void => {
      if (doneBytes > 30 * BLOCK) abort.abort(enough);
    };
    await expect(runCopy(source, target, { signal: abort.signal, onProgress })).rejects.toBe(enough);
    expect(await allPoints(target)).toEqual([]);
    await runCopy(source, await targetKind.open(to));
    const once = memoryStore();
    await runCopy(source, await targetKind.create(once));
    expect(Buffer.compare(await diskOf(target, (await allPoints(target))[0]), disk)).toBe(0);
    // Under a random key the digests are random, and so is, by some bytes, what zstd makes of a page of them. A block stored twice would be thousands.
    expect(Math.abs((await packsBytes(to)) - (await packsBytes(once)))).toBeLessThan(256);
  });

  it('reports progress that ends at the size of the point', async () => {
    await backup(source, makeDisk(11, 5));
    const seen: CopyProgress[] = [];
    await runCopy(source, target, { onProgress: (progress) => seen.push(progress) });
    expect(seen.at(-1)).toMatchObject({ points: 0, totalPoints: 1, doneBytes: 5 * BLOCK + 1000, totalBytes: 5 * BLOCK + 1000 });
    expect(seen.map(({ doneBytes }) => doneBytes)).toEqual(seen.map(({ doneBytes }) => doneBytes).toSorted((a, b) => a - b));
  });

  it('a copy of a copy keeps the first origin, and is not copied back', async () => {
    await backup(source, makeDisk(12, 4));
    await runCopy(source, target);
    const third = await newRepository(memoryStore());
    await runCopy(target, third);
    expect((await allPoints(third))[0]?.origin).toBe(source.config.id);
    expect((await runCopy(third, source)).report).toMatchObject({ copied: 0, present: 1 });
  });

  it('two that copy at once commit one copy', async () => {
    const disk = makeDisk(13, 8);
    await backup(source, disk);
    const results = await Promise.all([runCopy(source, target), runCopy(await sourceKind.open(from), await targetKind.open(to))]);
    expect(results.flatMap(({ outcomes }) => outcomes.map(({ kind }) => kind)).sort()).toEqual(['copied', 'present']);
    expect(Buffer.compare(await diskOf(target, (await allPoints(target))[0]), disk)).toBe(0);
  });
});

describe('copy', () => {
  it('refuses another block size and the repository itself', async () => {
    const source = await newRepository(memoryStore());
    const target = await createRepository(memoryStore(), { blockSizeBytes: 2 * BLOCK }, deps);
    await expect(runCopy(source, target)).rejects.toMatchObject({ code: 'REPO_COPY_INCOMPATIBLE' });
    await expect(runCopy(source, source)).rejects.toMatchObject({ code: 'REPO_COPY_INCOMPATIBLE' });
  });

  it('takes payloads over as they are where digests are the same: the bytes of the packs are the same', async () => {
    const from = memoryStore();
    const to = memoryStore();
    const source = await newRepository(from);
    await backup(source, makeDisk(14, 10));
    const target = await createRepository(to, { blockSizeBytes: BLOCK, compressionLevel: 1 }, deps);
    await runCopy(source, target);
    const data = async (store: ObjectStore): Promise<string> => Buffer.from((await store.get(await packOfType(store, 1))).subarray(64, -64)).toString('hex');
    expect((await data(to)) === (await data(from))).toBe(true);
  });

  it('reads nothing of what the target holds by another way', async () => {
    const disk = makeDisk(15, 20);
    const from = memoryStore();
    const to = memoryStore();
    const source = await newRepository(from);
    const target = await newRepository(to);
    await backup(source, disk, { group: 'vm-1' });
    await backup(target, disk, { group: 'vm-other' });
    const { report } = await runCopy(source, target);
    expect(report).toMatchObject({ copied: 1, readBytes: 0, storedBytes: 0 });
  });

  it('a store of the target that fails ends the copy with its error', async () => {
    const from = memoryStore();
    const to = memoryStore();
    const source = await newRepository(from);
    await newRepository(to);
    await backup(source, makeDisk(16, 4));
    const dead = new Error('the target is gone');
    const target = await reopen(faultyStore(to, ({ kind }) => (kind === 'create' ? { when: 'before', error: dead } : undefined)));
    await expect(runCopy(source, target)).rejects.toBe(dead);
  });

  it('several disks of a point, and one that only the later point has', async () => {
    const source = await newRepository(memoryStore());
    const target = await newRepository(memoryStore(), 'sha256');
    const disks = { 'disk-0': makeDisk(17, 4), 'disk-1': makeDisk(18, 3) };
    const write = async (keys: readonly (keyof typeof disks)[]): Promise<void> => {
      deps.clock.advance(1000);
      await using writer = await source.begin({ group: 'g', runId: 'r', capturedAt: '2026-11-22T19:00:00Z', mode: 'full' });
      for (const key of keys) {
        await writer.writeDisk({ key, sizeBytes: disks[key].length, annotations: { key } }, scanBytes(disks[key], { blockSizeBytes: BLOCK, digest: 'blake3' }));
      }
      await writer.commit({ annotations: {} });
    };
    await write(['disk-1']);
    await write(['disk-0', 'disk-1']);
    await runCopy(source, target);
    const [, second] = await allPoints(target);
    expect(second?.disks.map(({ key, annotations }) => [key, annotations])).toEqual([
      ['disk-0', { key: 'disk-0' }],
      ['disk-1', { key: 'disk-1' }],
    ]);
    for (const key of ['disk-0', 'disk-1'] as const) expect(Buffer.compare(await diskOf(target, second, key), disks[key])).toBe(0);
  });
});
