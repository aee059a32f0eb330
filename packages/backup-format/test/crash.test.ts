import { describe, expect, it } from 'vitest';
import { memoryStore, type ObjectStore } from '../src/index.ts';
import { Crash, crashAtWrite, faultyStore, fullFromWrite, readDisk } from '../testing/index.ts';
import { runVerify } from './support/run-verify.ts';
import { allPoints, BLOCK, backup, makeDisk, newRepository, reopen } from './support/small-vm.ts';

const before = makeDisk(1, 20);
const after = (() => {
  const disk = before.slice();
  disk.set(makeDisk(2, 3), 5 * BLOCK);
  disk.fill(0, 12 * BLOCK, 14 * BLOCK);
  return disk;
})();

/** A repository with one committed point, and what a second run did to it before it died. Answers how often the run had written, if it lived. */
async function runThatDies(store: ObjectStore, faults: Parameters<typeof faultyStore>[1]): Promise<number | undefined> {
  const faulty = faultyStore(store, faults);
  const repository = await reopen(faulty);
  try {
    const [point] = await allPoints(repository);
    if (!point) throw new Error('the first point is gone');
    await backup(repository, after, { parent: await repository.openDisk(point, 'disk-0') });
    return faulty.writes;
  } catch (error) {
    if (error instanceof Crash || (error instanceof Error && 'code' in error && error.code === 'REPO_NO_SPACE')) return undefined;
    throw error;
  }
}

async function storeWithOnePoint(): Promise<ObjectStore> {
  const store = memoryStore();
  await backup(await newRepository(store), before);
  return store;
}

/** I2, I3: what was committed restores; the point that was being written is there whole or not at all; the next backup works. */
async function expectIntact(store: ObjectStore): Promise<void> {
  const repository = await reopen(store);
  const points = await allPoints(repository);
  expect([1, 2]).toContain(points.length);
  for (const [n, point] of points.entries()) {
    const restored = await readDisk(await repository.openDisk(point, 'disk-0'));
    expect(Buffer.compare(restored, n === 0 ? before : after)).toBe(0);
  }
  expect((await runVerify(repository)).damage).toEqual([]);
  const newest = points.at(-1);
  const next = await backup(repository, after, { parent: newest && (await repository.openDisk(newest, 'disk-0')) });
  expect(Buffer.compare(await readDisk(await repository.openDisk(next, 'disk-0')), after)).toBe(0);
  expect((await runVerify(await reopen(store))).damage).toEqual([]);
}

describe('I2: a run that dies', () => {
  for (const when of ['before', 'after'] as const) {
    it(`${when} any of its writes leaves every committed point whole and the next run able to work`, async () => {
      let n = 1;
      for (; n < 100; n++) {
        const store = await storeWithOnePoint();
        const wrote = await runThatDies(store, crashAtWrite(n, when));
        await expectIntact(store);
        if (wrote !== undefined) break;
      }
      expect(n).toBeGreaterThan(8); // pack, index pack, table, manifest: each opened, written, committed
      expect(n).toBeLessThan(100);
    });
  }

  it('for want of space from any write on does the same, and says REPO_NO_SPACE', async () => {
    for (let n = 1; n < 100; n++) {
      const store = await storeWithOnePoint();
      const wrote = await runThatDies(store, fullFromWrite(n));
      await expectIntact(store);
      if (wrote !== undefined) return;
    }
    expect.unreachable('the run never had enough space');
  });

  it('while the repository is created leaves nothing, or a repository', async () => {
    for (const when of ['before', 'after'] as const) {
      const store = memoryStore();
      await expect(newRepository(faultyStore(store, crashAtWrite(1, when)))).rejects.toThrow(Crash);
      if (when === 'before') await newRepository(store);
      else await reopen(store);
    }
  });
});
