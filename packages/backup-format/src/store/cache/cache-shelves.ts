import { mkdir, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode, Mutex } from '@onevault/base';
import { cacheFileBytes, decodeCacheFile, encodeCacheFile, onDisk } from './cache-file.ts';

/** The bound is kept by whole shelves: at least three quarters of it are in use once it was reached. */
const SHELVES = 4;
const SHELF = /^shelf-([0-9]{8})$/;

interface Shelf {
  readonly number: number;
  bytes: number;
  /** Added by this process since the shelf was measured; others may have added as well. */
  addedBytes: number;
}

/**
 * Files in a directory with a bound, the least recently used go first. Instead of access times there are shelves: what is new goes to the newest; what is
 * found on an older half moves there; the oldest is thrown away as a whole when there are more than four. Nothing is synced and nothing is locked: what a
 * crash leaves is found out by its checksum, and any number of processes may share the directory, each past the first exceeding the bound by at most an
 * eighth. Errors are the system's own.
 */
export class CacheShelves {
  readonly #path: string;
  readonly #shelfBytes: number;
  readonly #randomName: () => string;
  readonly #adding = new Mutex();
  #numbers: number[] = [];
  #newest: Shelf | undefined;

  constructor(path: string, maxBytes: number, randomName: () => string) {
    this.#path = path;
    this.#shelfBytes = Math.floor(maxBytes / SHELVES);
    this.#randomName = randomName;
  }

  /** What was put under this name, if it is still there and whole; a damaged file is removed. */
  async get(object: string, entry: string, length: number): Promise<Buffer | undefined> {
    if (!this.#newest) await this.#adding.run(() => this.#look());
    for (const [age, number] of this.#numbers.entries()) {
      const path = this.#file(number, object, entry);
      const file = await readIfThere(path);
      if (!file) continue;
      const bytes = decodeCacheFile(`${object}/${entry}`, file, length);
      if (!bytes) await unlink(path).catch(ignoreAbsent);
      else if (age >= SHELVES / 2) await this.#adding.run(() => this.#moveUp(path, object, entry, length));
      if (bytes) return bytes;
    }
    return undefined;
  }

  put(object: string, entry: string, bytes: Uint8Array): Promise<void> {
    return this.#adding.run(async () => {
      const shelf = await this.#roomFor(cacheFileBytes(bytes.length));
      if (!shelf) return;
      const temporary = join(this.#shelf(shelf.number), `.tmp-${this.#randomName()}`);
      try {
        await writeParts(temporary, encodeCacheFile(`${object}/${entry}`, bytes));
        await this.#place(temporary, shelf.number, object, entry);
        count(shelf, cacheFileBytes(bytes.length));
      } catch (error) {
        ignoreAbsent(error); // another process filled four shelves since we looked, and threw this one away
        this.#newest = undefined;
      }
    });
  }

  /** Forgets all of an object. */
  async drop(object: string): Promise<void> {
    for (const number of await this.#list()) await discard(join(this.#shelf(number), object));
  }

  async #moveUp(path: string, object: string, entry: string, length: number): Promise<void> {
    const shelf = await this.#roomFor(cacheFileBytes(length));
    if (!shelf) return;
    await this.#place(path, shelf.number, object, entry).catch(ignoreAbsent); // another process was faster
    count(shelf, cacheFileBytes(length));
  }

  async #place(from: string, number: number, object: string, entry: string): Promise<void> {
    const to = this.#file(number, object, entry);
    try {
      await rename(from, to);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      await mkdir(dirname(to), { recursive: true });
      await rename(from, to);
    }
  }

  /** The newest shelf if it has room, else a new one; undefined for what is larger than a shelf. */
  async #roomFor(bytes: number): Promise<Shelf | undefined> {
    if (bytes > this.#shelfBytes) return undefined;
    let shelf = this.#newest ?? (await this.#look());
    if (shelf && shelf.addedBytes > this.#shelfBytes / 2) shelf = await this.#look();
    if (shelf && shelf.bytes + bytes <= this.#shelfBytes) return shelf;
    await mkdir(this.#shelf((shelf?.number ?? 0) + 1), { recursive: true, mode: 0o700 });
    return this.#look();
  }

  /** Reads which shelves there are, removes those beyond the bound, and measures the newest. */
  async #look(): Promise<Shelf | undefined> {
    const numbers = await this.#list();
    for (const number of numbers.splice(SHELVES)) await discard(this.#shelf(number));
    this.#numbers = numbers;
    const [newest] = numbers;
    this.#newest = newest === undefined ? undefined : { number: newest, bytes: await this.#measure(newest), addedBytes: 0 };
    return this.#newest;
  }

  /** Newest first. */
  async #list(): Promise<number[]> {
    const names = await namesIn(this.#path);
    return names
      .flatMap((name) => SHELF.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => b - a);
  }

  /** With directories and with what a crash left. */
  async #measure(number: number): Promise<number> {
    let total = 0;
    for (const name of await namesIn(this.#shelf(number), true)) total += await sizeOf(join(this.#shelf(number), name));
    return total;
  }

  #shelf(number: number): string {
    return join(this.#path, `shelf-${String(number).padStart(8, '0')}`);
  }

  #file(number: number, object: string, entry: string): string {
    return join(this.#shelf(number), object, entry);
  }
}

function count(shelf: Shelf, bytes: number): void {
  shelf.bytes += bytes;
  shelf.addedBytes += bytes;
}

async function writeParts(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(Buffer.concat(parts));
  } finally {
    await handle.close();
  }
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    return ignoreAbsent(error);
  }
}

async function namesIn(path: string, recursive = false): Promise<string[]> {
  try {
    return await readdir(path, { recursive });
  } catch (error) {
    return ignoreAbsent(error) ?? [];
  }
}

/** Another process may put something in while we remove: then the next look does the rest. */
async function discard(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (errorCode(error) !== 'ENOTEMPTY') ignoreAbsent(error);
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return onDisk((await stat(path)).size);
  } catch (error) {
    ignoreAbsent(error);
    return 0;
  }
}

function ignoreAbsent(error: unknown): undefined {
  if (errorCode(error) !== 'ENOENT') throw error;
  return undefined;
}
