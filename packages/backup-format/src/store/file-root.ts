import { stat } from 'node:fs/promises';
import { RepositoryError } from '../errors.ts';
import { isAbsent } from './file-errors.ts';
import { fileIdentity } from './file-naming.ts';

/**
 * The directory of a store, known again by device and inode. Once it was seen, a path where it is no more (unmounted, moved away, another disk in
 * its place) is an outage: never an empty repository to list, never lost objects, never a reason to make the directory anew on the disk below.
 */
export class RootDirectory {
  readonly #path: string;
  #identity: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Before anything is answered for the first time: remembers the directory if it is there. */
  async meet(): Promise<void> {
    if (this.#identity === undefined) await this.check();
  }

  /** Throws REPO_STORE_FAILED (retryable) when the directory that was seen is not there now. */
  async check(): Promise<void> {
    const found = await this.#find();
    this.#identity ??= found;
    if (found === this.#identity) return;
    throw new RepositoryError({
      code: 'REPO_STORE_FAILED',
      message: found === undefined ? `${this.#path} has vanished` : `${this.#path} is another directory than before`,
      details: { location: this.#path },
      retryable: true,
      hint: 'bring back what held the repository (is it mounted?), then run again; every committed restore point is intact',
    });
  }

  async #find(): Promise<string | undefined> {
    try {
      return fileIdentity(await stat(this.#path, { bigint: true }));
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }
}
