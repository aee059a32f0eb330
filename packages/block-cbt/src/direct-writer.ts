import type { FileHandle } from 'node:fs/promises';
import { type CallOptions, Mutex } from '@onevault/base';
import { PAGE_BYTES, pageAlignedMemory } from './page-memory.ts';

/** The aligned memory that writes go through: one system call each. */
const BOUNCE_BYTES = 2 ** 20;

/** Writes whole pages past the page cache, through a descriptor opened with O_DIRECT. Writes take turns on one aligned buffer. */
export class DirectWriter implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #turn = new Mutex();
  #bounce: Uint8Array | undefined;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /**
   * How many bytes from the start of `data` were written: its whole pages, none when it does not begin on a page, fewer when the system refuses. The rest
   * is for the page cache, which either can do it or says from which byte on it cannot, and why.
   */
  write(offset: number, data: Uint8Array, options: CallOptions = {}): Promise<number> {
    const whole = offset % PAGE_BYTES === 0 ? roundDownToPage(data.byteLength) : 0;
    if (whole === 0) return Promise.resolve(0);
    return this.#turn.run(() => this.#writePages(offset, data.subarray(0, whole), options), options);
  }

  async #writePages(offset: number, data: Uint8Array, { signal }: CallOptions): Promise<number> {
    this.#bounce ??= pageAlignedMemory(BOUNCE_BYTES);
    let done = 0;
    while (done < data.byteLength) {
      signal?.throwIfAborted();
      const step = data.subarray(done, done + BOUNCE_BYTES);
      this.#bounce.set(step);
      const written = await this.#handle.write(this.#bounce, 0, step.byteLength, offset + done).catch(() => undefined);
      const pages = roundDownToPage(written?.bytesWritten ?? 0);
      if (pages === 0) break;
      done += pages;
    }
    return done;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#handle.close();
  }
}

function roundDownToPage(bytes: number): number {
  return bytes - (bytes % PAGE_BYTES);
}
