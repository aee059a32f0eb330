import { describe, expect, it } from 'vitest';
import { mergeAfterRun } from '../../src/index/merge-after-run.ts';
import { memoryStore, type ObjectStore, type RestorePoint } from '../../src/index.ts';
import { faultyStore, keysOf, readDisk } from '../../testing/index.ts';
import { digestOf, mergeDeps, packOf, writeTestTable } from '../support/index-tables.ts';
import { runVerify } from '../support/run-verify.ts';
import { BLOCK, backup, makeDisk, newRepository, reopen } from '../support/small-vm.ts';

const RUNS = 24;

/** Backs a disk up again and again, a few blocks changed each time. */
async function manyRuns(
  store: ObjectStore,
): Promise<{ readonly points: readonly RestorePoint[]; readonly disks: readonly Uint8Array[]; readonly most: number }> {
  const repository = await newRepository(store);
  const points: RestorePoint[] = [];
  const disks: Uint8Array[] = [];
  let disk = makeDisk(1, 12);
  let most = 0;
  for (let run = 0; run < RUNS; run++) {
    disk = disk.slice();
    disk.set(makeDisk(100 + run, 2).subarray(0, 2 * BLOCK), (run % 10) * BLOCK);
    const before = points.at(-1);
    points.push(await backup(repository, disk, { parent: before && (await repository.openDisk(before, 'disk-0')) }));
    disks.push(disk);
    most = Math.max(most, (await keysOf(store, 'index/')).length);
  }
  return { points, disks, most };
}

describe('a run that is over', () => {
  it('merges tables, so that many runs leave few; every point restores and verifies', async () => {
    const store = memoryStore();
    const { points, disks, most } = await manyRuns(store);
    expect(most).toBeLessThanOrEqual(4);
    const repository = await reopen(store);
    for (const [n, point] of points.entries()) {
      expect(Buffer.compare(await readDisk(await repository.openDisk(point, 'disk-0')), disks[n] ?? Buffer.alloc(0))).toBe(0);
    }
    expect((await runVerify(repository)).damage).toEqual([]);
  });

  it('does not fail when its tables cannot be merged', async () => {
    const inner = memoryStore();
    const noDeletes = faultyStore(inner, ({ kind, key }) =>
      kind === 'delete' && key.startsWith('index/') ? { when: 'before', error: new Error('this bucket only takes') } : undefined,
    );
    const { points, disks } = await manyRuns(noDeletes);
    expect(points).toHaveLength(RUNS);
    const repository = await reopen(inner);
    const last = points.at(-1);
    if (last) expect(Buffer.compare(await readDisk(await repository.openDisk(last, 'disk-0')), disks.at(-1) ?? Buffer.alloc(0))).toBe(0);
  });

  it('merges in proportion to what it stored: nothing when it stored nothing', async () => {
    const store = memoryStore();
    for (let n = 0; n < 6; n++) await writeTestTable(store, n, [packOf(n, [digestOf(n)])]);
    await mergeAfterRun(mergeDeps(store), 0, {});
    expect(await keysOf(store, 'index/')).toHaveLength(6);
    await mergeAfterRun(mergeDeps(store), 1, { signal: AbortSignal.abort() });
    expect(await keysOf(store, 'index/')).toHaveLength(6);
    await mergeAfterRun(mergeDeps(store), 1, {});
    expect(await keysOf(store, 'index/')).toHaveLength(1);
  });
});
