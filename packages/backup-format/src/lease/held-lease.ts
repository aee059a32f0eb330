import { type CallOptions, isAbort, Mutex, serializeError } from '@onevault/base';
import { RepositoryError } from '../errors.ts';
import { encodeLease, type LeaseRecord, type LeaseRoot, leaseKey } from './lease-record.ts';
import { HEARTBEAT_MS, holderLimitMs } from './lease-timing.ts';
import { deleteLease, type LeaseStoreParts, LeaseWatch } from './lease-watch.ts';

/** What a holder may add to its lease. */
export interface LeaseChange {
  readonly epoch?: number;
}

/**
 * A lease of this process. It is held as long as `signal` is not aborted, and surely only at the moment when `prove` resolves: a process that was
 * stopped or a machine that slept may wake up without it. Losing it aborts `signal` with REPO_LOCK_LOST.
 */
export class HeldLease implements AsyncDisposable {
  readonly signal: AbortSignal;
  readonly #parts: LeaseStoreParts;
  readonly #lost = new AbortController();
  readonly #stop = new AbortController();
  readonly #mutex = new Mutex();
  /** The newest heartbeat that is known to be in the store and not broken. */
  #record: LeaseRecord;
  #lastSequence: number;
  #validFromMs: number;
  #beating = false;
  #released: Promise<void> | undefined;

  private constructor(parts: LeaseStoreParts, record: LeaseRecord, validFromMs: number) {
    this.#parts = parts;
    this.#record = record;
    this.#lastSequence = record.sequence;
    this.#validFromMs = validFromMs;
    this.signal = this.#lost.signal;
    void this.#beat();
  }

  /** Writes the first heartbeat of `record` and keeps on. */
  static async take(parts: LeaseStoreParts, record: LeaseRecord, options: CallOptions = {}): Promise<HeldLease> {
    const validFromMs = parts.clock.monotonicMs();
    const key = leaseKey(record.id, record.sequence);
    if ((await parts.store.put(key, encodeLease(parts.envelopes, parts.config.id, record), { ...options, ifAbsent: true })) === 'existed')
      throw new RepositoryError({ code: 'REPO_OBJECT_EXISTS', message: `${key} is already in the repository`, details: { key } });
    return new HeldLease(parts, record, validFromMs);
  }

  get id(): string {
    return this.#record.id;
  }

  get record(): LeaseRecord {
    return this.#record;
  }

  /** Ticks rather than waits for each heartbeat: a store that hangs must not keep the holder from noticing that its time is up. */
  async #beat(): Promise<void> {
    const { signal } = this.#stop;
    try {
      for (;;) {
        await this.#parts.clock.sleep(Math.min(HEARTBEAT_MS, Math.floor(this.#record.expiryMs / 10)), { signal });
        this.#checkTime();
        if (!this.#beating) void this.#beatOnce();
      }
    } catch {
      // Released, or lost: whoever works under the lease learns that from `signal`.
    }
  }

