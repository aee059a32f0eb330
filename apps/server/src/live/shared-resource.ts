import { type CallOptions, type Clock, isAbort } from '@onevault/base';
import { rejectedBy } from './rejected-by.ts';

interface Entry<T> {
  readonly value: Promise<T>;
  readonly opening: AbortController;
  isOpen: boolean;
  users: number;
  /** Ends the wait for the next user. */
  waiting: AbortController | undefined;
}

export interface SharedOptions<T> {
  readonly clock: Clock;
  /** Kept so long after its last user has gone. */
  readonly idleMs: number;
  open(key: string, options: CallOptions): Promise<T>;
  /** Must not throw. */
  close(value: T): Promise<void>;
}

/** Held by one user; disposing gives it back, and with `broken` nobody else gets it. */
export interface Held<T> extends AsyncDisposable {
  readonly value: T;
  broken(): void;
}

/**
 * What is opened at the first use, shared by all users of the same key, and closed some time after the last of them, or when room is needed. One that fails to open is tried
 * anew by the next.
 */
export class SharedResource<T> implements AsyncDisposable {
  readonly #options: SharedOptions<T>;
  readonly #entries = new Map<string, Entry<T>>();
  readonly #closing = new Set<Promise<void>>();

  constructor(options: SharedOptions<T>) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  async use(key: string, { signal }: CallOptions): Promise<Held<T>> {
    signal?.throwIfAborted();
    const entry = this.#entries.get(key) ?? this.#open(key);
    entry.users += 1;
    entry.waiting?.abort();
    entry.waiting = undefined;
    let given = false;
    const giveBack = async (): Promise<void> => {
      if (given) return;
      given = true;
      entry.users -= 1;
      if (entry.users === 0) await this.#left(key, entry);
    };
    try {
      const value = await (signal === undefined ? entry.value : Promise.race([entry.value, rejectedBy(signal)]));
      return { value, broken: () => this.#forget(key, entry), [Symbol.asyncDispose]: giveBack };
    } catch (error) {
      await giveBack();
      throw error;
    }
  }

  /** Closes the one that nobody has used for longest; false when all are in use. */
  async closeIdle(): Promise<boolean> {
    for (const [key, entry] of this.#entries) {
      if (entry.users > 0) continue;
      this.#forget(key, entry);
      await this.#close(entry);
      return true;
    }
    return false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [key, entry] of [...this.#entries]) {
      this.#forget(key, entry);
      entry.opening.abort();
      void this.#close(entry);
    }
    await Promise.all(this.#closing);
  }

  #open(key: string): Entry<T> {
    const opening = new AbortController();
    const value = this.#options.open(key, { signal: opening.signal });
    const entry: Entry<T> = { value, opening, isOpen: false, users: 0, waiting: undefined };
    this.#entries.set(key, entry);
    value.then(
      () => {
        entry.isOpen = true;
      },
      () => this.#forget(key, entry),
    );
    return entry;
  }

  async #left(key: string, entry: Entry<T>): Promise<void> {
    // Broken, or never opened: nobody will come for it.
    if (this.#entries.get(key) !== entry) return this.#close(entry);
    // Idle ones in the order in which they were left.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const waiting = new AbortController();
    entry.waiting = waiting;
    void this.#options.clock.sleep(this.#options.idleMs, { signal: waiting.signal }).then(
      () => {
        if (entry.users > 0 || this.#entries.get(key) !== entry) return;
        this.#forget(key, entry);
        void this.#close(entry);
      },
      (error: unknown) => {
        if (!isAbort(error)) throw error;
      },
    );
  }

  #forget(key: string, entry: Entry<T>): void {
    entry.waiting?.abort();
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
  }

  #close(entry: Entry<T>): Promise<void> {
    entry.opening.abort();
    const closed = entry.value.then(
      (value) => this.#options.close(value),
      () => undefined,
    );
    // What does not even open is not waited for: it is closed if it ever does.
    if (!entry.isOpen) return Promise.resolve();
    this.#closing.add(closed);
    void closed.finally(() => this.#closing.delete(closed));
    return closed;
  }
}
