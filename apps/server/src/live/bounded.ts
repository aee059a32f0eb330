import { type CallOptions, type Clock, Semaphore } from '@onevault/base';
import { ServerError } from '../errors.ts';
import { rejectedBy } from './rejected-by.ts';

export interface BoundedLimits {
  /** At once, and waiting behind them; who comes then is turned away. */
  readonly concurrency: number;
  readonly waiting: number;
  /** From when it is asked until it is answered. */
  readonly timeoutMs: number;
}

interface Lane {
  readonly semaphore: Semaphore;
  inside: number;
}

/**
 * Work on things that may be slow or dead (the cloud, a repository), each in a lane of its own: a lane that hangs holds up nobody but those who ask for the same. An answer,
 * an abort or the time limit comes at once; a place in the lane is free again only when the work itself has ended, so that what hangs does not pile up.
 */
export class Bounded {
  readonly #clock: Clock;
  readonly #limits: BoundedLimits;
  readonly #lanes = new Map<string, Lane>();

  constructor(clock: Clock, limits: BoundedLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** `what`: for people, such as `repository main`. Throws SERVER_BUSY, SERVER_TIMEOUT. */
  async run<T>(lane: string, what: string, work: (options: Required<CallOptions>) => Promise<T>, { signal }: CallOptions): Promise<T> {
    signal?.throwIfAborted();
    const { concurrency, waiting, timeoutMs } = this.#limits;
    const place = this.#lane(lane);
    if (place.inside >= concurrency + waiting) throw busy(what);
    place.inside += 1;
    const over = new AbortController();
    const ending = AbortSignal.any(signal === undefined ? [over.signal] : [signal, over.signal]);
    void this.#clock.sleep(timeoutMs, { signal: ending }).then(
      () => over.abort(timedOut(what, timeoutMs)),
      () => undefined,
    );
    const done = this.#inTurn(place, work, ending);
    // Whatever becomes of it, the place is given back when it has ended.
    void done
      .catch(() => undefined)
      .finally(() => {
        over.abort();
        place.inside -= 1;
        if (place.inside === 0) this.#lanes.delete(lane);
      });
    return await Promise.race([done, rejectedBy(ending)]);
  }

  async #inTurn<T>({ semaphore }: Lane, work: (options: Required<CallOptions>) => Promise<T>, signal: AbortSignal): Promise<T> {
    using _turn = await semaphore.take(1, { signal });
    return await work({ signal });
  }

  #lane(name: string): Lane {
    const known = this.#lanes.get(name);
    if (known !== undefined) return known;
    const lane = { semaphore: new Semaphore(this.#limits.concurrency), inside: 0 };
    this.#lanes.set(name, lane);
    return lane;
  }
}

function busy(what: string): ServerError {
  return new ServerError({
    code: 'SERVER_BUSY',
    message: `${what} is asked for more than it can answer`,
    hint: 'ask again in some seconds; when that does not end, it hangs: doctor says more',
    retryable: true,
  });
}

function timedOut(what: string, ms: number): ServerError {
  return new ServerError({
    code: 'SERVER_TIMEOUT',
    message: `${what} has not answered within ${Math.round(ms / 1000)} s`,
    hint: 'ask again; doctor says whether it can be reached',
    retryable: true,
  });
}
