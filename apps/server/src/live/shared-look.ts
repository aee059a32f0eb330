import { type CallOptions, type Clock, isAbort } from '@onevault/base';
import { rejectedBy } from './rejected-by.ts';

/** One look under way, or the last one. */
interface Look<T> {
  readonly value: Promise<T>;
  readonly ended: AbortController;
  /** Undefined while it is under way. */
  doneMs: number | undefined;
  watchers: number;
}

/**
 * Something expensive to look at, for everybody who asks: one look at a time, whose result is good for a while. Who goes away does not end it for the others; when the
 * last one has gone it is ended. A look that fails is good for nothing.
 */
export class SharedLook<T> {
  readonly #clock: Clock;
  readonly #goodMs: number;
  readonly #look: (options: Required<CallOptions>) => Promise<T>;
  #last: Look<T> | undefined;

  constructor(clock: Clock, goodMs: number, look: (options: Required<CallOptions>) => Promise<T>) {
    this.#clock = clock;
    this.#goodMs = goodMs;
    this.#look = look;
  }

  async get({ signal }: CallOptions): Promise<T> {
    signal?.throwIfAborted();
    const look = this.#current() ?? this.#begin();
    look.watchers += 1;
    try {
      return await (signal === undefined ? look.value : Promise.race([look.value, rejectedBy(signal)]));
    } finally {
      look.watchers -= 1;
      if (look.watchers === 0 && look.doneMs === undefined) {
        this.#forget(look);
        look.ended.abort();
      }
    }
  }

  #current(): Look<T> | undefined {
    const last = this.#last;
    if (last?.doneMs !== undefined && this.#clock.monotonicMs() - last.doneMs >= this.#goodMs) return undefined;
    return last;
  }

  #begin(): Look<T> {
    const ended = new AbortController();
    const look: Look<T> = { value: this.#look({ signal: ended.signal }), ended, doneMs: undefined, watchers: 0 };
    this.#last = look;
    look.value.then(
      () => {
        look.doneMs = this.#clock.monotonicMs();
      },
      (error: unknown) => {
        look.doneMs = this.#clock.monotonicMs();
        this.#forget(look);
        // Told to whoever waits for it.
        return isAbort(error);
      },
    );
    return look;
  }

  #forget(look: Look<T>): void {
    if (this.#last === look) this.#last = undefined;
  }
}
