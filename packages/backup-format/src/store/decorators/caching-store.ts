import { createHash, randomBytes as systemRandomBytes } from 'node:crypto';
import { type CallOptions, type Logger, serializeError, silentLogger } from '@onevault/base';
import { PACKS_PREFIX, POINTS_PREFIX, type RandomBytes, TABLES_PREFIX } from '../../format/ids.ts';
import { LruCache } from '../../lru-cache.ts';
import { blocksOf, copyOverlap } from '../cache/block-plan.ts';
import { CacheShelves } from '../cache/cache-shelves.ts';
import type { ByteRange, GetOptions, ObjectKey, ObjectStat, ObjectStore, ObjectWriter, PutOptions, SweepOptions, SweepReport } from '../object-store.ts';

export interface CachingStoreOptions {
  /** A directory of this cache alone; processes and repositories may share it. */
  readonly path: string;
  readonly maxBytes: number;
}

export interface CachingStoreDeps {
  readonly logger?: Logger;
  readonly randomBytes?: RandomBytes;
}

/** A stored page of a disk index is at most its 32 KiB and a header; what is larger in a pack is data, which is read once. */
const MAX_PACK_RANGE_BYTES = 33 * 1024;
/** Larger reads of tables are merges and rebuilds, which would push out what lookups need. */
const MAX_RANGE_BYTES = 16 * 1024 * 1024;
const KNOWN_SIZES = 10_000;

/**
 * Keeps what is read again and again from a store that is far away in a local directory: index tables, manifests, and small ranges of packs (pages of disk
 * indexes). They never change, so nothing grows stale; whether an object exists is always asked of the store. Every cached piece is checked before it is
 * used, a damaged one is fetched again; a cache that fails costs time, never an answer. Reads of `index/` and `points/` are cached by 64 KiB.
 * Memory: the range that is read and 128 KiB; 10 000 known sizes. Not for verify or repair: they must see the store itself; so does a `get` that says `uncached`.
 */
export function cachingStore(inner: ObjectStore, options: CachingStoreOptions, deps: CachingStoreDeps = {}): ObjectStore {
  return new CachingStore(inner, options, deps);
}

class CachingStore implements ObjectStore {
  readonly location: string;
  readonly sweepTemporaries?: (options: SweepOptions) => Promise<SweepReport>;
  readonly #inner: ObjectStore;
  readonly #shelves: CacheShelves;
  readonly #logger: Logger;
  readonly #sizes = new LruCache<number>(KNOWN_SIZES, () => 1);
  #failed = false;

  constructor(inner: ObjectStore, options: CachingStoreOptions, deps: CachingStoreDeps) {
    const randomBytes = deps.randomBytes ?? systemRandomBytes;
    this.location = inner.location;
    this.#inner = inner;
    this.#logger = deps.logger ?? silentLogger;
    this.#shelves = new CacheShelves(options.path, options.maxBytes, () => Buffer.from(randomBytes(8)).toString('hex'));
    const { sweepTemporaries } = inner;
    if (sweepTemporaries) this.sweepTemporaries = (options) => sweepTemporaries.call(inner, options);
  }

  async get(key: ObjectKey, options: GetOptions = {}): Promise<Uint8Array> {
    options.signal?.throwIfAborted();
    const { range } = options;
    if (this.#failed || options.uncached || !range || range.length === 0) return this.#inner.get(key, options);
    if (key.startsWith(PACKS_PREFIX) && range.length <= MAX_PACK_RANGE_BYTES) return this.#getExact(key, range, options);
    if (!isCachedByBlock(key) || range.length > MAX_RANGE_BYTES) return this.#inner.get(key, options);
    const objectBytes = this.#sizes.get(key) ?? (await this.stat(key, options))?.sizeBytes ?? 0;
    // What is absent or too short is the store's to say.
    if (range.offset + range.length > objectBytes) return this.#inner.get(key, options);
    return this.#getBlocks(key, range, objectBytes, options);
  }

  async #getExact(key: ObjectKey, range: ByteRange, options: CallOptions): Promise<Uint8Array> {
    const cached = await this.#load(key, range);
    if (cached) return cached;
    const bytes = await this.#inner.get(key, { ...signalOf(options), range });
    await this.#keep(key, range.offset, bytes);
    return bytes;
  }

