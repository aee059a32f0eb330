import { randomBytes } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { link, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type CallOptions, errorCode } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import { DurableDirectories } from './durable-directories.ts';
import { type Doing, isAbsent, storeError } from './file-errors.ts';
import { FileWriter } from './file-writer.ts';
import { objectExists, objectMissing, objectTooShort } from './object-errors.ts';
import { checkKey, type GetOptions, type ObjectKey, type ObjectStat, type ObjectStore, type ObjectWriter, type PutOptions } from './object-store.ts';

export interface FileStoreOptions {
  /** Names of temporary files; injected by tests. */
  readonly randomBytes?: (length: number) => Uint8Array;
}

/**
 * Objects as files below `path`, on any mount, NFS included: temporary file in the same directory, fsync, link (which fails if the name is taken),
 * fsync of the directory. No locks, no access times. Does nothing before the first call; directories are made as objects need them.
 */
export function fileStore(path: string, options: FileStoreOptions = {}): ObjectStore {
  return new FileStore(path, options.randomBytes ?? randomBytes);
}

class FileStore implements ObjectStore {
  readonly location: string;
  readonly #directories = new DurableDirectories();
  readonly #randomBytes: (length: number) => Uint8Array;

  constructor(path: string, random: (length: number) => Uint8Array) {
    this.location = path;
    this.#randomBytes = random;
  }

