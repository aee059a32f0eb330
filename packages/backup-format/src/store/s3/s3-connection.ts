import type { S3Client } from '@aws-sdk/client-s3';
import { type CallOptions, type Clock, type Logger, retry } from '@onevault/base';
import type { RepositoryError } from '../../errors.ts';
import type { ObjectKey } from '../object-store.ts';
import { openS3Client, type S3Sdk } from './s3-client.ts';
import { type S3Attempt, s3Error } from './s3-errors.ts';
import type { S3StoreOptions } from './s3-options.ts';

/** One attempt at one request. */
export interface S3Request {
  readonly sdk: S3Sdk;
  readonly client: S3Client;
  /** Second argument of `client.send`. */
  readonly http: { readonly abortSignal?: AbortSignal };
  /** From 1; above it an earlier attempt may have had its effect (guarantee 11). */
  readonly attempt: number;
}

export interface S3RunOptions extends CallOptions {
  /** At most so many attempts. */
  readonly attempts?: number;
}

export interface S3ConnectionDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

/** In all about 40 seconds: a gateway that restarts, a storm of SlowDown. */
const ATTEMPTS = 10;
/** Before the server ever answered, the address is more likely wrong than the server away. */
const FIRST_CONTACT_ATTEMPTS = 4;
const BACK_OFF = { firstDelayMs: 200, maxDelayMs: 10_000 };

/** One bucket of one server: every request goes through `run`, which repeats it and says what its errors mean. */
export class S3Connection implements AsyncDisposable {
  readonly bucket: string;
  readonly location: string;
  readonly #options: S3StoreOptions;
  readonly #deps: S3ConnectionDeps;
  #opened: Promise<{ readonly sdk: S3Sdk; readonly client: S3Client }> | undefined;
  #reached = false;

  constructor(options: S3StoreOptions, location: string, deps: S3ConnectionDeps) {
    this.bucket = options.bucket;
    this.location = location;
    this.#options = options;
    this.#deps = deps;
  }

  /** `what` is for messages: `put packs/aa/1`. */
  async run<T>(what: string, key: ObjectKey, send: (request: S3Request) => Promise<T>, options: S3RunOptions = {}): Promise<T> {
    const endpoint = this.#options.endpoint ?? `AWS (${this.#options.region ?? 'us-east-1'})`;
    const place: S3Attempt = { what, key, bucket: this.bucket, location: this.location, endpoint };
    const isReached = (): boolean => this.#reached;
    const policy = {
      ...BACK_OFF,
      get attempts() {
        return options.attempts ?? (isReached() ? ATTEMPTS : FIRST_CONTACT_ATTEMPTS);
      },
    };
    return await retry((attempt) => this.#attempt(place, attempt, send, options), policy, this.#deps, options);
  }

  async #attempt<T>(place: S3Attempt, attempt: number, send: (request: S3Request) => Promise<T>, options: CallOptions): Promise<T> {
    try {
      const { sdk, client } = await this.#open();
      const answer = await send({ sdk, client, http: options.signal ? { abortSignal: options.signal } : {}, attempt });
      this.#reached = true;
      return answer;
    } catch (error) {
      options.signal?.throwIfAborted();
      const failure = s3Error(place, error);
      if (failure.code !== 'REPO_UNREACHABLE' && failure.code !== 'REPO_CREDENTIALS_INVALID') this.#reached = true;
      if (failure.retryable) this.#log(failure, place, attempt);
      throw failure;
    }
  }

  #log(failure: RepositoryError, { what }: S3Attempt, attempt: number): void {
    this.#deps.logger.info({ what, attempt, code: failure.code, reason: failure.message }, 'a request to S3 failed and may be repeated');
  }

  #open(): Promise<{ readonly sdk: S3Sdk; readonly client: S3Client }> {
    if (this.#opened === undefined) {
      this.#opened = openS3Client(this.#options);
      this.#opened.catch(() => {
        this.#opened = undefined;
      });
    }
    return this.#opened;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    const client = await opened?.then(
      ({ client: open }) => open,
      () => undefined,
    );
    client?.destroy();
  }
}
