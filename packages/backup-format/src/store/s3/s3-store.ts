import { randomBytes } from 'node:crypto';
import { type CallOptions, Semaphore, silentLogger } from '@onevault/base';
import { isRepositoryError } from '../../errors.ts';
import { objectMissing, objectTooShort } from '../object-errors.ts';
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
} from '../object-store.ts';
import { readBody } from './body.ts';
import { ConditionalWritesRecord } from './conditional-writes.ts';
import { contentMd5 } from './content-md5.ts';
import { listObjects } from './listing.ts';
import { MultipartWriter } from './multipart-writer.ts';
import { deleteVersions, ensureLocked, type LockFields, lockFields } from './object-lock.ts';
import { PartBuffers } from './part-buffers.ts';
import { S3Connection } from './s3-connection.ts';
import { s3Name } from './s3-errors.ts';
import type { S3StoreDeps, S3StoreOptions } from './s3-options.ts';
import { sweepUploads } from './sweep-uploads.ts';

/** Parts on their way at the same time, over all objects being written: 48 MiB. */
const PARALLEL_PARTS = 6;
/** Metadata of an object: who made it, for those whose answer was lost. */
const WRITER_MARK = 'onevault-writer';

/**
 * Objects in an S3 bucket. Exclusive writes use `If-None-Match: *` where the server has it, which is tried when the repository is created and recorded beside it; elsewhere
 * a key is looked at before it is written, which keeps apart what comes one after the other but not two writers in the same instant.
 * Memory: 8 MiB for every object being written with `create`, 48 MiB for parts under way. Does nothing before the first call.
 */
export function s3Store(options: S3StoreOptions, deps: S3StoreDeps): ObjectStore {
  return new S3Store(options, deps);
}

class S3Store implements ObjectStore {
  readonly location: string;
  readonly #options: S3StoreOptions;
  readonly #deps: S3StoreDeps & { readonly randomBytes: (length: number) => Uint8Array };
  readonly #prefix: string;
  readonly #connection: S3Connection;
  readonly #conditional: ConditionalWritesRecord;
  readonly #buffers = new PartBuffers();
  readonly #uploads = new Semaphore(PARALLEL_PARTS);

