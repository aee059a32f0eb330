import { renameSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '@onevault/base';
import { FakeClock } from '@onevault/base/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileStore, type ObjectStore, openRepository, retryingStore } from '../../src/index.ts';
import { faultyStore, type Operation, readDisk } from '../../testing/index.ts';
import { allPoints, deps } from '../support/small-vm.ts';
import { expectClear, expectUnharmed, Prepared, scratchDirectory, secondBackup } from './support/three-backups.ts';

let base: string;
let path: string;
let prepared: Prepared;
beforeEach(async () => {
  prepared = await Prepared.make();
  base = await scratchDirectory('vanishing');
  path = join(base, 'repository');
});
afterEach(async () => {
  await prepared[Symbol.asyncDispose]();
  await rm(base, { recursive: true });
});

function vanish(): void {
  renameSync(path, join(base, 'away'));
}

/** Acts right before the nth operation of the store that writes; `met` says whether there was one. */
function beforeWrite(store: ObjectStore, n: number, act: () => void): { readonly store: ObjectStore; readonly met: () => boolean } {
  let met = false;
  const decide = (operation: Operation): undefined => {
    if (!operation.writes || operation.n !== n || met) return;
    met = true;
    act();
  };
  return { store: faultyStore(store, decide), met: () => met };
}

describe('a directory that vanishes', () => {
  it('before any write of a run is an outage, harms nothing, and is not made anew; the next run works when it is back', async () => {
    let n = 1;
    for (; n < 100; n++) {
      await prepared.copyTo(path);
      const { store, met } = beforeWrite(fileStore(path), n, vanish);
      const error = await secondBackup(store);
      if (!met()) break;
      expect(await readdir(base)).toEqual(['away']);
      await rename(join(base, 'away'), path);
      if (error !== undefined) expectClear(error, 'REPO_STORE_FAILED'); // the last writes of a run are its farewell
      await expectUnharmed(fileStore(path), error);
    }
    expect(n).toBeGreaterThan(8);
    expect(n).toBeLessThan(100);
  });

  it('under an open reader fails the restore as an outage, never as damage', async () => {
    await prepared.copyTo(path);
    await using repository = await openRepository(fileStore(path), deps);
    const [point] = await allPoints(repository);
    if (!point) throw new Error('the point is gone');
    await using reader = await repository.openDisk(point, 'disk-0');
    vanish();
    await expect(readDisk(reader)).rejects.toMatchObject({ code: 'REPO_STORE_FAILED', retryable: true });
    renameSync(join(base, 'away'), path);
    expect((await readDisk(reader)).length).toBeGreaterThan(0); // the same reader goes on
  });

  it('and returns within the minute is waited for: the run goes through', async () => {
    await prepared.copyTo(path);
    const time = new FakeClock({ auto: true });
    let slept = 0;
    const clock: Clock = {
      now: () => time.now(),
      monotonicMs: () => time.monotonicMs(),
      sleep: async (ms, options) => {
        if (++slept === 3) renameSync(join(base, 'away'), path);
        await time.sleep(ms, options);
      },
    };
    const { store, met } = beforeWrite(fileStore(path), 1, vanish);
    const error = await secondBackup(retryingStore(store, { clock, random: () => 1 }));
    expect(met()).toBe(true);
    expect(slept).toBe(3);
    expect(error).toBeUndefined();
    await expectUnharmed(fileStore(path), error);
  });
});

describe('permission that is taken away', () => {
  const NOBODY = 65_534;

  /** The same for root, whom no permission stops: for the time of the work it is nobody. */
  async function asNobody<T>(work: () => Promise<T>): Promise<T> {
    const root = process.geteuid?.() === 0;
    if (root) process.seteuid?.(NOBODY);
    try {
      return await work();
    } finally {
      if (root) process.seteuid?.(0);
    }
  }

  async function eachPath(act: (path: string, directory: boolean) => Promise<void>): Promise<void> {
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    for (const entry of entries.reverse()) await act(join(entry.parentPath, entry.name), entry.isDirectory());
    await act(path, true);
  }

  async function ownedByNobody(): Promise<void> {
    await prepared.copyTo(path);
    await chmod(base, 0o755);
    if (process.geteuid?.() === 0) await eachPath((at) => chown(at, NOBODY, NOBODY));
  }

  function setMode(fileMode: number, directoryMode: number): Promise<void> {
    return eachPath((at, directory) => chmod(at, directory ? directoryMode : fileMode));
  }

  it('to write is REPO_NOT_WRITABLE and harms nothing', async () => {
    await ownedByNobody();
    await setMode(0o444, 0o555);
    const error = await asNobody(() => secondBackup(fileStore(path)));
    expectClear(error, 'REPO_NOT_WRITABLE');
    await setMode(0o644, 0o755);
    await asNobody(() => expectUnharmed(fileStore(path), error));
  });

  it('to read is told from damage, and says what to check', async () => {
    await ownedByNobody();
    await chmod(join(path, 'packs'), 0);
    await asNobody(async () => {
      await using repository = await openRepository(fileStore(path), deps);
      const [point] = await allPoints(repository);
      if (!point) throw new Error('the point is gone');
      await using reader = await repository.openDisk(point, 'disk-0');
      const error = await readDisk(reader).catch((failure: unknown) => failure);
      expectClear(error, 'REPO_STORE_FAILED');
      expect(error).toMatchObject({ hint: expect.stringContaining('owner and mode') });
    });
    await chmod(join(path, 'packs'), 0o755);
    await asNobody(() => expectUnharmed(fileStore(path), new Error('no run')));
  });

  it('to a directory that holds the manifests fails a listing instead of showing none', async () => {
    await ownedByNobody();
    await mkdir(join(path, 'points'), { recursive: true });
    await chmod(join(path, 'points'), 0);
    await asNobody(async () => {
      await using repository = await openRepository(fileStore(path), deps);
      const error = await allPoints(repository).catch((failure: unknown) => failure);
      expectClear(error, 'REPO_STORE_FAILED');
    });
    await chmod(join(path, 'points'), 0o755);
  });
});
