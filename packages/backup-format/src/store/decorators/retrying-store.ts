import { type CallOptions, type Clock, isRetryable, type Logger, type RetryPolicy, retry, serializeError, silentLogger } from '@onevault/base';
import { isRepositoryError } from '../../errors.ts';
import type { GetOptions, ObjectKey, ObjectStat, ObjectStore, ObjectWriter, PutOptions, SweepOptions, SweepReport } from '../object-store.ts';
import { WrittenTail } from './written-tail.ts';

export interface RetryingStoreDeps {
  readonly clock: Clock;
  /** From 0 up to 1: spreads what failed at once, so that it does not come back at once. */
  readonly random: () => number;
  readonly logger?: Logger;
}

/** About a minute in all: a server that restarts, a mount that comes back, a storm of 503. */
const DEFAULT_POLICY: RetryPolicy = { attempts: 8, firstDelayMs: 500, maxDelayMs: 30_000 };

/**
 * Repeats calls that failed `retryable`, with back-off and jitter, where repeating is safe. Reads, deletes, replacing puts and the opening of a writer are;
 * a listing goes on after the last key it yielded. After an answer was lost, an exclusive put that finds the key taken and a commit are judged by what
 * is there: our own bytes mean that it was us. A `write` is not repeated: the store may hold half of it. Memory: 4 KiB an open writer.
 */
export function retryingStore(inner: ObjectStore, deps: RetryingStoreDeps, policy: RetryPolicy = DEFAULT_POLICY): ObjectStore {
  return new RetryingStore(inner, deps, policy);
}

class RetryingStore implements ObjectStore {
  readonly location: string;
  readonly sweepTemporaries?: (options: SweepOptions) => Promise<SweepReport>;
  readonly #inner: ObjectStore;
  readonly #deps: RetryingStoreDeps;
  readonly #policy: RetryPolicy;

  constructor(inner: ObjectStore, deps: RetryingStoreDeps, policy: RetryPolicy) {
    this.location = inner.location;
    this.#inner = inner;
    this.#deps = deps;
    this.#policy = policy;
    const { sweepTemporaries } = inner;
    if (sweepTemporaries) this.sweepTemporaries = (options) => this.#retry('', () => sweepTemporaries.call(inner, options), options);
  }

  async put(key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<'created' | 'existed'> {
    let answerLost = false;
    const attempt = async (): Promise<'created' | 'existed'> => {
      try {
        return await this.#inner.put(key, body, options);
      } catch (error) {
        answerLost = true;
        throw error;
      }
    };
    const outcome = await this.#retry(key, attempt, options);
    if (outcome === 'created' || !answerLost) return outcome;
    return (await this.#endsWith(key, body.length, body, options)) ? 'created' : 'existed';
  }

  /** Whether the object has this size and these last bytes. */
  async #endsWith(key: ObjectKey, sizeBytes: number, bytes: Uint8Array, options: CallOptions): Promise<boolean> {
    const found = await this.stat(key, signalOf(options));
    if (found?.sizeBytes !== sizeBytes) return false;
    try {
      const range = { offset: sizeBytes - bytes.length, length: bytes.length };
      return Buffer.compare(await this.get(key, { ...signalOf(options), range }), bytes) === 0;
    } catch (error) {
      if (isRepositoryError(error, 'REPO_OBJECT_MISSING', 'REPO_OBJECT_TRUNCATED')) return false; // somebody took it away meanwhile
      throw error;
    }
  }

  async create(key: ObjectKey, options: CallOptions = {}): Promise<ObjectWriter> {
    const writer = await this.#retry(key, () => this.#inner.create(key, options), options);
    const tail = new WrittenTail();
    return {
      write: async (parts, options) => {
        await writer.write(parts, options);
        tail.add(parts);
      },
      commit: async (options = {}) => {
        try {
          await writer.commit(options);
        } catch (error) {
          // Keys of what is written piece by piece are random, and objects are whole: size and last bytes tell ours from any other.
          if (!isRetryable(error) || !(await this.#endsWith(key, tail.totalBytes, tail.bytes, options))) throw error;
          this.#deps.logger?.info({ key, error: serializeError(error) }, 'a commit whose answer was lost had been done');
        }
      },
      abort: () => writer.abort(),
    };
  }

  get(key: ObjectKey, options: GetOptions = {}): Promise<Uint8Array> {
    return this.#retry(key, () => this.#inner.get(key, options), options);
  }

  stat(key: ObjectKey, options: CallOptions = {}): Promise<ObjectStat | undefined> {
    return this.#retry(key, () => this.#inner.stat(key, options), options);
  }

  async *list(prefix: string, options: CallOptions = {}): AsyncGenerator<ObjectStat, void> {
    let listing = this.#inner.list(prefix, options)[Symbol.asyncIterator]();
    let last: ObjectKey | undefined;
    try {
      for (;;) {
        const step = await this.#retry(
          prefix,
          (attempt) => {
            if (attempt > 1) listing = this.#inner.list(prefix, options)[Symbol.asyncIterator]();
            return nextAfter(listing, last);
          },
          options,
        );
        if (step.done) return;
        last = step.value.key;
        yield step.value;
      }
    } finally {
      await listing.return?.();
    }
  }

  delete(key: ObjectKey, options: CallOptions = {}): Promise<void> {
    return this.#retry(key, () => this.#inner.delete(key, options), options);
  }

  #retry<T>(key: ObjectKey, work: (attempt: number) => Promise<T>, options: CallOptions): Promise<T> {
    const logger = this.#deps.logger ?? silentLogger;
    const attempt = async (n: number): Promise<T> => {
      try {
        return await work(n);
      } catch (error) {
        if (isRetryable(error)) logger.info({ key, attempt: n, error: serializeError(error) }, 'a call of the store failed');
        throw error;
      }
    };
    return retry(attempt, this.#policy, this.#deps, signalOf(options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }
}

function signalOf({ signal }: CallOptions): CallOptions {
  return signal ? { signal } : {};
}

async function nextAfter(listing: AsyncIterator<ObjectStat>, last: ObjectKey | undefined): Promise<IteratorResult<ObjectStat, unknown>> {
  for (;;) {
    const step = await listing.next();
    if (step.done || last === undefined || step.value.key > last) return step;
  }
}
