import { describe, expect, it } from 'vitest';
import { blake3 } from '@napi-rs/blake-hash';
import { type DiskReader, memoryStore, type ObjectStore, RepositoryError, type WritableRun } from '../src/index.ts';
import { faultyStore, flipBit, keysOf, readDisk, scanBytes } from '../testing/index.ts';
import { allPoints, BLOCK, backup, makeDisk, newRepository, reopen } from './support/small-vm.ts';
import { runVerify } from './support/run-verify.ts';

const spec = { group: 'vm-1', runId: 'run', capturedAt: '2026-11-22T19:00:00Z', mode: 'full' } as const;

/** Blocks whose memory was given back, counted. */
class Releases {
  readonly counts = new Map<number, number>();
  readonly note = (index: number): void => void this.counts.set(index, (this.counts.get(index) ?? 0) + 1);

  expectEachOnce(): void {
    expect([...this.counts.values()].every((count) => count === 1)).toBe(true);
  }
}

/** Lends the blocks of a disk and counts what was lent. */
async function* lend(disk: Uint8Array, releases: Releases, options: { readonly failAt?: number; readonly lent?: number[] } = {}): AsyncGenerator<WritableRun, void> {
  for await (const run of scanBytes(disk, { blockSizeBytes: BLOCK, digest: 'blake3', onRelease: releases.note })) {
    if (run.index === options.failAt) throw new Error('the device vanished');
    if (run.kind === 'changed') options.lent?.push(run.index);
    yield run;
  }
}

async function packsBytes(store: ObjectStore): Promise<number> {
  let total = 0;
  for await (const { sizeBytes } of store.list('packs/')) total += sizeBytes;
  return total;
}

