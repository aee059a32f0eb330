import { describe, expect, it } from 'vitest';
import { memoryStore } from '../src/index.ts';
import { faultyStore, readDisk } from '../testing/index.ts';
import { changedBlock, writeRuns } from './support/runs.ts';
import { allPoints, BLOCK, backup, makeDisk, newRepository } from './support/small-vm.ts';

describe('an incremental', () => {
  it('takes whole pages over by digest and reads none of them', async () => {
    const store = memoryStore();
    let pageReads = 0;
    const count = (): undefined => {
      pageReads += 1;
    };
    const repository = await newRepository(faultyStore(store, ({ kind, key }) => (kind === 'get' && key.startsWith('packs/') ? count() : undefined)));
    const blocks = 3 * 1024 + 10;
    const first = await writeRuns(repository, blocks * BLOCK, [
      changedBlock(0),
      { kind: 'zero', index: 1, count: 1023 },
      changedBlock(1024),
      { kind: 'zero', index: 1025, count: blocks - 1026 },
      changedBlock(blocks - 1),
    ]);
    const parent = await repository.openDisk(first, 'd');
    pageReads = 0;
    const second = await writeRuns(
      repository,
      blocks * BLOCK,
      [
        { kind: 'unchanged', index: 0, count: 2048 },
        { kind: 'zero', index: 2048, count: 1024 },
        { kind: 'unchanged', index: 3072, count: 10 },
      ],
      parent,
    );
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