  async put(key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<'created' | 'existed'> {
    const writer = await this.#open(key, options.ifAbsent ? 'exclusive' : 'replace', options);
    try {
      await writer.write([body], options);
      await writer.commit(options);
      return 'created';
    } catch (error) {
      await writer.abort();
      if (options.ifAbsent && isRepositoryError(error, 'REPO_OBJECT_EXISTS')) return 'existed';
      throw error;
    }
  }

  create(key: ObjectKey, options: CallOptions = {}): Promise<ObjectWriter> {
    return this.#open(key, 'exclusive', options);
  }

  async #open(key: ObjectKey, naming: 'exclusive' | 'replace', options: CallOptions): Promise<ObjectWriter> {
    checkKey(key);
    options.signal?.throwIfAborted();
    const path = this.#path(key);
    const temporary = join(dirname(path), `.tmp-${basename(path)}-${Buffer.from(this.#randomBytes(8)).toString('hex')}`);
    return this.#try('write', key, async () => {
      await this.#directories.ensure(dirname(path));
      const handle = await open(temporary, 'wx');
      const publish = (): Promise<void> => this.#publish(key, temporary, path, naming);
      return new FileWriter({ key, handle, temporary, publish });
    });
  }

  /** Gives the durable temporary file its name, then makes the name durable. */
  async #publish(key: ObjectKey, temporary: string, path: string, naming: 'exclusive' | 'replace'): Promise<void> {
    if (naming === 'replace') await rename(temporary, path);
    else await linkExclusively(key, temporary, path);
    await this.#directories.sync(dirname(path));
  }

  async get(key: ObjectKey, options: GetOptions = {}): Promise<Uint8Array> {
    checkKey(key);
    options.signal?.throwIfAborted();
    return this.#try('read', key, async () => {
      const handle = await open(this.#path(key), 'r');
      try {
        const sizeBytes = options.range ? undefined : (await handle.stat()).size;
        const { offset, length } = options.range ?? { offset: 0, length: sizeBytes ?? 0 };
        const target = Buffer.allocUnsafeSlow(length);
        let done = 0;
        while (done < length) {
          const { bytesRead } = await handle.read(target, done, length - done, offset + done);
          if (bytesRead === 0) throw objectTooShort(key, offset, length, offset + done);
          done += bytesRead;
        }
        return target;
      } finally {
        await handle.close();
      }
    });
  }

  async stat(key: ObjectKey, options: CallOptions = {}): Promise<ObjectStat | undefined> {
    checkKey(key);
    options.signal?.throwIfAborted();
    try {
      const found = await stat(this.#path(key));
      return found.isFile() ? { key, sizeBytes: found.size } : undefined;
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw storeError('read', this.location, key, error);
    }
  }

  async *list(prefix: string, options: CallOptions = {}): AsyncIterable<ObjectStat> {
    const directory = prefix.replace(/\/$/, '');
    for (const { name, directory: isDirectory, key } of await this.#entries(directory)) {
      options.signal?.throwIfAborted();
      if (name.startsWith('.') || key === 'lost+found') continue;
      if (isDirectory) yield* this.list(`${key}/`, options);
      else {
        const found = await this.#statListed(key);
        if (found) yield found;
      }
    }
  }

  /** Sorted as keys sort: a directory by its name and the slash that follows it. */
  async #entries(directory: string): Promise<{ readonly name: string; readonly key: string; readonly directory: boolean }[]> {
    let dirents: Dirent[];
    try {
      dirents = await readdir(this.#path(directory), { withFileTypes: true });
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return [];
      throw storeError('list', this.location, directory, error);
    }
    const entries = await Promise.all(dirents.map((dirent) => this.#entry(directory, dirent)));
    return entries.sort((a, b) => compare(sortKey(a), sortKey(b)));
  }

  async #entry(directory: string, dirent: Dirent): Promise<{ readonly name: string; readonly key: string; readonly directory: boolean }> {
    const key = directory === '' ? dirent.name : `${directory}/${dirent.name}`;
    // Some network file systems do not say what an entry is, and a link says only that it is one.
    const known = dirent.isFile() || dirent.isDirectory();
    const isDirectory = known ? dirent.isDirectory() : await isDirectoryAt(this.#path(key));
    return { name: dirent.name, key, directory: isDirectory };
  }

  async #statListed(key: ObjectKey): Promise<ObjectStat | undefined> {
    try {
      return { key, sizeBytes: (await stat(this.#path(key))).size };
    } catch (error) {
      if (isAbsent(error)) return undefined; // deleted since the directory was read
      throw storeError('list', this.location, key, error);
    }
  }

  async delete(key: ObjectKey, options: CallOptions = {}): Promise<void> {
    checkKey(key);
    options.signal?.throwIfAborted();
    try {
      await unlink(this.#path(key));
    } catch (error) {
      if (isAbsent(error)) return;
      throw storeError('write', this.location, key, error);
    }
    await this.#try('write', key, () => this.#directories.sync(dirname(this.#path(key))));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(); // holds nothing between calls
  }

  #path(key: string): string {
    return join(this.location, key);
  }

  async #try<T>(doing: Doing, key: ObjectKey, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (doing === 'read' && isAbsent(error)) throw objectMissing(key, error);
      throw storeError(doing, this.location, key, error);
    }
  }
}

/** `link` is the one portable way to take a name only if it is free, with the whole file behind it at once. */
async function linkExclusively(key: ObjectKey, temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
  } catch (error) {
    const code = errorCode(error);
    // An NFS server may have made the link and lost the answer: then the file has two names.
    if (code === 'EEXIST' && (await stat(temporary)).nlink < 2) throw objectExists(key, error);
    if (code !== 'EEXIST' && !LINK_UNSUPPORTED.has(code ?? '')) throw error;
    if (code !== 'EEXIST') return renameIfFree(key, temporary, path);
  }
  await unlink(temporary);
}

const LINK_UNSUPPORTED = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** File systems without hard links (exFAT, some FUSE): not exclusive in a race, but keys are random and the config is written by a person's command. */
async function renameIfFree(key: ObjectKey, temporary: string, path: string): Promise<void> {
  try {
    await stat(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    return rename(temporary, path);
  }
  throw objectExists(key);
}

async function isDirectoryAt(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

function sortKey(entry: { readonly name: string; readonly directory: boolean }): string {
  return entry.directory ? `${entry.name}/` : entry.name;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
