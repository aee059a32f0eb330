import { type CallOptions, type Clock, Semaphore } from '@onevault/base';
import type { GetOptions, ObjectKey, ObjectStat, ObjectStore, ObjectWriter, PutOptions, SweepOptions, SweepReport } from '../object-store.ts';
import { TokenBucket } from './token-bucket.ts';

/** What is absent is not limited. */
export interface StoreLimits {
  readonly uploadBytesPerSecond?: number;
  readonly downloadBytesPerSecond?: number;
  /** Pieces of an object count as part of its `commit`; 1000 listed objects as one request. */
  readonly requestsPerSecond?: number;
  readonly concurrentRequests?: number;
}

/** Listings come by the page on S3. */
const LISTED_PER_REQUEST = 1000;

/**
 * Keeps a store's traffic below limits; who asks first goes first, and a call may be aborted while it waits. A request is never cut: one that is larger
 * than the limit goes through at the speed of the line, and what comes after waits for it. Up and down have a budget each. Holds no memory.
 */
export function limitedStore(inner: ObjectStore, limits: StoreLimits, deps: { readonly clock: Clock }): ObjectStore {
  return new LimitedStore(inner, limits, deps.clock);
}

class LimitedStore implements ObjectStore {
  readonly location: string;
  readonly sweepTemporaries?: (options: SweepOptions) => Promise<SweepReport>;
  readonly #inner: ObjectStore;
  readonly #up: TokenBucket | undefined;
  readonly #down: TokenBucket | undefined;
  readonly #requests: TokenBucket | undefined;
  readonly #slots: Semaphore | undefined;

  constructor(inner: ObjectStore, limits: StoreLimits, clock: Clock) {
    const bucket = (perSecond: number | undefined): TokenBucket | undefined => (perSecond === undefined ? undefined : new TokenBucket(perSecond, clock));
    this.location = inner.location;
    this.#inner = inner;
    this.#up = bucket(limits.uploadBytesPerSecond);
    this.#down = bucket(limits.downloadBytesPerSecond);
    this.#requests = bucket(limits.requestsPerSecond);
    this.#slots = limits.concurrentRequests === undefined ? undefined : new Semaphore(limits.concurrentRequests);
    const { sweepTemporaries } = inner;
    if (sweepTemporaries) this.sweepTemporaries = (options) => this.#request(() => sweepTemporaries.call(inner, options), options);
  }

  async put(key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<'created' | 'existed'> {
    await this.#up?.take(body.length, options);
    return this.#request(() => this.#inner.put(key, body, options), options);
  }

  async create(key: ObjectKey, options: CallOptions = {}): Promise<ObjectWriter> {
    const writer = await this.#request(() => this.#inner.create(key, options), options);
    return {
      write: async (parts, options = {}) => {
        await this.#up?.take(
          parts.reduce((total, part) => total + part.length, 0),
          options,
        );
        await this.#inSlot(() => writer.write(parts, options), options);
      },
      commit: (options = {}) => this.#request(() => writer.commit(options), options),
      abort: () => writer.abort(),
    };
  }

  async get(key: ObjectKey, options: GetOptions = {}): Promise<Uint8Array> {
    const expected = options.range?.length ?? 0;
    await this.#down?.take(expected, options);
    let received = 0;
    try {
      const bytes = await this.#request(() => this.#inner.get(key, options), options);
      received = bytes.length;
      return bytes;
    } finally {
      this.#down?.charge(received - expected);
    }
  }

  stat(key: ObjectKey, options: CallOptions = {}): Promise<ObjectStat | undefined> {
    return this.#request(() => this.#inner.stat(key, options), options);
  }

  async *list(prefix: string, options: CallOptions = {}): AsyncGenerator<ObjectStat, void> {
    const listing = this.#inner.list(prefix, options)[Symbol.asyncIterator]();
    try {
      for (let listed = 0; ; listed++) {
        if (listed % LISTED_PER_REQUEST === 0) await this.#requests?.take(1, options);
        // No slot is held while the caller looks at what it got: it may make calls of its own.
        const step = await this.#inSlot(() => listing.next(), options);
        if (step.done) return;
        yield step.value;
      }
    } finally {
      await listing.return?.();
    }
  }

  delete(key: ObjectKey, options: CallOptions = {}): Promise<void> {
    return this.#request(() => this.#inner.delete(key, options), options);
  }

  async #request<T>(work: () => Promise<T>, options: CallOptions): Promise<T> {
    await this.#requests?.take(1, options);
    return this.#inSlot(work, options);
  }

  async #inSlot<T>(work: () => Promise<T>, options: CallOptions): Promise<T> {
    const slot = await this.#slots?.take(1, options);
    try {
      return await work();
    } finally {
      slot?.[Symbol.dispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }
}
