import { describeWith, requiresTinyFileSystem, TinyFileSystem } from '@onevault/base/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fileStore, type ObjectStore } from '../../src/index.ts';
import { faultyStore, type Operation } from '../../testing/index.ts';
import { expectClear, expectUnharmed, Prepared, secondBackup } from './support/three-backups.ts';

const LARGE_KIB = 64 * 1024;

let prepared: Prepared;
beforeAll(async () => {
  prepared = await Prepared.make();
});
afterAll(() => prepared[Symbol.asyncDispose]());

/** Acts right before an operation of the store. */
function before(store: ObjectStore, wanted: (operation: Operation) => boolean, act: () => void): ObjectStore {
  let acted = false;
  return faultyStore(store, (operation) => {
    if (!acted && wanted(operation)) {
      acted = true;
      act();
    }
    return undefined;
  });
}

describeWith([requiresTinyFileSystem()], 'a real file system', () => {
  it('that is full after any number of its pages harms nothing, says REPO_NO_SPACE, and the run works once there is space', async () => {
    using tiny = new TinyFileSystem(LARGE_KIB);
    let free = 0;
    for (; free < 4096; free += 4) {
      tiny.remount(`size=${LARGE_KIB}k`);
      await prepared.copyTo(tiny.directory);
      tiny.remount(`size=${tiny.used('kib') + free}k`);
      const error = await secondBackup(fileStore(tiny.directory));
      tiny.remount(`size=${LARGE_KIB}k`);
      await expectUnharmed(fileStore(tiny.directory), error);
      if (error === undefined) break;
      expectClear(error, 'REPO_NO_SPACE');
    }
    expect(free).toBeGreaterThan(64); // it did not fit at once
    expect(free).toBeLessThan(4096);
  });

  it('without inodes at any of its files does the same', async () => {
    using tiny = new TinyFileSystem(LARGE_KIB);
    let free = 0;
    for (; free < 100; free++) {
      tiny.remount('nr_inodes=10000');
      await prepared.copyTo(tiny.directory);
      tiny.remount(`nr_inodes=${tiny.used('inodes') + free}`);
      const error = await secondBackup(fileStore(tiny.directory));
      tiny.remount('nr_inodes=10000');
      await expectUnharmed(fileStore(tiny.directory), error);
      if (error === undefined) break;
      expectClear(error, 'REPO_NO_SPACE');
    }
    expect(free).toBeGreaterThan(2);
    expect(free).toBeLessThan(100);
  });

  for (const [moment, wanted] of [
    ['before the first pack', ({ kind, key }) => kind === 'create' && key.startsWith('packs/')],
    ['between packs and index', ({ kind, key }) => kind === 'create' && key.startsWith('index/')],
    ['between index and manifest', ({ kind, key }) => kind === 'put' && key.startsWith('points/')],
  ] as const satisfies readonly (readonly [string, (operation: Operation) => boolean])[]) {
    it(`that becomes read-only ${moment} harms nothing and says REPO_NOT_WRITABLE`, async () => {
      using tiny = new TinyFileSystem(LARGE_KIB);
      await prepared.copyTo(tiny.directory);
      const error = await secondBackup(before(fileStore(tiny.directory), wanted, () => tiny.remount('ro')));
      expectClear(error, 'REPO_NOT_WRITABLE');
      expect(await points(fileStore(tiny.directory))).toBe(1); // readable all the time
      tiny.remount('rw');
      await expectUnharmed(fileStore(tiny.directory), error);
    });
  }
});

async function points(store: ObjectStore): Promise<number> {
  let count = 0;
  for await (const _ of store.list('points/')) count += 1;
  return count;
}
