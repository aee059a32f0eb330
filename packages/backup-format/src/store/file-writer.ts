import { type FileHandle, unlink } from 'node:fs/promises';
import type { CallOptions } from '@onevault/base';
import { storeError } from './file-errors.ts';
import { fileIdentity, type NamelessFile } from './file-naming.ts';
import type { ObjectKey, ObjectWriter } from './object-store.ts';

/** At most this many parts in one system call (IOV_MAX on Linux is 1024). */
const MAX_PARTS = 512;

interface TemporaryFile {
  readonly key: ObjectKey;
  readonly handle: FileHandle;
  readonly temporary: string;
  readonly location: string;
  publish(file: NamelessFile): Promise<void>;
}

export class FileWriter implements ObjectWriter {
  readonly #file: TemporaryFile;
  #handle: FileHandle | undefined;
  #ended = false;

  constructor(file: TemporaryFile) {
    this.#file = file;
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
    const { key, temporary } = this.#file;
    try {
      // A second fsync after a failed one may succeed although the data is lost: whoever fails here only aborts.
      await handle.sync();
      const identity = fileIdentity(await handle.stat({ bigint: true }));
      this.#handle = undefined;
      // NFS and quotas may report only here that the data did not arrive.
      await handle.close();
      await this.#file.publish({ key, temporary, identity });
      this.#ended = true;
    } catch (error) {
      throw this.#error(error);
    }
  }

  /** What cannot be closed or removed now (a disk that died, a mount that became read-only) is left to a sweep; the failure before it is the one to tell. */
  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close().catch(leaveToSweep);
    await unlink(this.#file.temporary).catch(leaveToSweep);
  }

  #open(): FileHandle {
    if (!this.#handle) throw new TypeError(`${this.#file.key} is written after its end`);
    return this.#handle;
  }

  #error(error: unknown): Error {
    return storeError('write', this.#file.location, this.#file.key, error);
  }
}

const leaveToSweep = (): undefined => undefined;

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
