import type { FileHandle } from 'node:fs/promises';
import { type CallOptions, Mutex } from '@onevault/base';
import { DirectWriter } from './direct-writer.ts';
import { type ByteRange, outOfRange, readFailure, shortRead, writeFailure } from './errors.ts';
import { PAGE_BYTES, pageAlignedMemory, roundUpToPage } from './page-memory.ts';
import type { BlockDevice, WritableBlockDevice } from './scan-api.ts';

/** One system call moves at most this much, so that an abort waits no longer than that. */
const STEP_BYTES = 8 * 2 ** 20;
/** The aligned memory that O_DIRECT reads go through, per device. */
const BOUNCE_BYTES = 2 ** 20;

export interface OpenedDeviceFacts {
  readonly path: string;
  readonly sizeBytes: number;
  readonly direct: boolean;
  readonly bufferedBecause?: string | undefined;
}

/** A device open for reading. Reads may run concurrently; those of a direct device take turns on one aligned buffer of 1 MiB. */
export class OpenedDevice implements BlockDevice {
  readonly path: string;
  readonly sizeBytes: number;
  readonly direct: boolean;
  /** Why reads go through the page cache, when they do. */
  readonly bufferedBecause: string | undefined;
  readonly #handle: FileHandle;
  readonly #bounceTurn = new Mutex();
  #bounce: Uint8Array | undefined;
  #closed: Promise<void> | undefined;

  constructor(handle: FileHandle, facts: OpenedDeviceFacts) {
    this.#handle = handle;
    this.path = facts.path;
    this.sizeBytes = facts.sizeBytes;
    this.direct = facts.direct;
    this.bufferedBecause = facts.bufferedBecause;
  }

  /** -1 once closed. */
  get fd(): number {
    return this.#handle.fd;
  }

  async readInto(offset: number, target: Uint8Array, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    requireInside(this, { offset, length: target.byteLength });
    if (this.direct) await this.#bounceTurn.run(() => this.#readDirect(offset, target, options), options);
    else await this.#readBuffered(offset, target, options);
  }

  async #readBuffered(offset: number, target: Uint8Array, { signal }: CallOptions): Promise<void> {
    for (let done = 0; done < target.byteLength; ) {
      signal?.throwIfAborted();
      const rest = { offset: offset + done, length: target.byteLength - done };
      const got = await this.#read(target, done, Math.min(rest.length, STEP_BYTES), rest);
      if (got === 0) throw shortRead(this.path, rest);
      done += got;
    }
  }

  /** Reads the pages around the range. At the end of a file whose size is no multiple of a page the kernel reads less than was asked, up to the end. */
  async #readDirect(offset: number, target: Uint8Array, { signal }: CallOptions): Promise<void> {
    this.#bounce ??= pageAlignedMemory(BOUNCE_BYTES);
    for (let done = 0; done < target.byteLength; ) {
      signal?.throwIfAborted();
      const rest = { offset: offset + done, length: target.byteLength - done };
      const lead = rest.offset % PAGE_BYTES;
      const ask = Math.min(BOUNCE_BYTES, roundUpToPage(lead + rest.length));
      const got = (await this.#read(this.#bounce, 0, ask, rest, rest.offset - lead)) - lead;
      if (got <= 0) throw shortRead(this.path, rest);
      const taken = Math.min(got, rest.length);
      target.set(this.#bounce.subarray(lead, lead + taken), done);
      done += taken;
    }
  }

  async #read(into: Uint8Array, at: number, length: number, range: ByteRange, position = range.offset): Promise<number> {
    try {
      return (await this.#handle.read(into, at, length, position)).bytesRead;
    } catch (error) {
      throw readFailure(this.path, range, error);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#handle.close();
    return this.#closed;
  }
}

/** How much may be written through the page cache before the kernel is asked to bring it to the device, so that the last flush finds little left to do. */
const WRITE_BACK_BYTES = 128 * 1024 * 1024;

/**
 * A device open for reading and writing. Whole pages are written past the page cache where the device lets us: a restore would fill the cache with what
 * nobody reads again, and copying into it can cost more than the device itself. The rest goes through the cache; `flush` makes both durable.
 */
export class OpenedWritableDevice implements WritableBlockDevice {
  readonly path: string;
  readonly sizeBytes: number;
  readonly direct = false;
  readonly #handle: FileHandle;
  readonly #reader: OpenedDevice;
  readonly #directWriter: DirectWriter | undefined;
  #unsyncedBytes = 0;
  #writeBack: Promise<void> | undefined;
  /** The kernel reports a failed write-back once, to whoever syncs next: it is kept until it can be thrown. */
  #lost: { readonly error: unknown } | undefined;

  /** `directHandle` is the same device, opened once more with O_DIRECT. */
  constructor(handle: FileHandle, facts: OpenedDeviceFacts, directHandle?: FileHandle) {
    this.#handle = handle;
    this.#reader = new OpenedDevice(handle, facts);
    this.path = facts.path;
    this.sizeBytes = facts.sizeBytes;
    this.#directWriter = directHandle && new DirectWriter(directHandle);
  }

  get fd(): number {
    return this.#handle.fd;
  }

  readInto(offset: number, target: Uint8Array, options?: CallOptions): Promise<void> {
    return this.#reader.readInto(offset, target, options);
  }

  async writeFrom(offset: number, data: Uint8Array, options: CallOptions = {}): Promise<void> {
    requireInside(this, { offset, length: data.byteLength });
    this.#throwLost();
    const direct = (await this.#directWriter?.write(offset, data, options)) ?? 0;
    for (let done = direct; done < data.byteLength; ) {
      options.signal?.throwIfAborted();
      const rest = { offset: offset + done, length: data.byteLength - done };
      done += await this.#write(data, done, rest);
    }
    this.#count(data.byteLength - direct);
  }

  async #write(data: Uint8Array, at: number, rest: ByteRange): Promise<number> {
    try {
      return (await this.#handle.write(data, at, Math.min(rest.length, STEP_BYTES), rest.offset)).bytesWritten;
    } catch (error) {
      throw writeFailure(this.path, rest, error);
    }
  }

  async flush(options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    await this.#writeBack;
    this.#throwLost();
    try {
      await this.#handle.sync(); // of the file, not of the descriptor: what went past the cache is in it
    } catch (error) {
      throw writeFailure(this.path, { offset: 0, length: this.sizeBytes }, error);
    }
  }

  #count(bytes: number): void {
    this.#unsyncedBytes += bytes;
    if (this.#unsyncedBytes < WRITE_BACK_BYTES || this.#writeBack !== undefined) return;
    this.#unsyncedBytes = 0;
    this.#writeBack = this.#handle
      .datasync()
      .catch((error: unknown) => {
        this.#lost ??= { error };
      })
      .finally(() => {
        this.#writeBack = undefined;
      });
  }

  #throwLost(): void {
    if (this.#lost) throw writeFailure(this.path, { offset: 0, length: this.sizeBytes }, this.#lost.error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writeBack;
    await this.#directWriter?.[Symbol.asyncDispose]();
    await this.#reader[Symbol.asyncDispose]();
  }
}

function requireInside(device: BlockDevice, range: ByteRange): void {
  const inside = Number.isSafeInteger(range.offset) && range.offset >= 0 && range.offset + range.length <= device.sizeBytes;
  if (!inside) throw outOfRange(device.path, range, device.sizeBytes);
}
