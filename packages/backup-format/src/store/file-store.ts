import { randomBytes } from 'node:crypto';
import { type FileHandle, open, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { CallOptions } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import { DurableDirectories } from './durable-directories.ts';
import { type Doing, isAbsent, storeError } from './file-errors.ts';
import { listFiles, TEMPORARY_PREFIX } from './file-listing.ts';
import { giveName, type NamelessFile, type Naming } from './file-naming.ts';
import { RootDirectory } from './file-root.ts';
import { sweepTemporaryFiles } from './file-sweep.ts';
import { FileWriter } from './file-writer.ts';
import { objectMissing, objectTooShort } from './object-errors.ts';
import {
  checkKey,
  type GetOptions,
  type ObjectKey,
  type ObjectStat,
  type ObjectStore,
  type ObjectWriter,
  type PutOptions,
  type SweepOptions,
  type SweepReport,
} from './object-store.ts';

export interface FileStoreOptions {
  /** Names of temporary files; injected by tests. */
  readonly randomBytes?: (length: number) => Uint8Array;
}

/**
 * Objects as files below `path`, on any mount, NFS included: temporary file in the same directory, fsync, link (which fails if the name is taken),
 * fsync of the directory. No locks, no access times. Does nothing before the first call; directories are made as objects need them. A directory
 * that was there and is gone, or is another one, fails every call (retryable) instead of looking empty.
 */
export function fileStore(path: string, options: FileStoreOptions = {}): ObjectStore {
  return new FileStore(path, options.randomBytes ?? randomBytes);
}

class FileStore implements ObjectStore {
  readonly location: string;
  readonly #root: RootDirectory;
  readonly #directories = new DurableDirectories();
  readonly #randomBytes: (length: number) => Uint8Array;

  constructor(path: string, random: (length: number) => Uint8Array) {
    this.location = path;
    this.#root = new RootDirectory(path);
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

  async #open(key: ObjectKey, naming: Naming, options: CallOptions): Promise<ObjectWriter> {
    checkKey(key);
    options.signal?.throwIfAborted();
    const path = this.#path(key);
    const temporary = join(dirname(path), `${TEMPORARY_PREFIX}${basename(path)}-${this.#randomName()}`);
    return this.#try('write', key, async () => {
      await this.#root.check();
      const handle = await this.#openTemporary(temporary);
      await this.#root.meet();
      return new FileWriter({ key, handle, temporary, location: this.location, publish: (file) => this.#publish(file, path, naming) });
    });
  }

  async #openTemporary(temporary: string): Promise<FileHandle> {
    const directory = dirname(temporary);
    await this.#directories.ensure(directory);
    try {
      return await open(temporary, 'wx');
    } catch (error) {
      if (!isAbsent(error)) throw error;
      // Somebody removed a directory that was made or seen before; not the root, or the check below says so.
      await this.#root.check();
      this.#directories.forget();
      await this.#directories.ensure(directory);
      return open(temporary, 'wx');
    }
  }

  /** Gives the durable temporary file its name, then makes the name durable. */
  async #publish(file: NamelessFile, path: string, naming: Naming): Promise<void> {
    try {
      await giveName(file, path, naming);
    } catch (error) {
      if (isAbsent(error)) await this.#root.check();
      throw error;
    }
    await this.#directories.sync(dirname(path));
  }

  async get(key: ObjectKey, options: GetOptions = {}): Promise<Uint8Array> {
    checkKey(key);
    options.signal?.throwIfAborted();
    return this.#try('read', key, async () => {
      await this.#root.meet();
      const handle = await open(this.#path(key), 'r');
      try {
        const { offset, length } = options.range ?? { offset: 0, length: (await handle.stat()).size };
        return await readExactly(handle, key, offset, length);
      } finally {
        await handle.close();
      }
    });
  }

  async stat(key: ObjectKey, options: CallOptions = {}): Promise<ObjectStat | undefined> {
    checkKey(key);
    options.signal?.throwIfAborted();
    try {
      return await this.#try('read', key, async () => {
        await this.#root.meet();
        const found = await stat(this.#path(key));
        return found.isFile() ? { key, sizeBytes: found.size } : undefined;
      });
    } catch (error) {
      if (isRepositoryError(error, 'REPO_OBJECT_MISSING')) return undefined;
      throw error;
    }
  }

  async *list(prefix: string, options: CallOptions = {}): AsyncIterable<ObjectStat> {
    options.signal?.throwIfAborted();
    const directory = prefix.replace(/\/$/, '');
    try {
      await this.#root.check();
      yield* listFiles({ path: this.location, onAbsent: () => this.#root.check() }, directory, options);
      await this.#root.check();
    } catch (error) {
      options.signal?.throwIfAborted();
      throw storeError('list', this.location, directory, error);
    }
  }

  async delete(key: ObjectKey, options: CallOptions = {}): Promise<void> {
    checkKey(key);
    options.signal?.throwIfAborted();
    const path = this.#path(key);
    await this.#try('write', key, async () => {
      await this.#root.meet();
      try {
        await unlink(path);
      } catch (error) {
        if (!isAbsent(error)) throw error;
        return this.#root.check();
      }
      await this.#directories.sync(dirname(path));
    });
  }

  async sweepTemporaries(options: SweepOptions): Promise<SweepReport> {
    options.signal?.throwIfAborted();
    try {
      await this.#root.check();
      const root = { path: this.location, onAbsent: () => this.#root.check() };
      return await sweepTemporaryFiles(root, this.#randomName(), options);
    } catch (error) {
      options.signal?.throwIfAborted();
      throw storeError('write', this.location, '', error);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(); // holds nothing between calls
  }

  #path(key: string): string {
    return join(this.location, key);
  }

  #randomName(): string {
    return Buffer.from(this.#randomBytes(8)).toString('hex');
  }

  /** Our errors for the system's; what is absent is missing only while the directory of the store is there. */
  async #try<T>(doing: Doing, key: ObjectKey, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (doing === 'read' && isAbsent(error)) throw await this.#missing(key, error);
      throw storeError(doing, this.location, key, error);
    }
  }

  async #missing(key: ObjectKey, cause: unknown): Promise<Error> {
    try {
      await this.#root.check();
      return objectMissing(key, cause);
    } catch (error) {
      return storeError('read', this.location, key, error);
    }
  }
}

async function readExactly(handle: FileHandle, key: ObjectKey, offset: number, length: number): Promise<Uint8Array> {
  const target = Buffer.allocUnsafeSlow(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(target, done, length - done, offset + done);
    if (bytesRead === 0) throw objectTooShort(key, offset, length, offset + done);
    done += bytesRead;
  }
  return target;
}
