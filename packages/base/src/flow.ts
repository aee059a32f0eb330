import type { CallOptions } from './call-options.ts';

/** A counting semaphore; `take` resolves in the order asked. Disposing the permit gives it back, once. */
export class Semaphore {
  #free: number;
  readonly #waiting: { readonly units: number; readonly wake: () => void }[] = [];
  readonly #limit: number;

  constructor(limit: number) {
    if (!(limit > 0)) throw new RangeError(`a limit of ${limit} would never let anything through`);
    this.#limit = limit;
    this.#free = limit;
  }

  /** Takes `units` (bytes of a memory budget, or slots); a request larger than the limit is let through alone. */
  async take(units = 1, options: CallOptions = {}): Promise<Disposable> {
    const { signal } = options;
    signal?.throwIfAborted();
    const wanted = Math.min(units, this.#limit);
    if (this.#waiting.length > 0 || this.#free < wanted) await this.#wait(wanted, signal);
    else this.#free -= wanted;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#free += wanted;
        this.#wakeNext();
      },
    };
  }

  #wait(units: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        reject(signal?.reason);
        this.#wakeNext();
      };
      const entry = {
        units,
        wake: (): void => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(entry);
    });
  }

  #wakeNext(): void {
    for (let next = this.#waiting[0]; next && next.units <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= next.units;
      next.wake();
    }
  }
}

/** One at a time. */
export class Mutex {
  readonly #semaphore = new Semaphore(1);

  async run<T>(work: () => Promise<T>, options: CallOptions = {}): Promise<T> {
    const permit = await this.#semaphore.take(1, options);
    try {
      return await work();
    } finally {
      permit[Symbol.dispose]();
    }
  }
}

export interface ConcurrencyOptions extends CallOptions {
  readonly concurrency: number;
}

/**
 * Maps with at most `concurrency` calls under way and yields results in the order of the source. On failure or early return no new call starts,
 * calls under way are awaited, and the source is closed.
 */
export async function* mapOrdered<A, B>(
  source: AsyncIterable<A> | Iterable<A>,
  fn: (item: A) => Promise<B>,
  options: ConcurrencyOptions,
): AsyncGenerator<B, void> {
  const pending: Promise<B>[] = [];
  try {
    for await (const item of source) {
      options.signal?.throwIfAborted();
      const call = fn(item);
      call.catch(() => undefined); // reported when its turn comes; not an unhandled rejection until then
      pending.push(call);
      if (pending.length >= options.concurrency) yield await (pending.shift() as Promise<B>);
    }
    while (pending.length > 0) yield await (pending.shift() as Promise<B>);
  } finally {
    await Promise.allSettled(pending);
  }
}

/** Runs `fn` for every item, at most `concurrency` at a time; the first failure stops new calls, awaits the rest and is thrown. */
export async function forEachConcurrent<A>(source: AsyncIterable<A> | Iterable<A>, fn: (item: A) => Promise<void>, options: ConcurrencyOptions): Promise<void> {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  try {
    for await (const item of source) {
      options.signal?.throwIfAborted();
      if (failures.length > 0) break;
      const call = fn(item)
        .catch((error: unknown) => {
          failures.push(error);
        })
        .finally(() => running.delete(call));
      running.add(call);
      if (running.size >= options.concurrency) await Promise.race(running);
    }
  } finally {
    await Promise.all(running);
  }
  if (failures.length > 0) throw failures[0];
}
