import type { CopyOptions, CopyOutcome, CopyReport, ObjectStore, Repository, RestorePoint } from '../../src/index.ts';
import { readDisk } from '../../testing/index.ts';
import { keyFile, newEncrypted, openWith } from '../support/encrypted.ts';
import { newRepository, reopen } from '../support/small-vm.ts';

export async function runCopy(
  source: Repository,
  target: Repository,
  options: CopyOptions = {},
): Promise<{ readonly outcomes: CopyOutcome[]; readonly report: CopyReport }> {
  const outcomes: CopyOutcome[] = [];
  const run = source.copyTo(target, options);
  for (let step = await run.next(); ; step = await run.next()) {
    if (step.done) return { outcomes, report: step.value };
    outcomes.push(step.value);
  }
}

export async function diskOf(repository: Repository, point: RestorePoint | undefined, key = 'disk-0'): Promise<Uint8Array> {
  if (!point) throw new Error('there is no such point');
  return readDisk(await repository.openDisk(point, key));
}

export interface Kind {
  create(store: ObjectStore): Promise<Repository>;
  open(store: ObjectStore): Promise<Repository>;
}

export const blake3: Kind = { create: (store) => newRepository(store), open: reopen };
export const sha256: Kind = { create: (store) => newRepository(store, 'sha256'), open: reopen };
/** One key and another: digests of the same algorithm differ. */
export const sealed = (seed: number): Kind => ({ create: (store) => newEncrypted(store, keyFile(seed)), open: (store) => openWith(store, keyFile(seed)) });