describe('writing a disk', () => {
  it('gives every changed block back exactly once: stored, known, raw and compressed ones', async () => {
    const repository = await newRepository(memoryStore());
    const disk = makeDisk(1, 30);
    disk.set(disk.subarray(0, 5 * BLOCK), 20 * BLOCK); // known within the run
    for (let round = 0; round < 2; round++) {
      const releases = new Releases();
      const lent: number[] = [];
      await using writer = await repository.begin(spec);
      await writer.writeDisk({ key: 'd', sizeBytes: disk.length }, lend(disk, releases, { lent }));
      await writer.commit({ annotations: {} });
      expect([...releases.counts.keys()].sort((a, b) => a - b)).toEqual(lent);
      releases.expectEachOnce();
    }
  });

  it('gives every lent block back exactly once when the source fails, the store fails or the call is aborted', async () => {
    const disk = makeDisk(2, 30);
    const abort = new AbortController();
    const failing = [
      { name: 'source', store: memoryStore(), failAt: 17 },
      { name: 'store', store: faultyStore(memoryStore(), ({ kind, n }) => (kind === 'write' && n > 4 ? { when: 'before', error: new Error('unplugged') } : undefined)) },
      { name: 'abort', store: faultyStore(memoryStore(), ({ kind, n }) => (kind === 'write' && n > 4 ? (abort.abort(new Error('enough')), undefined) : undefined)) },
    ];
    for (const { name, store, failAt } of failing) {
      const repository = await newRepository(store);
      const releases = new Releases();
      const lent: number[] = [];
      await using writer = await repository.begin(spec);
      const options = name === 'abort' ? { signal: abort.signal } : {};
      await expect(writer.writeDisk({ key: 'd', sizeBytes: disk.length }, lend(disk, releases, { lent, ...(failAt === undefined ? {} : { failAt }) }), options), name).rejects.toThrow(
        { source: 'vanished', store: 'unplugged', abort: 'enough' }[name] ?? '',
      );
      expect([...releases.counts.keys()].sort((a, b) => a - b), name).toEqual(lent);
      releases.expectEachOnce();
    }
  });

  it('does not wait for the next block before it gives the last ones back', async () => {
    const repository = await newRepository(memoryStore());
    const blocks = 40;
    const waiting = new Map<number, () => void>();
    async function* oneAtATime(): AsyncGenerator<WritableRun, void> {
      for (let index = 0; index < blocks; index++) {
        const data = makeDisk(index, 1).subarray(0, BLOCK);
        data[0] = 1 + index;
        const released = new Promise<void>((resolve) => waiting.set(index, resolve));
        yield { kind: 'changed', index, digest: blake3(data), data, release: () => waiting.get(index)?.() };
        await released;
      }
    }
    await using writer = await repository.begin(spec);
    const disk = await writer.writeDisk({ key: 'd', sizeBytes: blocks * BLOCK }, oneAtATime());
    expect(disk.stats.changedBlocks).toBe(blocks);
  });

  it('stores equal blocks once, within a disk, across disks written at the same time, and across points', async () => {
    const store = memoryStore();
    const repository = await newRepository(store);
    const disk = makeDisk(3, 20);
    await using writer = await repository.begin(spec);
    const runs = (): AsyncIterable<WritableRun> => scanBytes(disk, { blockSizeBytes: BLOCK, digest: 'blake3' });
    const disks = await Promise.all(['a', 'b', 'c'].map((key) => writer.writeDisk({ key, sizeBytes: disk.length }, runs())));
    const point = await writer.commit({ annotations: {} });
    const changed = disks[0]?.stats.changedBlocks ?? 0;
    expect(point.stats).toMatchObject({ changedBlocks: 3 * changed });
    expect(point.stats.newChunks + point.stats.dedupBlocks).toBe(3 * changed);
    expect(point.stats.newChunks).toBeLessThanOrEqual(changed);
    const before = await packsBytes(store);
    const again = await backup(await reopen(store), disk);
    expect(again.stats).toMatchObject({ newChunks: 0, dedupBlocks: changed });
    expect((await packsBytes(store)) - before).toBeLessThan(1000); // the metadata file
    for (const key of ['a', 'b', 'c']) expect(Buffer.compare(await readDisk(await repository.openDisk(point, key)), disk)).toBe(0);
  });

  it('I5: stores nothing at all for a disk of zeros', async () => {
    const store = memoryStore();
    const repository = await newRepository(store);
    await using writer = await repository.begin(spec);
    const disk = await writer.writeDisk({ key: 'd', sizeBytes: 5000 * BLOCK + 7 }, zeros(5001));
    const empty = await writer.writeDisk({ key: 'e', sizeBytes: 0 }, zeros(0));
    const point = await writer.commit({ annotations: {} });
    expect([disk.root, empty.root]).toEqual(['0'.repeat(64), '0'.repeat(64)]);
    expect(await keysOf(store, 'packs/')).toEqual([]);
    expect(await keysOf(store, 'index/')).toEqual([]);
    let length = 0;
    for await (const run of (await repository.openDisk(point, 'd')).blocks()) length += run.kind === 'zero' ? run.length : Number.NaN;
    expect(length).toBe(5000 * BLOCK + 7);
  });

  it('refuses runs that do not cover the disk exactly once', async () => {
    const repository = await newRepository(memoryStore());
    const data = new Uint8Array(BLOCK).fill(1);
    const changed = (index: number): WritableRun => ({ kind: 'changed', index, digest: blake3(data), data });
    const zero = (index: number, count: number): WritableRun => ({ kind: 'zero', index, count });
    const wrong: WritableRun[][] = [
      [],
      [zero(0, 3)],
      [zero(0, 5)],
      [zero(1, 3)],
      [zero(0, 2), zero(1, 2)],
      [zero(0, 2), zero(3, 1)],
      [zero(0, 0), zero(0, 4)],
      [zero(0, 1.5), zero(1.5, 2.5)],
      [changed(0), changed(0), zero(1, 3)],
      [{ kind: 'unchanged', index: 0, count: 4 }],
      [{ kind: 'changed', index: 0, digest: blake3(data), data: data.subarray(1) }, zero(1, 3)],
      [{ kind: 'changed', index: 0, digest: new Uint8Array(32), data }, zero(1, 3)],
      [{ kind: 'changed', index: 0, digest: new Uint8Array(31).fill(1), data }, zero(1, 3)],
    ];
    await using writer = await repository.begin(spec);
    for (const [n, runs] of wrong.entries()) {
      await expect(writer.writeDisk({ key: 'd', sizeBytes: 4 * BLOCK }, fromArray(runs)), `runs ${n}`).rejects.toMatchObject({ code: 'REPO_RUNS_INVALID', details: { diskKey: 'd' } });
    }
    await writer.writeDisk({ key: 'd', sizeBytes: 4 * BLOCK }, fromArray([changed(0), zero(1, 3)]));
    await writer.commit({ annotations: {} });
  });

  it('goes on with the other disks when one source fails; the committed point is whole', async () => {
    const store = memoryStore();
    const repository = await newRepository(store);
    const disk = makeDisk(4, 20);
    await using writer = await repository.begin(spec);
    await expect(writer.writeDisk({ key: 'a', sizeBytes: disk.length }, lend(disk, new Releases(), { failAt: 15 }))).rejects.toThrow('vanished');
    await writer.writeDisk({ key: 'b', sizeBytes: disk.length }, lend(disk, new Releases()));
    const point = await writer.commit({ annotations: {} });
    expect(point.disks.map(({ key }) => key)).toEqual(['b']);
    expect((await runVerify(await reopen(store))).damage).toEqual([]);
  });

  it('I2: never commits after the store has lost a chunk of the run', async () => {
    const store = memoryStore();
    let fail = false;
    const repository = await newRepository(faultyStore(store, ({ kind }) => (fail && kind === 'write' ? { when: 'before', error: new Error('unplugged') } : undefined)));
    await using writer = await repository.begin(spec);
    fail = true;
    const disk = makeDisk(5, 20);
    await expect(writer.writeDisk({ key: 'a', sizeBytes: disk.length }, lend(disk, new Releases()))).rejects.toThrow('unplugged');
    fail = false;
    await expect(writer.writeDisk({ key: 'b', sizeBytes: disk.length }, lend(disk, new Releases()))).rejects.toThrow('unplugged');
    await expect(writer.commit({ annotations: {} })).rejects.toThrow('unplugged');
    expect(await keysOf(store, 'points/')).toEqual([]);
  });

  it('I2: leaves nothing that is visible when its scope is left without a commit', async () => {
    const store = memoryStore();
    const repository = await newRepository(store);
    const disk = makeDisk(6, 20);
    {
      await using writer = await repository.begin(spec);
      await writer.writeDisk({ key: 'a', sizeBytes: disk.length }, lend(disk, new Releases()));
    }
    expect(await keysOf(store, '')).toEqual(['onevault.json']);
  });

  it('refuses a second part of a name, a part after the end, and names that climb', async () => {
    const repository = await newRepository(memoryStore());
    await using writer = await repository.begin(spec);
    await writer.writeMetadata('images/12.xml', Buffer.from('<IMAGE/>'));
    await expect(writer.writeMetadata('images/12.xml', Buffer.from('<IMAGE/>'))).rejects.toThrow(TypeError);
    for (const name of ['', '../x', 'a/../b', '/a', '.a', 'a//b', 'a'.repeat(129)]) await expect(writer.writeMetadata(name, Buffer.from('x'))).rejects.toThrow(TypeError);
    await writer.writeMetadata('empty', new Uint8Array(0));
    const point = await writer.commit({ annotations: {} });
    await expect(writer.writeMetadata('late', Buffer.from('x'))).rejects.toThrow(TypeError);
    expect((await repository.readMetadata(point, 'empty')).length).toBe(0);
    await expect(repository.begin({ ...spec, group: 'VM 1' })).rejects.toThrow(TypeError);
  });

  it('refuses what the format cannot hold', async () => {
    const repository = await newRepository(memoryStore());
    await using writer = await repository.begin(spec);
    await expect(writer.writeDisk({ key: 'd', sizeBytes: 33 * 2 ** 40 }, zeros(1))).rejects.toMatchObject({ code: 'REPO_TOO_LARGE' });
    await expect(writer.writeMetadata('big', new Uint8Array(16 * 1024 * 1024 + 1))).rejects.toMatchObject({ code: 'REPO_TOO_LARGE' });
  });
});

