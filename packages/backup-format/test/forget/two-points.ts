import type { Clock } from '@onevault/base';
import {
  isRepositoryError,
  memoryStore,
  type ObjectStore,
  openRepository,
  type Repository,
  type RepositoryErrorCode,
  type RestorePoint,
} from '../../src/index.ts';
import { allPoints, backup, deps, makeDisk, newRepository, reopen } from '../support/small-vm.ts';

export const disk = makeDisk(1, 2);
export const ticket = { reason: 'ticket-42', by: 'eva@desk' };

export interface TwoPoints {
  readonly store: ObjectStore;
  readonly repository: Repository;
  readonly older: RestorePoint;
  readonly newer: RestorePoint;
}

export async function twoPoints(): Promise<TwoPoints> {
  const store = memoryStore();
  const repository = await newRepository(store);
  const older = await backup(repository, disk);
  const newer = await backup(repository, disk);
  return { store, repository, older, newer };
}

export async function idsOf(store: ObjectStore): Promise<string[]> {
  return (await allPoints(await reopen(store))).map(({ id }) => id);
}

/** Opened by a process for which a moment is over at once: whoever waits a little for somebody else does not wait for the clock of the test. */
export function impatient(store: ObjectStore): Promise<Repository> {
  const { clock } = deps;
  const sleep: Clock['sleep'] = (ms, options) => (ms < 1000 ? new Promise((resolve) => setImmediate(resolve)) : clock.sleep(ms, options));
  return openRepository(store, { clock: { now: () => clock.now(), monotonicMs: () => clock.monotonicMs(), sleep } });
}

export function codeOf(error: unknown): RepositoryErrorCode {
  if (!isRepositoryError(error)) throw error;
  return error.code;
}
