import { type FileHandle, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { CallOptions } from '@onevault/base';
import { isAbsent, storeError } from './file-errors.ts';
import type { ObjectKey, ObjectWriter } from './object-store.ts';

/** At most this many parts in one system call (IOV_MAX on Linux is 1024). */
const MAX_PARTS = 512;

export class FileWriter implements ObjectWriter {
  readonly #key: ObjectKey;
  readonly #temporary: string;
  readonly #publish: () => Promise<void>;
  #handle: FileHandle | undefined;
  #ended = false;

  constructor(file: { readonly key: ObjectKey; readonly handle: FileHandle; readonly temporary: string; readonly publish: () => Promise<void> }) {
    this.#key = file.key;
    this.#temporary = file.temporary;
    this.#publish = file.publish;
    this.#handle = file.handle;
  }

  async write(parts: readonly Uint8Array[], options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const handle = this.#open();
    try {
      for (let first = 0; first < parts.length; first += MAX_PARTS) await writeAll(handle, parts.slice(first, first + MAX_PARTS));
    } catch (error) {
      throw this.#error(error);
    }
  }

  async commit(options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const handle = this.#open();
    try {
      await handle.sync();
      this.#handle = undefined;
      await handle.close();
      await this.#publish();
      this.#ended = true;
    } catch (error) {
      throw this.#error(error);
    }
  }

  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
    try {
      await unlink(this.#temporary);
    } catch (error) {
      if (!isAbsent(error)) throw this.#error(error);
    }
  }

  #open(): FileHandle {
    if (!this.#handle) throw new TypeError(`${this.#key} is written after its end`);
    return this.#handle;
  }

  #error(error: unknown): Error {
    return storeError('write', dirname(this.#temporary), this.#key, error);
  }
}

/** A write may be cut short (a full disk, a signal): the rest is written again until it fails or is done. */
async function writeAll(handle: FileHandle, parts: readonly Uint8Array[]): Promise<void> {
  let rest = parts.filter((part) => part.length > 0);
  while (rest.length > 0) {
    let { bytesWritten } = await handle.writev(rest);
    let done = 0;
    for (const part of rest) {
      if (bytesWritten < part.length) break;
      bytesWritten -= part.length;
      done += 1;
    }
    rest = rest.slice(done);
    const head = rest[0];
    if (head && bytesWritten > 0) rest = [head.subarray(bytesWritten), ...rest.slice(1)];
  }
}