describe('an incremental', () => {
  it('takes whole pages over by digest and reads none of them', async () => {
    const store = memoryStore();
    let pageReads = 0;
    const repository = await newRepository(faultyStore(store, ({ kind, key }) => (kind === 'get' && key.startsWith('packs/') ? void (pageReads += 1) : undefined)));
    const blocks = 3 * 1024 + 10;
    const first = await writeRuns(repository, blocks * BLOCK, [changedBlock(0), { kind: 'zero', index: 1, count: 1023 }, changedBlock(1024), { kind: 'zero', index: 1025, count: blocks - 1026 }, changedBlock(blocks - 1)]);
    const parent = await repository.openDisk(first, 'd');
    pageReads = 0;
    const second = await writeRuns(repository, blocks * BLOCK, [{ kind: 'unchanged', index: 0, count: 2048 }, { kind: 'zero', index: 2048, count: 1024 }, { kind: 'unchanged', index: 3072, count: 10 }], parent);
    expect(second.disks[0]?.root).toBe(first.disks[0]?.root);
    expect(pageReads).toBe(2); // its parent's root, and the root it would have stored, which is that one
  });

  it('of a disk that grew or shrank copies what is alike, and refuses a short block as unchanged', async () => {
    const repository = await newRepository(memoryStore());
    const disk = makeDisk(7, 10);
    const first = await backup(repository, disk);
    const grown = new Uint8Array(14 * BLOCK + 5);
    grown.set(disk);
    const shrunk = grown.slice(0, 6 * BLOCK + 3);
    const second = await backup(repository, grown, { parent: await repository.openDisk(first, 'disk-0') });
    const third = await backup(repository, shrunk, { parent: await repository.openDisk(second, 'disk-0') });
    expect(second.stats.changedBlocks).toBe(1);
    expect(Buffer.compare(await readDisk(await repository.openDisk(second, 'disk-0')), grown)).toBe(0);
    expect(Buffer.compare(await readDisk(await repository.openDisk(third, 'disk-0')), shrunk)).toBe(0);
    const parent = await repository.openDisk(first, 'disk-0');
    await expect(writeRuns(repository, 11 * BLOCK, [{ kind: 'unchanged', index: 0, count: 11 }], parent)).rejects.toMatchObject({ code: 'REPO_RUNS_INVALID' });
  });

  it('I17: refuses a parent of another repository', async () => {
    const other = await newRepository(memoryStore());
    const parent = await other.openDisk(await backup(other, makeDisk(8, 5)), 'disk-0');
    await expect(backup(await newRepository(memoryStore()), makeDisk(8, 5), { parent })).rejects.toThrow(TypeError);
  });

  it('I3: restores after the manifest it was made from is gone', async () => {
    const repository = await newRepository(memoryStore());
    const disk = makeDisk(9, 20);
    const first = await backup(repository, disk);
    disk.fill(3, 4 * BLOCK, 4 * BLOCK + 10);
    const second = await backup(repository, disk, { parent: await repository.openDisk(first, 'disk-0') });
    await repository.forgetPoint(first.id);
    expect((await allPoints(repository)).map(({ id }) => id)).toEqual([second.id]);
    expect(Buffer.compare(await readDisk(await repository.openDisk(second, 'disk-0')), disk)).toBe(0);
  });
});