  /** From the cache what it has; the rest in one request, from the first block that is missing to the last. */
  async #getBlocks(key: ObjectKey, range: ByteRange, objectBytes: number, options: CallOptions): Promise<Uint8Array> {
    const target = Buffer.allocUnsafeSlow(range.length);
    const missing: ByteRange[] = [];
    for (const block of blocksOf(range, objectBytes)) {
      const bytes = await this.#load(key, block);
      if (bytes) copyOverlap(target, range.offset, bytes, block.offset);
      else missing.push(block);
    }
    const [first] = missing;
    const last = missing.at(-1);
    if (!first || !last) return target;
    const fetched = { offset: first.offset, length: last.offset + last.length - first.offset };
    const bytes = await this.#inner.get(key, { ...signalOf(options), range: fetched });
    copyOverlap(target, range.offset, bytes, fetched.offset);
    for (const { offset, length } of missing) await this.#keep(key, offset, bytes.subarray(offset - fetched.offset, offset - fetched.offset + length));
    return target;
  }

  async stat(key: ObjectKey, options: CallOptions = {}): Promise<ObjectStat | undefined> {
    const found = await this.#inner.stat(key, options);
    this.#note(key, found);
    return found;
  }

  async *list(prefix: string, options: CallOptions = {}): AsyncGenerator<ObjectStat, void> {
    for await (const found of this.#inner.list(prefix, options)) {
      this.#note(found.key, found);
      yield found;
    }
  }

  #note(key: ObjectKey, found: ObjectStat | undefined): void {
    if (!isCachedByBlock(key)) return;
    if (found) this.#sizes.set(key, found.sizeBytes);
    else this.#sizes.delete(key);
  }

  async put(key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<'created' | 'existed'> {
    try {
      return await this.#inner.put(key, body, options);
    } finally {
      if (!options.ifAbsent) await this.#drop(key);
    }
  }

  create(key: ObjectKey, options: CallOptions = {}): Promise<ObjectWriter> {
    return this.#inner.create(key, options);
  }

  async delete(key: ObjectKey, options: CallOptions = {}): Promise<void> {
    try {
      await this.#inner.delete(key, options);
    } finally {
      await this.#drop(key);
    }
  }

  async #load(key: ObjectKey, range: ByteRange): Promise<Uint8Array | undefined> {
    return this.#tryCache(() => this.#shelves.get(this.#objectName(key), entryName(range), range.length));
  }

  async #keep(key: ObjectKey, offset: number, bytes: Uint8Array): Promise<void> {
    await this.#tryCache(() => this.#shelves.put(this.#objectName(key), entryName({ offset, length: bytes.length }), bytes));
  }

  async #drop(key: ObjectKey): Promise<void> {
    this.#sizes.delete(key);
    if (isCachedByBlock(key) || key.startsWith(PACKS_PREFIX)) await this.#tryCache(() => this.#shelves.drop(this.#objectName(key)));
  }

  /** A cache that cannot be read or written (a full disk, no permission) is not used again by this process. */
  async #tryCache<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.#failed) return undefined;
    try {
      return await work();
    } catch (error) {
      if (!this.#failed) this.#logger.warn({ error: serializeError(error) }, 'the read cache cannot be used');
      this.#failed = true;
      return undefined;
    }
  }

  /** Ids are random, yet two stores may hold copies of one repository of which one is damaged. */
  #objectName(key: ObjectKey): string {
    return createHash('sha256').update(`${this.location}\n${key}`).digest('hex').slice(0, 32);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }
}

function isCachedByBlock(key: ObjectKey): boolean {
  return key.startsWith(TABLES_PREFIX) || key.startsWith(POINTS_PREFIX);
}

function entryName(range: ByteRange): string {
  return `${range.offset}-${range.length}`;
}

function signalOf({ signal }: CallOptions): CallOptions {
  return signal ? { signal } : {};
}
