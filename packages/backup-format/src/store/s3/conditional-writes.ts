import { type CallOptions, type Logger, Mutex } from '@onevault/base';
import { z } from 'zod';
import { isRepositoryError } from '../../errors.ts';
import { contentMd5 } from './content-md5.ts';
import type { S3Connection } from './s3-connection.ts';
import { s3Name } from './s3-errors.ts';
import { abandonUpload, abandonUploads, beginUpload } from './uploads.ts';

/** What the server does about `If-None-Match: *`: some ignore it, some do not know it when a multipart upload ends. */
export interface ConditionalWrites {
  readonly put: boolean;
  readonly complete: boolean;
}

const CLEANUP_ATTEMPTS = 5;

/** The store's own object, which no listing shows: names that begin with a dot are not objects of the repository. */
const RECORD_NAME = '.onevault-s3.json';

const recordSchema = z.strictObject({ conditionalComplete: z.boolean(), conditionalPut: z.boolean(), version: z.literal(1) });

export interface ConditionalWritesDeps {
  readonly connection: S3Connection;
  /** Full key of an object of the store's own. */
  readonly keyOf: (name: string) => string;
  readonly randomHex: () => string;
  readonly logger: Logger;
}

/**
 * Learns once for a repository whether the server has conditional writes, by trying, and records it beside the repository: the first exclusive write is
 * that of the config, so creation probes, and everyone who opens it later reads the record.
 */
export class ConditionalWritesRecord {
  readonly #deps: ConditionalWritesDeps;
  readonly #mutex = new Mutex();
  #known: ConditionalWrites | undefined;

  constructor(deps: ConditionalWritesDeps) {
    this.#deps = deps;
  }

  async read(options: CallOptions): Promise<ConditionalWrites> {
    return this.#known ?? (await this.#mutex.run(async () => (this.#known ??= await this.#readOrProbe(options)), options));
  }

  async #readOrProbe(options: CallOptions): Promise<ConditionalWrites> {
    const recorded = await this.#recorded(options);
    if (recorded) return recorded;
    const found = await this.#probe(options);
    const { connection, keyOf, logger } = this.#deps;
    const body = Buffer.from(`${JSON.stringify({ conditionalComplete: found.complete, conditionalPut: found.put, version: 1 })}\n`);
    await connection.run(
      `put ${RECORD_NAME}`,
      RECORD_NAME,
      ({ sdk, client, http }) =>
        client.send(new sdk.PutObjectCommand({ Bucket: connection.bucket, Key: keyOf(RECORD_NAME), Body: body, ContentMD5: contentMd5(body) }), http),
      options,
    );
    if (!found.put)
      logger.warn({ location: connection.location }, 'this server has no conditional writes: two processes that make one object at once are not told apart');
    return found;
  }

  async #recorded(options: CallOptions): Promise<ConditionalWrites | undefined> {
    const { connection, keyOf } = this.#deps;
    try {
      const text = await connection.run(
        `read ${RECORD_NAME}`,
        RECORD_NAME,
        async ({ sdk, client, http }) =>
          (
            await client.send(new sdk.GetObjectCommand({ Bucket: connection.bucket, Key: keyOf(RECORD_NAME), Range: 'bytes=0-511' }), http)
          ).Body?.transformToString(),
        options,
      );
      const record = recordSchema.safeParse(JSON.parse(text ?? ''));
      return record.success ? { put: record.data.conditionalPut, complete: record.data.conditionalComplete } : undefined;
    } catch (error) {
      if (isRepositoryError(error, 'REPO_OBJECT_MISSING') || error instanceof SyntaxError || s3Name(error) === 'InvalidRange') return undefined;
      throw error;
    }
  }

  /**
   * An object put twice and a multipart upload completed onto it: the server refuses the second and the third, or it does not know how.
   * None of it is cut off by an abort once it is sent: the server could still carry it out after the deletion.
   */
  async #probe(options: CallOptions): Promise<ConditionalWrites> {
    const { keyOf, randomHex, connection } = this.#deps;
    const key = keyOf(`.probe-${randomHex()}`);
    try {
      await isRefused(this.#put(key, options));
      const put = await isRefused(this.#put(key, options));
      return { put, complete: put && (await isRefused(this.#completeOnto(key, options))) };
    } finally {
      await connection.run('delete the probe', '', ({ sdk, client }) => client.send(new sdk.DeleteObjectCommand({ Bucket: connection.bucket, Key: key })), {
        attempts: CLEANUP_ATTEMPTS,
      });
    }
  }

  #put(key: string, options: CallOptions): Promise<unknown> {
    const { connection } = this.#deps;
    const body = Buffer.from('probe');
    const command = { Bucket: connection.bucket, Key: key, Body: body, ContentMD5: contentMd5(body), IfNoneMatch: '*' };
    return connection.run('probe conditional writes', '', ({ sdk, client }) => client.send(new sdk.PutObjectCommand(command)), options);
  }

  async #completeOnto(Key: string, options: CallOptions): Promise<void> {
    const { connection } = this.#deps;
    const Bucket = connection.bucket;
    const Body = Buffer.from('probe');
    const what = 'probe conditional multipart writes';
    const upload = await beginUpload(connection, Key, {}, options);
    const UploadId = upload.id;
    try {
      const part = { Bucket, Key, UploadId, PartNumber: 1, Body, ContentMD5: contentMd5(Body) };
      const { ETag } = await connection.run(what, '', ({ sdk, client }) => client.send(new sdk.UploadPartCommand(part)), options);
      const end = { Bucket, Key, UploadId, MultipartUpload: { Parts: [{ ETag, PartNumber: 1 }] }, IfNoneMatch: '*' };
      await connection.run(what, '', ({ sdk, client }) => client.send(new sdk.CompleteMultipartUploadCommand(end)), options);
    } finally {
      await abandonUpload(connection, Key, UploadId, { attempts: CLEANUP_ATTEMPTS });
      if (upload.doubtful) await abandonUploads(connection, Key, { attempts: CLEANUP_ATTEMPTS });
    }
  }
}

async function isRefused(attempt: Promise<unknown>): Promise<boolean> {
  try {
    await attempt;
    return false;
  } catch (error) {
    if (isRepositoryError(error, 'REPO_OBJECT_EXISTS')) return true;
    ignoreUnsupported(error);
    return false;
  }
}

/** A server that does not know the header may say so instead of ignoring it. */
function ignoreUnsupported(error: unknown): void {
  if (!UNSUPPORTED.has(s3Name(error))) throw error;
}

/** The last one: the server ended the upload, ignoring the condition, and its answer was lost. */
const UNSUPPORTED: ReadonlySet<string> = new Set(['NotImplemented', 'InvalidArgument', 'InvalidRequest', 'NoSuchUpload']);
