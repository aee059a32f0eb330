import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '@onevault/base';

/** Directories that survive power loss: a name is durable only when the directory that holds it was synced. */
export class DurableDirectories {
  readonly #known = new Map<string, Promise<void>>();

  /** Makes `path` and what is missing above it, each entry durable. */
  ensure(path: string): Promise<void> {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const making = this.#make(path);
    this.#known.set(path, making);
    making.catch(() => this.#known.delete(path));
    return making;
  }

  /** Somebody removed directories behind our back. */
  forget(): void {
    this.#known.clear();
  }

  async #make(path: string): Promise<void> {
    try {
      await mkdir(path);
    } catch (error) {
      const code = errorCode(error);
      if (code === 'EEXIST') return;
      if (code !== 'ENOENT' || dirname(path) === path) throw error;
      await this.ensure(dirname(path));
      await mkdir(path).catch(ignoreExisting);
    }
    await this.sync(dirname(path));
  }

  async sync(path: string): Promise<void> {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } catch (error) {
      // Some network and FUSE file systems refuse to sync a directory: they keep names durable by themselves or not at all.
      if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'].includes(errorCode(error) ?? '')) throw error;
    } finally {
      await handle.close();
    }
  }
}

function ignoreExisting(error: unknown): void {
  if (errorCode(error) !== 'EEXIST') throw error;
}
