import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type CallOptions, Mutex } from '@onevault/base';
import { COPY_CHUNK_BYTES, copyRange, readRange, writeFully } from './sparse-copy.ts';

/**
 * Whose bytes a capture holds when the guest writes while it runs. `start`: the disk as it was when the capture began (a snapshot).
 * `end`: as it is when the capture is finished (virsh blockcopy --finish). `fuzzy`: neither, as a plain dd of a live volume.
 */
export type CaptureInstant = 'start' | 'end' | 'fuzzy';

export interface GuestWrite {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** One disk's file as the guest sees it: writes and captures of it exclude one another chunk by chunk, so that captures are exact. */
export class DiskFile {
  readonly path: string;
  /** Keeps the guest's writes in the order of its calls. */
  readonly #writer = new Mutex();
  /** Held for one write or one chunk of a capture. */
  readonly #mutex = new Mutex();
  readonly #captures = new Set<Capture>();

  constructor(path: string) {
    this.path = path;
  }

  /** The guest writes; in the order of the calls, each write whole. Throws RangeError when a write does not fit into the disk. */
  write(writes: Iterable<GuestWrite>): Promise<void> {
    return this.#writer.run(() => this.#writeAll(writes));
  }

  async #writeAll(writes: Iterable<GuestWrite>): Promise<void> {
    const file = await open(this.path, 'r+');
    try {
      const { size } = await file.stat();
      for (const { offset, bytes } of writes) {
        if (!Number.isSafeInteger(offset) || offset < 0 || offset + bytes.length > size) {
          throw new RangeError(`a write of ${bytes.length} bytes at ${offset} does not fit into a disk of ${size} bytes`);
        }
        await this.#mutex.run(() => this.#writeOne(file, offset, bytes));
      }
    } finally {
      await file.close();
    }
  }

  async #writeOne(file: FileHandle, offset: number, bytes: Uint8Array): Promise<void> {
    for (const capture of this.#captures) await capture.beforeWrite(offset, bytes.length);
    await writeFully(file, bytes, offset);
    for (const capture of this.#captures) await capture.afterWrite(offset, bytes);
  }

  /** Starts a copy of the disk to `targetPath`. The instant of a `start` capture is now, before this call returns. */
  capture(targetPath: string, instant: CaptureInstant, options: CallOptions = {}): Capture {
    const capture = new Capture(this.path, targetPath, instant, this.#mutex, () => this.#captures.delete(capture));
    this.#captures.add(capture);
    capture.begin(options);
    return capture;
  }
}

/** A copy under way. `finish` must be called, also after a failure. */
export class Capture {
  readonly #paths: readonly [source: string, target: string];
  readonly #instant: CaptureInstant;
  readonly #mutex: Mutex;
  readonly #forget: () => void;
  readonly #copied = new Set<number>();
  #files: { readonly source: FileHandle; readonly target: FileHandle; readonly size: number } | undefined;
  #copying: Promise<void> = Promise.resolve();
  #buffer = Buffer.alloc(0);

  constructor(source: string, target: string, instant: CaptureInstant, mutex: Mutex, forget: () => void) {
    this.#paths = [source, target];
    this.#instant = instant;
    this.#mutex = mutex;
    this.#forget = forget;
  }

  begin(options: CallOptions): void {
    this.#copying = this.#copyAll(options);
    this.#copying.catch(() => undefined); // told by copied() and finish()
  }

  /** Resolves when every byte has been copied once; an `end` capture keeps following the guest until `finish`. */
  copied(): Promise<void> {
    return this.#copying;
  }

  /** Ends the capture: the instant of an `end` capture. Throws what the copy threw. */
  async finish(): Promise<void> {
    try {
      await this.#copying;
    } finally {
      await this.#mutex.run(async () => {
        this.#forget();
        await this.#files?.source.close();
        await this.#files?.target.close();
        this.#files = undefined;
      });
    }
  }

  async #copyAll(options: CallOptions): Promise<void> {
    const size = await this.#mutex.run(() => this.#open()); // queued first: a write asked for after begin() waits for it
    for (let index = 0; index * COPY_CHUNK_BYTES < size; index++) {
      options.signal?.throwIfAborted();
      await this.#mutex.run(() => this.#copyChunk(index));
    }
  }

  async #open(): Promise<number> {
    const source = await open(this.#paths[0], 'r');
    const { size } = await source.stat();
    await mkdir(dirname(this.#paths[1]), { recursive: true });
    const target = await open(this.#paths[1], 'w');
    await target.truncate(size);
    this.#files = { source, target, size };
    this.#buffer = Buffer.allocUnsafe(Math.min(COPY_CHUNK_BYTES, Math.max(1, size)));
    return size;
  }

  async #copyChunk(index: number): Promise<void> {
    if (!this.#files || this.#copied.has(index)) return;
    const offset = index * COPY_CHUNK_BYTES;
    const length = Math.min(COPY_CHUNK_BYTES, this.#files.size - offset);
    await copyRange(this.#files.source, this.#files.target, offset, length, this.#buffer);
    this.#copied.add(index);
  }

  /** Called under the disk's mutex: saves what the write is about to overwrite. */
  async beforeWrite(offset: number, length: number): Promise<void> {
    if (this.#instant !== 'start') return;
    for (const index of chunksOf(offset, length)) await this.#copyChunk(index);
  }

  /** Called under the disk's mutex: repeats the write in what is already copied. */
  async afterWrite(offset: number, bytes: Uint8Array): Promise<void> {
    if (this.#instant !== 'end' || !this.#files) return;
    for (const index of chunksOf(offset, bytes.length)) {
      if (!this.#copied.has(index)) continue;
      const start = Math.max(offset, index * COPY_CHUNK_BYTES);
      const end = Math.min(offset + bytes.length, (index + 1) * COPY_CHUNK_BYTES);
      await writeFully(this.#files.target, bytes.subarray(start - offset, end - offset), start);
    }
  }
}

/** A range of a disk; reads beyond its end are zeros. */
export async function readDisk(path: string, offset: number, length: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    return await readRange(file, offset, Buffer.alloc(length));
  } finally {
    await file.close();
  }
}

function* chunksOf(offset: number, length: number): Generator<number> {
  const last = Math.floor((offset + Math.max(length, 1) - 1) / COPY_CHUNK_BYTES);
  for (let index = Math.floor(offset / COPY_CHUNK_BYTES); index <= last; index++) yield index;
}
