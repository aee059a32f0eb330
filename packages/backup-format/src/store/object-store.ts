import type { CallOptions } from '@onevault/base';

/** A relative path of plain parts joined by `/`; see `checkKey`. */
export type ObjectKey = string;

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface ObjectStat {
  readonly key: ObjectKey;
  readonly sizeBytes: number;
}

/**
 * The one port to where objects lie. `objectStoreContract` (testing) checks these guarantees; a new store is one file and a call of it.
 *
 * 1. Whole or absent: under its key an object is complete; a reader, a crash or a failed call never shows part of one.
 * 2. Durable: when `put` or `commit` resolves, the object and its name survive power loss.
 * 3. Read after write: what was written is seen at once by every process through `get`, `stat` and `list`.
 * 4. `ifAbsent` is exclusive: of any number of writers of one key exactly one gets `created`; the others get `existed` and change nothing.
 *    So does `commit`. A body carries something of its writer's own (an id, a token): an answer that was lost is judged by what is there.
 * 5. `get` returns exactly the bytes asked for, or throws: REPO_OBJECT_MISSING if there is no such object, REPO_OBJECT_TRUNCATED if it ends before the range does. An object, and a range inside one, may be empty.
 * 6. `list` yields each object below the prefix once, in ascending order of key, however many there are. Objects created or deleted meanwhile may or may not appear.
 *    It throws rather than leave out what it cannot read, also in the middle; a place that was there and is gone is an error, not an empty list.
 * 7. `delete` is idempotent: deleting what is absent succeeds.
 * 8. Every failure is a RepositoryError (REPO_NO_SPACE, REPO_NOT_WRITABLE, REPO_PATH_INVALID, REPO_OBJECT_…, REPO_STORE_FAILED with `retryable` set by the store); an abort rejects with the signal's reason.
 * 9. Calls may run concurrently. The caller leaves a body untouched until the call settles, and may change it from then on; a returned buffer belongs to the caller.
 * 10. No call reads or writes access times, takes locks, or compares the clocks of two machines.
 * 11. A failed call may have had its effect (the answer was lost), but only as a whole. A repeated `get`, `stat`, `list`, `delete` or replacing `put` does no harm.
 */
export interface ObjectStore extends AsyncDisposable {
  /** For people and error messages, without secrets. */
  readonly location: string;
  put(key: ObjectKey, body: Uint8Array, options?: PutOptions): Promise<'created' | 'existed'>;
  /** Opens an object for writing piece by piece; nothing is visible before `commit`. */
  create(key: ObjectKey, options?: CallOptions): Promise<ObjectWriter>;
  get(key: ObjectKey, options?: GetOptions): Promise<Uint8Array>;
  stat(key: ObjectKey, options?: CallOptions): Promise<ObjectStat | undefined>;
  /** `prefix` is empty or ends in `/`. */
  list(prefix: string, options?: CallOptions): AsyncIterable<ObjectStat>;
  delete(key: ObjectKey, options?: CallOptions): Promise<void>;
  /**
   * Removes what writers that died left half written, which no `list` shows. Age is measured by the clock of the place itself, against something it wrote
   * just now. A live writer that is swept because it was quiet for longer fails in `write` or `commit`; nothing committed is touched. Absent where nothing can be left.
   */
  sweepTemporaries?(options: SweepOptions): Promise<SweepReport>;
}

export interface SweepOptions extends CallOptions {
  /** Nothing was written to it for this long. Longer than any writer is quiet: a day is right. */
  readonly olderThanMs: number;
}

export interface SweepReport {
  readonly removed: number;
  readonly removedBytes: number;
  /** Left alone because they are younger. */
  readonly kept: number;
}

export interface PutOptions extends CallOptions {
  readonly ifAbsent?: boolean;
}

export interface GetOptions extends CallOptions {
  readonly range?: ByteRange;
  /** What the store itself has at this moment, for one who decides by it what is stored; a cache in front of it is passed by. */
  readonly uncached?: boolean;
}

/**
 * One object being written. Exactly one of `commit` and `abort` ends it; after a failed `write` or `commit` only `abort` may follow. A call after the end is a TypeError.
 */
export interface ObjectWriter {
  /** Appends the parts in order; one call at a time. When it resolves, the memory of the parts is the caller's again. */
  write(parts: readonly Uint8Array[], options?: CallOptions): Promise<void>;
  /** Makes the object durable and visible. Throws REPO_OBJECT_EXISTS if the key is taken by then. */
  commit(options?: CallOptions): Promise<void>;
  /** Idempotent, does nothing after a commit, and does not fail: what it cannot remove is left to `sweepTemporaries`. */
  abort(): Promise<void>;
}

const PART = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/;

/** Throws TypeError unless `key` is one this package could have made: nothing that leaves the repository or hides in it. */
export function checkKey(key: ObjectKey): void {
  if (!key.split('/').every((part) => PART.test(part))) throw new TypeError(`"${key}" is not the key of an object`);
}