describe('healing', () => {
  it('an incremental stores a damaged page again, and every point that uses it reads again', async () => {
    const store = memoryStore();
    const repository = await newRepository(store);
    const disk = makeDisk(10, 20);
    const first = await backup(repository, disk);
    const indexPack = await packOfType(store, 2);
    await flipBit(store, indexPack, 64 + 48 + 40);
    const again = await reopen(store);
    const parent = await again.openDisk(first, 'disk-0');
    expect(await parent.digests(0, 1)).toBeUndefined();
    const second = await backup(again, disk, { parent });
    const fresh = await reopen(store);
    for (const point of [first, second]) expect(Buffer.compare(await readDisk(await fresh.openDisk(point, 'disk-0')), disk)).toBe(0);
    expect((await runVerify(fresh)).damage).toMatchObject([{ key: indexPack, affects: [] }]);
  });

  it('a chunk that a sample found damaged is stored again when its block is read again', async () => {
    const store = memoryStore();
    const disk = makeDisk(11, 20);
    const first = await backup(await newRepository(store), disk);
    await flipBit(store, await packOfType(store, 1), 64 + 48 + 20);
    const repository = await reopen(store);
    const parent = await repository.openDisk(first, 'disk-0');
    let draws = 0;
    const { checked, damaged } = await parent.sample(1000, () => (draws++ * 0.37) % 1);
    expect(checked).toBeGreaterThan(5);
    expect(damaged.length).toBeGreaterThan(0);
    const second = await backup(repository, disk); // a scan that rereads all
    expect(second.stats.newChunks).toBe(1);
    const fresh = await reopen(store);
    expect(Buffer.compare(await readDisk(await fresh.openDisk(first, 'disk-0')), disk)).toBe(0);
  });

  it('a full that confirms stores what the index promises but no pack holds', async () => {
    for (const harm of ['gone', 'trailer'] as const) {
      const store = memoryStore();
      const disk = makeDisk(12, 20);
      const first = await backup(await newRepository(store), disk);
      const pack = await packOfType(store, 1);
      if (harm === 'gone') await store.delete(pack);
      else await flipBit(store, pack, -70);
      const trusting = await backup(await reopen(store), disk);
      expect(trusting.stats.newChunks).toBe(0);
      const confirming = await backup(await reopen(store), disk, { confirmDedup: true });
      expect(confirming.stats.newChunks).toBe(first.stats.newChunks);
      const fresh = await reopen(store);
      for (const point of [first, confirming]) expect(Buffer.compare(await readDisk(await fresh.openDisk(point, 'disk-0')), disk)).toBe(0);
    }
  });

  it('I9: a backup beside a damaged index table goes on and stores anew', async () => {
    const store = memoryStore();
    const disk = makeDisk(13, 20);
    const first = await backup(await newRepository(store), disk);
    const [table = ''] = await keysOf(store, 'index/');
    await flipBit(store, table, 100);
    const second = await backup(await reopen(store), disk);
    expect(second.stats.newChunks).toBe(first.stats.newChunks);
    const fresh = await reopen(store);
    for (const point of [first, second]) expect(Buffer.compare(await readDisk(await fresh.openDisk(point, 'disk-0')), disk)).toBe(0);
  });
});

async function packOfType(store: ObjectStore, type: number): Promise<string> {
  for (const key of await keysOf(store, 'packs/')) if ((await store.get(key))[64 + 4] === type) return key;
  throw new RepositoryError({ code: 'REPO_OBJECT_MISSING', message: `no pack begins with type ${type}` });
}

async function* zeros(count: number): AsyncGenerator<WritableRun, void> {
  if (count > 0) yield { kind: 'zero', index: 0, count };
}

async function* fromArray(runs: readonly WritableRun[]): AsyncGenerator<WritableRun, void> {
  yield* runs;
}

function changedBlock(index: number): WritableRun {
  const data = new Uint8Array(BLOCK).fill(1 + (index % 255));
  return { kind: 'changed', index, digest: blake3(data), data };
}

async function writeRuns(repository: Awaited<ReturnType<typeof newRepository>>, sizeBytes: number, runs: readonly WritableRun[], parent?: DiskReader) {
  await using writer = await repository.begin({ ...spec, mode: parent ? 'incremental' : 'full' });
  await writer.writeDisk({ key: 'd', sizeBytes, ...(parent ? { parent } : {}) }, fromArray(runs));
  return await writer.commit({ annotations: {} });
}