  async #beatOnce(): Promise<void> {
    this.#beating = true;
    try {
      await this.update({});
    } catch (error) {
      if (!this.#stop.signal.aborted && !isAbort(error)) {
        const { id, purpose } = this.#record;
        this.#parts.logger.warn({ leaseId: id, purpose, error: serializeError(error) }, 'could not renew a lease');
      }
    } finally {
      this.#beating = false;
    }
  }

  /** A heartbeat that also says more. Throws REPO_LOCK_LOST when the lease is not held any more. */
  update(change: LeaseChange, options: CallOptions = {}): Promise<void> {
    return this.#mutex.run(() => this.#renew({ ...this.#record, ...change }, this.#call(options)), options);
  }

  /** Says that digests are copied from a disk index. */
  addRoot(root: LeaseRoot, options: CallOptions = {}): Promise<void> {
    return this.#mutex.run(async () => {
      const { roots } = this.#record;
      if (!roots.some((known) => known.root === root.root && known.sizeBytes === root.sizeBytes))
        await this.#renew({ ...this.#record, roots: [...roots, root] }, this.#call(options));
    }, options);
  }

  async #renew(next: LeaseRecord, call: CallOptions): Promise<void> {
    this.#checkTime();
    const { store, clock, envelopes, config } = this.#parts;
    const startedMs = clock.monotonicMs();
    const record = { ...next, sequence: ++this.#lastSequence }; // also after a put that failed: it may have had its effect
    await store.put(leaseKey(record.id, record.sequence), encodeLease(envelopes, config.id, record), { ...call, ifAbsent: true });
    await this.#checkUnbroken(call);
    const before = leaseKey(record.id, this.#record.sequence);
    this.#record = record;
    this.#validFromMs = startedMs;
    await store.delete(before, call);
  }

  /** Resolves only if the lease is held now: nobody has broken it, and its time is not up. */
  prove(options: CallOptions = {}): Promise<void> {
    const call = this.#call(options);
    return this.#mutex.run(async () => {
      this.#checkTime();
      await this.#checkUnbroken(call);
      this.#checkTime();
    }, call);
  }

  #call(options: CallOptions): CallOptions {
    return { signal: options.signal ? AbortSignal.any([options.signal, this.signal]) : this.signal };
  }

  #checkTime(): void {
    this.signal.throwIfAborted();
    const { expiryMs } = this.#record;
    if (this.#parts.clock.monotonicMs() - this.#validFromMs >= holderLimitMs(expiryMs)) throw this.#lose('could not be renewed in time');
  }

  /** Whoever ends a lease deletes its last heartbeat before anything else. */
  async #checkUnbroken(call: CallOptions): Promise<void> {
    if (!(await this.#parts.store.stat(leaseKey(this.#record.id, this.#record.sequence), call))) throw this.#lose('was ended by somebody else');
  }

  #lose(why: string): RepositoryError {
    const { id, purpose } = this.#record;
    const error = new RepositoryError({
      code: 'REPO_LOCK_LOST',
      message: `the lease for ${purpose} ${why}`,
      details: { key: leaseKey(id, this.#record.sequence) },
      hint: 'nothing was committed; run it again when the repository can be reached steadily',
    });
    this.#lost.abort(error);
    this.#stop.abort(error);
    this.#parts.logger.warn({ leaseId: id, purpose }, `a lease ${why}`);
    return error;
  }

  /** Leaves the lease to expire by itself: what was sent to the store and not answered may still have its effect, and others must count with it until then. */
  abandon(): void {
    this.#stop.abort(new Error('the lease is left to expire'));
    this.#released ??= Promise.resolve();
  }

  /** Ends the lease. While somebody works exclusively, it stays behind as ended, for them to take note of its roots. Idempotent; a store that fails only leaves it to expire. */
  release(): Promise<void> {
    this.#released ??= this.#release();
    return this.#released;
  }

  async #release(): Promise<void> {
    this.#stop.abort(new Error('the lease is released'));
    try {
      await this.#mutex.run(() => this.#end());
    } catch (error) {
      const { id, purpose } = this.#record;
      this.#parts.logger.warn({ leaseId: id, purpose, error: serializeError(error) }, 'could not remove a lease; it expires by itself');
    }
  }

  async #end(): Promise<void> {
    const { store, envelopes, config } = this.#parts;
    const { record } = this;
    // Nothing that a reader leaves behind refers to what it read.
    if (record.kind === 'reader' || record.roots.length === 0 || !(await this.#isExclusiveAtWork())) return deleteLease(store, record.id);
    if (this.signal.aborted) return deleteLease(store, record.id);
    const ended = { ...record, sequence: this.#lastSequence + 1, ended: true };
    await store.put(leaseKey(ended.id, ended.sequence), encodeLease(envelopes, config.id, ended), { ifAbsent: true });
    for (let sequence = record.sequence; sequence < ended.sequence; sequence++) await store.delete(leaseKey(record.id, sequence));
  }

  async #isExclusiveAtWork(): Promise<boolean> {
    const others = await new LeaseWatch(this.#parts).observe();
    return others.some(({ record }) => record === undefined || record.kind === 'exclusive');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}
