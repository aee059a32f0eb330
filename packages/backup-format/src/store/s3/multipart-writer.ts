import { type CallOptions, type Logger, type Semaphore, serializeError } from '@onevault/base';
import { isRepositoryError, RepositoryError } from '../../errors.ts';
import { objectExists } from '../object-errors.ts';
import type { ObjectKey, ObjectWriter } from '../object-store.ts';
import { contentMd5 } from './content-md5.ts';
import { PART_BYTES, type PartBuffers } from './part-buffers.ts';
import type { S3Connection } from './s3-connection.ts';
import { abandonUpload, abandonUploads, beginUpload } from './uploads.ts';

const MAX_PARTS = 10_000;
/** Cleaning up must not hold a run that has failed already. */
const CLEANUP_ATTEMPTS = 4;

export interface MultipartTarget {
  readonly key: ObjectKey;
  readonly fullKey: string;
  /** Fields of the object: its lock, its writer's mark. */
  readonly fields: object;
  readonly connection: S3Connection;
  readonly buffers: PartBuffers;
  /** Parts under way at the same time, over all writers of the store. */
  readonly uploads: Semaphore;
  readonly logger: Logger;
  /** Whether the server refuses to end an upload onto an object that is there. */
  readonly conditionalComplete: (options: CallOptions) => Promise<boolean>;
  /** Puts an object that fits in one part. */
  readonly putSmall: (body: Uint8Array, options: CallOptions) => Promise<'created' | 'existed'>;
  /** Whether there is an object, and whether this writer made it. */
  readonly find: (options: CallOptions & { readonly attempts?: number }) => Promise<'mine' | 'other' | undefined>;
  /** Sees to the lock of the object once it is there. */
  readonly ensureLocked: (options: CallOptions) => Promise<void>;
}

interface Part {
  readonly PartNumber: number;
  readonly ETag: string | undefined;
}

/** Streams an object in parts of 8 MiB: one fills while others are under way. What fits in one part is put as a whole and never an upload. */
export class MultipartWriter implements ObjectWriter {
  readonly #target: MultipartTarget;
  /** Ends what is under way when the writer is given up. */
  readonly #abandoned = new AbortController();
  readonly #uploading = new Set<Promise<void>>();
  readonly #parts: Part[] = [];
  #buffer: Buffer | undefined;
  #filled = 0;
  #partNumber = 0;
  #beginning: Promise<string> | undefined;
  #uploadId: string | undefined;
  /** An answer to the making of the upload was lost: there may be another one that we do not know. */
  #doubtful = false;
  #failure: { readonly error: unknown } | undefined;
  #ended = false;

  constructor(target: MultipartTarget) {
    this.#target = target;
  }

