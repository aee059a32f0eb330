import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type CallOptions, errorCode, Scope } from '@onevault/base';
import { PAGE_BYTES, pageAlignedMemory } from './aligned-memory.ts';
import { unusable, writeFailure } from './errors.ts';

/** Bytes that go to the kernel with one call, and how many such calls are under way: 8 MiB of memory in all. */
const SLOT_BYTES = 2 * 2 ** 20;
const SLOTS = 4;

interface Slot {
  readonly memory: Uint8Array;
  readonly offset: number;
  /** Ends on a multiple of SLOT_BYTES of the file, so that what goes on behind it is aligned. */
  readonly capacity: number;
  filled: number;
}

/**
 * Writes a new file: gathers what comes into large aligned pieces and writes these in parallel, past the page cache where the file system lets it. Nobody
 * reads an export at once, and copying it into the cache costs more than it gives. What is never written stays a hole. No byte may be written twice.
 */
export class FileWriter implements AsyncDisposable {
  readonly path: string;
  readonly #handle: FileHandle;
  /** The same file, opened once more with O_DIRECT. */
  readonly #direct: FileHandle | undefined;
  #pastCache: boolean;
  readonly #free: Uint8Array[] = [];
  #made = 0;
  #slot: Slot | undefined;
  readonly #writing = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  private constructor(path: string, handle: FileHandle, direct: FileHandle | undefined) {
    this.path = path;
    this.#handle = handle;
    this.#direct = direct;
    this.#pastCache = direct !== undefined;
  }

  /** Creates `path`, readable to its owner only: a disk holds what its guest keeps from others. */
  static async create(path: string): Promise<FileWriter> {
    await using scope = new Scope();
    try {
      const handle = await open(path, 'wx+', 0o600);
      scope.defer(() => handle.close());
      const writer = new FileWriter(path, handle, await openDirect(handle));
      scope.move();
      return writer;
    } catch (error) {
      throw unusable(path, error);
    }
  }

  /** Returns when the bytes are copied; a failure to write them may be thrown by a later call. */
  async write(offset: number, data: Uint8Array, options: CallOptions = {}): Promise<void> {
    for (let done = 0; done < data.length; ) {
      options.signal?.throwIfAborted();
      const slot = await this.#slotAt(offset + done);
      const step = Math.min(slot.capacity - slot.filled, data.length - done);
      slot.memory.set(data.subarray(done, done + step), slot.filled);
      slot.filled += step;
      done += step;
      if (slot.filled === slot.capacity) this.#submit(slot);
    }
  }

  /** Sets the size of the file; what was not written below it reads as zeros. */
  async resize(sizeBytes: number): Promise<void> {
    await this.#handle.truncate(sizeBytes).catch((error: unknown) => {
      throw writeFailure(this.path, { offset: 0, length: sizeBytes }, error);
    });
  }

  /** Resolves when everything is on the disk. */
  async flush(): Promise<void> {
    if (this.#slot) this.#submit(this.#slot);
    await Promise.all(this.#writing);
    this.#throwFailure();
    await this.#handle.sync().catch((error: unknown) => {
      throw writeFailure(this.path, { offset: 0, length: 0 }, error);
    });
  }

  async #slotAt(offset: number): Promise<Slot> {
    this.#throwFailure();
    if (this.#slot && this.#slot.offset + this.#slot.filled === offset) return this.#slot;
    if (this.#slot) this.#submit(this.#slot);
    this.#slot = { memory: await this.#takeMemory(), offset, capacity: SLOT_BYTES - (offset % SLOT_BYTES), filled: 0 };
    return this.#slot;
  }

  async #takeMemory(): Promise<Uint8Array> {
    while (this.#free.length === 0) {
      if (this.#made < SLOTS) {
        this.#made++;
        return pageAlignedMemory(SLOT_BYTES);
      }
      await Promise.race(this.#writing);
    }
    return this.#free.pop() as Uint8Array;
  }

  #submit(slot: Slot): void {
    this.#slot = undefined;
    const write = this.#writeSlot(slot)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#writing.delete(write);
        this.#free.push(slot.memory);
      });
    this.#writing.add(write);
  }

  async #writeSlot({ memory, offset, filled }: Slot): Promise<void> {
    let done = offset % PAGE_BYTES === 0 ? await this.#writeDirect(offset, memory, filled - (filled % PAGE_BYTES)) : 0;
    while (done < filled) done += await this.#writeOnce(this.#handle, offset, memory, done, filled);
  }

  /** How much of the whole pages was written; the rest is for the page cache. */
  async #writeDirect(offset: number, memory: Uint8Array, length: number): Promise<number> {
    let done = 0;
    while (this.#direct && this.#pastCache && done < length) {
      const wrote = await this.#writeOnce(this.#direct, offset, memory, done, length).catch((error: unknown) => {
        if (!isRefusal(error instanceof Error ? error.cause : error)) throw error;
        this.#pastCache = false;
        return 0;
      });
      done += wrote;
      if (wrote % PAGE_BYTES !== 0) break; // nearly full: the page cache writes the rest, or says why not
    }
    return done;
  }

  async #writeOnce(handle: FileHandle, offset: number, memory: Uint8Array, from: number, to: number): Promise<number> {
    try {
      return (await handle.write(memory, from, to - from, offset + from)).bytesWritten;
    } catch (error) {
      throw writeFailure(this.path, { offset: offset + from, length: to - from }, error);
    }
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** Waits for what is being written; what was only gathered is dropped. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#writing);
    await this.#direct?.close();
    await this.#handle.close();
  }
}

/** The file behind `handle` once more with O_DIRECT; undefined where that is not to be had. */
async function openDirect(handle: FileHandle): Promise<FileHandle | undefined> {
  try {
    return await open(`/proc/self/fd/${handle.fd}`, constants.O_WRONLY | constants.O_DIRECT);
  } catch {
    return undefined; // the page cache does the same, if slower
  }
}

/** Some file systems accept the flag and refuse the first use (open(2)). */
function isRefusal(error: unknown): boolean {
  return ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'].includes(errorCode(error) ?? '');
}
