import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { errorCode } from '@onevault/base';
import { EntryRefused } from './entry-refused.ts';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * A directory of this machine that is held open. Names are looked up in it by way of /proc/self/fd, which is what openat(2) does: whatever others rename or
 * link meanwhile, what is written lands in this directory, and the last component is never followed.
 */
export class HeldDirectory implements AsyncDisposable {
  readonly handle: FileHandle;

  constructor(handle: FileHandle) {
    this.handle = handle;
  }

  static async open(path: string): Promise<HeldDirectory> {
    return new HeldDirectory(await open(path, constants.O_RDONLY | constants.O_DIRECTORY));
  }

  /** The path of a name in this directory, valid while it is held. */
  at(name: Uint8Array): Buffer {
    return Buffer.concat([Buffer.from(`/proc/self/fd/${this.handle.fd}/`), name]);
  }

  /** Throws EntryRefused where the name is a link or no directory. */
  async openBelow(name: Uint8Array): Promise<HeldDirectory> {
    try {
      return new HeldDirectory(await open(this.at(name), DIRECTORY));
    } catch (error) {
      if (['ELOOP', 'ENOTDIR'].includes(errorCode(error) ?? '')) throw new EntryRefused('through-link', { cause: error });
      throw error;
    }
  }

  /** The directory of this name, made when there is none; whether it was made. */
  async enter(name: Uint8Array): Promise<{ readonly directory: HeldDirectory; readonly made: boolean }> {
    const made = await mkdir(this.at(name), 0o700).then(
      () => true,
      (error: unknown) => {
        if (errorCode(error) !== 'EEXIST') throw error;
        return false;
      },
    );
    return { directory: await this.openBelow(name), made };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.close();
  }
}