  constructor(options: S3StoreOptions, deps: S3StoreDeps) {
    const random = deps.randomBytes ?? randomBytes;
    const logger = deps.logger ?? silentLogger;
    this.#options = options;
    this.#deps = { ...deps, randomBytes: random };
    this.#prefix = options.prefix ? `${options.prefix}/` : '';
    this.location = `s3://${options.bucket}${options.prefix ? `/${options.prefix}` : ''}`;
    const chance = (): number => Buffer.from(random(4)).readUInt32LE() / 2 ** 32;
    this.#connection = new S3Connection(options, this.location, { clock: deps.clock, random: chance, logger });
    this.#conditional = new ConditionalWritesRecord({
      connection: this.#connection,
      keyOf: (name) => this.#prefix + name,
      randomHex: () => this.#newMark(),
      logger,
    });
  }

  async put(key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<'created' | 'existed'> {
    checkKey(key);
    options.signal?.throwIfAborted();
    if (options.ifAbsent) return await this.#putExclusively(key, body, options);
    await this.#put(key, body, { mark: this.#newMark(), conditional: false }, options);
    return 'created';
  }

  async #putExclusively(key: ObjectKey, body: Uint8Array, options: CallOptions): Promise<'created' | 'existed'> {
    const mark = this.#newMark();
    const { put: conditional } = await this.#conditional.read(options);
    if (!conditional && (await this.#find(key, mark, options)) !== undefined) return 'existed';
    const outcome = await this.#put(key, body, { mark, conditional }, options);
    if (outcome.created) return 'created';
    // An attempt whose answer was lost may have made the very object that was in the way of the next one.
    if (outcome.attempts === 1 || (await this.#find(key, mark, options)) !== 'mine') return 'existed';
    await this.#ensureLocked(key, this.#fields(key, mark), options);
    return 'created';
  }

  async #put(
    key: ObjectKey,
    body: Uint8Array,
    how: { readonly mark: string; readonly conditional: boolean },
    options: CallOptions,
  ): Promise<{ readonly created: boolean; readonly attempts: number }> {
    const command = {
      Bucket: this.#options.bucket,
      Key: this.#prefix + key,
      Body: body,
      ContentMD5: contentMd5(body),
      ...this.#fields(key, how.mark),
      ...(how.conditional && { IfNoneMatch: '*' }),
    };
    let attempts = 0;
    try {
      await this.#connection.run(
        `put ${key}`,
        key,
        ({ sdk, client, http, attempt }) => {
          attempts = attempt;
          return client.send(new sdk.PutObjectCommand(command), http);
        },
        options,
      );
      await this.#ensureLocked(key, command, options);
      return { created: true, attempts };
    } catch (error) {
      if (how.conditional && isRepositoryError(error, 'REPO_OBJECT_EXISTS')) return { created: false, attempts };
      throw error;
    }
  }

  async create(key: ObjectKey, options: CallOptions = {}): Promise<ObjectWriter> {
    checkKey(key);
    options.signal?.throwIfAborted();
    const mark = this.#newMark();
    const fields = this.#fields(key, mark);
    return new MultipartWriter({
      key,
      fullKey: this.#prefix + key,
      fields,
      connection: this.#connection,
      buffers: this.#buffers,
      uploads: this.#uploads,
      logger: this.#deps.logger ?? silentLogger,
      conditionalComplete: async (call) => (await this.#conditional.read(call)).complete,
      putSmall: (body, call) => this.#putExclusively(key, body, call),
      find: (call) => this.#find(key, mark, call),
      ensureLocked: (call) => this.#ensureLocked(key, fields, call),
    });
  }

  async get(key: ObjectKey, options: GetOptions = {}): Promise<Uint8Array> {
    checkKey(key);
    options.signal?.throwIfAborted();
    const { range } = options;
    // HTTP has no word for a range of no bytes.
    if (range?.length === 0) return await this.#emptyRange(key, range.offset, options);
    const command = {
      Bucket: this.#options.bucket,
      Key: this.#prefix + key,
      ...(range && { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` }),
    };
    try {
      return await this.#connection.run(
        `read ${key}`,
        key,
        async ({ sdk, client, http }) => readBody(key, await client.send(new sdk.GetObjectCommand(command), http), range, options),
        options,
      );
    } catch (error) {
      if (range && s3Name(error) === 'InvalidRange') throw await this.#beyondEnd(key, range.offset, range.length, options);
      throw error;
    }
  }

  async #emptyRange(key: ObjectKey, offset: number, options: CallOptions): Promise<Uint8Array> {
    const found = await this.stat(key, options);
    if (!found) throw objectMissing(key);
    if (found.sizeBytes < offset) throw objectTooShort(key, offset, 0, found.sizeBytes);
    return new Uint8Array(0);
  }

  async #beyondEnd(key: ObjectKey, offset: number, length: number, options: CallOptions): Promise<Error> {
    const found = await this.stat(key, options);
    return found ? objectTooShort(key, offset, length, found.sizeBytes) : objectMissing(key);
  }

  async stat(key: ObjectKey, options: CallOptions = {}): Promise<ObjectStat | undefined> {
    checkKey(key);
    options.signal?.throwIfAborted();
    try {
      const { ContentLength } = await this.#head(key, options);
      return { key, sizeBytes: ContentLength ?? 0 };
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_OBJECT_MISSING', 'REPO_ACCESS_DENIED', 'REPO_STORE_FAILED', 'REPO_REGION_WRONG') || error.retryable) throw error;
      // The answer to a HEAD has no body that would say why: no object and no bucket look alike, no right and no such key too. A listing says it.
      await this.#connection.run(
        `look for ${key}`,
        key,
        ({ sdk, client, http }) =>
          client.send(new sdk.ListObjectsV2Command({ Bucket: this.#options.bucket, Prefix: this.#prefix + key, MaxKeys: 1, EncodingType: 'url' }), http),
        options,
      );
      if (isRepositoryError(error, 'REPO_OBJECT_MISSING')) return undefined;
      throw error;
    }
  }

  #head(key: ObjectKey, options: CallOptions & { readonly attempts?: number }) {
    return this.#connection.run(
      `look at ${key}`,
      key,
      ({ sdk, client, http }) => client.send(new sdk.HeadObjectCommand({ Bucket: this.#options.bucket, Key: this.#prefix + key }), http),
      options,
    );
  }

  async #find(key: ObjectKey, mark: string, options: CallOptions & { readonly attempts?: number }): Promise<'mine' | 'other' | undefined> {
    try {
      const { Metadata } = await this.#head(key, options);
      return Metadata?.[WRITER_MARK] === mark ? 'mine' : 'other';
    } catch (error) {
      if (isRepositoryError(error, 'REPO_OBJECT_MISSING')) return undefined;
      throw error;
    }
  }

  list(prefix: string, options: CallOptions = {}): AsyncIterable<ObjectStat> {
    return listObjects(this.#connection, { root: this.#prefix, prefix }, options);
  }

  async delete(key: ObjectKey, options: CallOptions = {}): Promise<void> {
    checkKey(key);
    options.signal?.throwIfAborted();
    const fullKey = this.#prefix + key;
    if (this.#options.lock) return await deleteVersions(this.#connection, key, fullKey, options);
    try {
      await this.#connection.run(
        `delete ${key}`,
        key,
        ({ sdk, client, http }) => client.send(new sdk.DeleteObjectCommand({ Bucket: this.#options.bucket, Key: fullKey }), http),
        options,
      );
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_OBJECT_MISSING')) throw error;
    }
  }

  sweepTemporaries(options: SweepOptions): Promise<SweepReport> {
    return sweepUploads(this.#connection, { root: this.#prefix, probeKey: `${this.#prefix}.sweep-${this.#newMark()}` }, options);
  }

  #ensureLocked(key: ObjectKey, fields: LockFields, options: CallOptions): Promise<void> {
    return ensureLocked(this.#connection, key, this.#prefix + key, fields, options);
  }

  #fields(key: ObjectKey, mark: string): LockFields & { readonly Metadata: Record<string, string> } {
    return { Metadata: { [WRITER_MARK]: mark }, ...lockFields(key, this.#options.lock, this.#deps.clock) };
  }

  #newMark(): string {
    return Buffer.from(this.#deps.randomBytes(16)).toString('hex');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }
}