  async write(parts: readonly Uint8Array[], options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    this.#throwIfOver();
    for (const part of parts) {
      for (let at = 0; at < part.length; ) {
        if (this.#filled === PART_BYTES) await this.#upload(options);
        this.#buffer ??= this.#target.buffers.take();
        const length = Math.min(part.length - at, PART_BYTES - this.#filled);
        this.#buffer.set(part.subarray(at, at + length), this.#filled);
        this.#filled += length;
        at += length;
      }
    }
  }

  async commit(options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    this.#throwIfOver();
    const outcome = this.#partNumber === 0 ? await this.#target.putSmall(this.#content(), options) : await this.#commitUpload(options);
    if (outcome === 'existed') throw objectExists(this.#target.key);
    this.#ended = true;
    this.#giveBackBuffer();
  }

  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#abandoned.abort(new RepositoryError({ code: 'REPO_STORE_FAILED', message: `${this.#target.key} was given up` }));
    // A part that arrives after the upload was aborted would stay.
    await Promise.allSettled(this.#uploading);
    await this.#removeUploads();
  }

  #throwIfOver(): void {
    if (this.#ended) throw new TypeError(`${this.#target.key} is written after its end`);
    if (this.#failure) throw this.#failure.error;
  }

  #content(): Buffer {
    return this.#buffer?.subarray(0, this.#filled) ?? Buffer.alloc(0);
  }

  #giveBackBuffer(): void {
    if (this.#buffer) this.#target.buffers.giveBack(this.#buffer);
    this.#buffer = undefined;
    this.#filled = 0;
  }

  /** Sends the part that is full on its way; waits only while too many are. */
  async #upload(options: CallOptions): Promise<void> {
    if (this.#partNumber === MAX_PARTS)
      throw new RepositoryError({
        code: 'REPO_TOO_LARGE',
        message: `${this.#target.key} has more than ${MAX_PARTS} parts`,
        details: { key: this.#target.key },
      });
    const permit = await this.#target.uploads.take(1, options);
    const body = this.#content();
    const buffer = this.#buffer;
    this.#buffer = undefined;
    this.#filled = 0;
    this.#partNumber += 1;
    const uploading = this.#send(this.#partNumber, body, options)
      .then(
        () => {
          if (buffer) this.#target.buffers.giveBack(buffer);
        },
        (error: unknown) => {
          this.#failure ??= { error };
        },
      )
      .finally(() => {
        permit[Symbol.dispose]();
        this.#uploading.delete(uploading);
      });
    this.#uploading.add(uploading);
    this.#throwIfOver();
  }

  async #send(PartNumber: number, body: Uint8Array, options: CallOptions): Promise<void> {
    const { connection, fullKey, key } = this.#target;
    const UploadId = await this.#begin(options);
    const ContentMD5 = contentMd5(body);
    const { ETag } = await connection.run(
      `put part ${PartNumber} of ${key}`,
      key,
      ({ sdk, client, http }) =>
        client.send(new sdk.UploadPartCommand({ Bucket: connection.bucket, Key: fullKey, UploadId, PartNumber, Body: body, ContentMD5 }), http),
      { signal: this.#abandoned.signal },
    );
    this.#parts.push({ PartNumber, ETag });
  }

  #begin(options: CallOptions): Promise<string> {
    this.#beginning ??= this.#create(options);
    return this.#beginning;
  }

  async #create(options: CallOptions): Promise<string> {
    const { connection, fullKey, fields } = this.#target;
    this.#doubtful = true;
    const { id, doubtful } = await beginUpload(connection, fullKey, fields, options);
    this.#uploadId = id;
    this.#doubtful = doubtful;
    return id;
  }

  async #commitUpload(options: CallOptions): Promise<'created' | 'existed'> {
    if (this.#filled > 0) await this.#upload(options);
    const { signal } = options;
    const onAbort = (): void => this.#abandoned.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    try {
      await Promise.all(this.#uploading);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
    signal?.throwIfAborted();
    this.#throwIfOver();
    const conditional = await this.#target.conditionalComplete(options);
    if (!conditional && (await this.#target.find(options)) !== undefined) return 'existed';
    const outcome = await this.#complete(conditional, options);
    if (outcome === 'created') {
      this.#uploadId = undefined;
      await this.#target.ensureLocked(options);
      await this.#removeUploads();
    }
    return outcome;
  }

  async #complete(conditional: boolean, options: CallOptions): Promise<'created' | 'existed'> {
    const { connection, fullKey, key } = this.#target;
    const command = {
      Bucket: connection.bucket,
      Key: fullKey,
      UploadId: this.#uploadId,
      MultipartUpload: { Parts: this.#parts.toSorted((a, b) => a.PartNumber - b.PartNumber) },
      ...(conditional && { IfNoneMatch: '*' }),
    };
    try {
      await connection.run(`finish ${key}`, key, ({ sdk, client, http }) => client.send(new sdk.CompleteMultipartUploadCommand(command), http), options);
      return 'created';
    } catch (error) {
      options.signal?.throwIfAborted();
      // The answer to an attempt that had its effect may have been lost; then the upload is gone or its own object is in its way.
      const found = await this.#target.find({ ...options, attempts: CLEANUP_ATTEMPTS }).catch(() => undefined);
      if (found === 'mine') return 'created';
      if (isRepositoryError(error, 'REPO_OBJECT_EXISTS')) return 'existed';
      throw error;
    }
  }

  /** The upload of this writer, and what a lost answer may have left; what fails is left to a sweep. */
  async #removeUploads(): Promise<void> {
    const { connection, fullKey, key, logger } = this.#target;
    const options = { attempts: CLEANUP_ATTEMPTS };
    try {
      if (this.#uploadId !== undefined) await abandonUpload(connection, fullKey, this.#uploadId, options);
      if (this.#doubtful) await abandonUploads(connection, fullKey, options);
    } catch (error) {
      logger.warn({ key, uploadId: this.#uploadId, error: serializeError(error) }, 'could not remove an unfinished upload');
    }
  }
}
