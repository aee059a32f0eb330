import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@onevault/base/testing';
import { expect } from 'vitest';
import { fileStore, isRepositoryError, type ObjectStore, type RestorePoint } from '../../../src/index.ts';
import { readDisk } from '../../../testing/index.ts';
import { runVerify } from '../../support/run-verify.ts';
import { allPoints, BLOCK, backup, makeDisk, newRepository, reopen } from '../../support/small-vm.ts';

const first = makeDisk(1, 5);
/** What the run that meets the bad store wants to keep. */
const second = first.slice();
second.set(seededRandom(2).bytes(BLOCK), BLOCK); // zstd makes nothing smaller of it
const third = second.slice();
third.set(makeDisk(3, 1), 4 * BLOCK);

/** Hundreds of short runs, each with its fsyncs: in memory where the system has such a place. */
export function scratchDirectory(name: string): Promise<string> {
  return mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), `onevault-${name}-`));
}

/** A directory with one committed point, to be copied for every way in which the next run can fail. */
export class Prepared implements AsyncDisposable {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  static async make(): Promise<Prepared> {
    const path = await scratchDirectory('prepared');
    await using repository = await newRepository(fileStore(path));
    await backup(repository, first);
    return new Prepared(path);
  }

  async copyTo(path: string): Promise<void> {
    await rm(path, { recursive: true, force: true });
    await cp(this.#path, path, { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#path, { recursive: true });
  }
}

/** The run that may fail: its error, or undefined if it went through. */
export async function secondBackup(store: ObjectStore): Promise<unknown> {
  try {
    await using repository = await reopen(store);
    await backup(repository, second);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** With the store well again: every committed point restores byte for byte, nothing is damaged, and a next run finishes and can be restored. */
export async function expectUnharmed(store: ObjectStore, outcome: unknown): Promise<void> {
  await using repository = await reopen(store);
  const points = await allPoints(repository);
  // A run that failed may have been committed all the same (its answer was lost); one that did not fail has been.
  expect(points.length).toBeGreaterThanOrEqual(outcome === undefined ? 2 : 1);
  expect(points.length).toBeLessThanOrEqual(2);
  const disks = [first, second];
  for (const [n, point] of points.entries()) await expectRestores(repository, point, disks[n]);
  expect((await runVerify(repository)).damage).toEqual([]);
  const next = await backup(repository, third);
  await expectRestores(repository, next, third);
  expect(await allPoints(repository)).toHaveLength(points.length + 1);
}

async function expectRestores(repository: Awaited<ReturnType<typeof reopen>>, point: RestorePoint, disk: Uint8Array | undefined): Promise<void> {
  await using reader = await repository.openDisk(point, 'disk-0');
  expect(Buffer.compare(await readDisk(reader), disk ?? Buffer.alloc(0))).toBe(0);
}

/** The error is ours, says what it is and what a person can do. */
export function expectClear(error: unknown, ...codes: readonly string[]): void {
  expect(isRepositoryError(error), `${error instanceof Error ? error.stack : String(error)}`).toBe(true);
  expect(codes).toContain((error as { code: string }).code);
  expect((error as { hint?: string }).hint).toEqual(expect.any(String));
}
