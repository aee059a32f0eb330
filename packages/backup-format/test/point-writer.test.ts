import { blake3 } from '@napi-rs/blake-hash';
import { seededRandom } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { createRepository, memoryStore, RepositoryError, type WritableRun } from '../src/index.ts';
import { faultyStore, keysOf, readDisk, scanBytes } from '../testing/index.ts';
import { runVerify } from './support/run-verify.ts';
import { changedBlock, fromArray, lend, packsBytes, Releases, spec, zeros } from './support/runs.ts';
import { BLOCK, backup, deps, makeDisk, newRepository, reopen } from './support/small-vm.ts';

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
      {
        name: 'store',
        store: faultyStore(memoryStore(), ({ kind, n }) => (kind === 'write' && n > 4 ? { when: 'before', error: new Error('unplugged') } : undefined)),
      },
      {
        name: 'abort',
        store: faultyStore(memoryStore(), ({ kind, n }) => {
          if (kind === 'write' && n > 4) abort.abort(new Error('enough'));
          return undefined;
        }),
      },
    ];
    for (const { name, store, failAt } of failing) {
      const repository = await newRepository(store);
      const releases = new Releases();
      const lent: number[] = [];
      await using writer = await repository.begin(spec);
      const options = name === 'abort' ? { signal: abort.signal } : {};
      await expect(
        writer.writeDisk({ key: 'd', sizeBytes: disk.length }, lend(disk, releases, { lent, ...(failAt === undefined ? {} : { failAt }) }), options),
        name,
      ).rejects.toThrow({ source: 'vanished', store: 'unplugged', abort: 'enough' }[name] ?? '');
      expect(
        [...releases.counts.keys()].sort((a, b) => a - b),
        name,
      ).toEqual(lent);
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
      await expect(writer.writeDisk({ key: 'd', sizeBytes: 4 * BLOCK }, fromArray(runs)), `runs ${n}`).rejects.toMatchObject({
        code: 'REPO_RUNS_INVALID',
        details: { diskKey: 'd' },
      });
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
    const repository = await newRepository(
      faultyStore(store, ({ kind }) => (fail && kind === 'write' ? { when: 'before', error: new Error('unplugged') } : undefined)),
    );
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
    for (const name of ['', '../x', 'a/../b', '/a', '.a', 'a//b', 'a'.repeat(129)])
      await expect(writer.writeMetadata(name, Buffer.from('x'))).rejects.toThrow(TypeError);
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

  it('I8: lists what became durable before it failed, so that the next run finds it', async () => {
    const store = memoryStore();
    const repository = await createRepository(store, {}, deps);
    const blocks = 80; // more than one pack of noise
    {
      await using writer = await repository.begin(spec);
      await expect(writer.writeDisk({ key: 'a', sizeBytes: (blocks + 1) * MIB }, noise(blocks))).rejects.toMatchObject({ code: 'REPO_RUNS_INVALID' });
    }
    expect(await keysOf(store, 'packs/')).toHaveLength(1);
    expect(await keysOf(store, 'points/')).toEqual([]);
    await using again = await repository.begin(spec);
    const disk = await again.writeDisk({ key: 'a', sizeBytes: blocks * MIB }, noise(blocks));
    expect(disk.stats.dedupBlocks).toBeGreaterThanOrEqual(60);
  });
});

const MIB = 1024 * 1024;

async function* noise(blocks: number): AsyncGenerator<WritableRun, void> {
  const data = seededRandom(1).bytes(MIB);
  for (let index = 0; index < blocks; index++) {
    const block = Buffer.from(data);
    block.writeUInt32LE(index);
    yield { kind: 'changed', index, digest: blake3(block), data: block };
  }
}

describe('a disk whose last object could not be stored', () => {
  it('spoils the run: what was claimed for it is not taken for stored when the disk is written again', async () => {
    const inner = memoryStore();
    const disk = (blocks: number) => fromArray([changedBlock(0), { kind: 'zero', index: 1, count: blocks - 1 }]);
    await using first = await (await newRepository(inner)).begin(spec);
    await first.writeDisk({ key: 'd', sizeBytes: 1024 * BLOCK }, disk(1024));
    await first.commit({ annotations: {} });

    // The larger disk has the same block and the same page: its root is all that is new.
    let failed = 0;
    const failing = faultyStore(inner, ({ kind, key }) => {
      if (kind !== 'create' || !key.startsWith('packs/') || failed++ > 0) return undefined;
      return { when: 'before', error: new RepositoryError({ code: 'REPO_STORE_FAILED', message: 'once' }) };
    });
    await using writer = await (await reopen(failing)).begin(spec);
    const write = () => writer.writeDisk({ key: 'd', sizeBytes: 1100 * BLOCK }, disk(1100));
    await expect(write()).rejects.toMatchObject({ code: 'REPO_STORE_FAILED' });
    expect(failed).toBe(1);
    await expect(write().then(() => writer.commit({ annotations: {} }))).rejects.toMatchObject({ code: 'REPO_STORE_FAILED' });
    expect((await runVerify(await reopen(inner))).damage).toEqual([]);
  });
});
