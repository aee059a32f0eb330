import { type CallOptions, type Clock, Mutex } from '@onevault/base';

/** After a pause this much of a second may pass at once. */
const BURST_SECONDS = 0.25;

/**
 * Lets `perSecond` units through, in the order asked. What is asked for goes through as soon as nothing is owed and is then owed itself: over any time T at
 * most `perSecond × (T + 0.25 s)` units and one request.
 */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #clock: Clock;
  readonly #turn = new Mutex();
  #balance: number;
  #filledAtMs: number;

  constructor(perSecond: number, clock: Clock) {
    if (!(perSecond > 0)) throw new RangeError(`a limit of ${perSecond} a second would never let anything through`);
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#balance = perSecond * BURST_SECONDS;
    this.#filledAtMs = clock.monotonicMs();
  }

  /** Waits for its turn; an aborted wait takes nothing. */
  take(units: number, options: CallOptions = {}): Promise<void> {
    return this.#turn.run(async () => {
      for (this.#fill(); this.#balance < 0; this.#fill()) {
        await this.#clock.sleep(Math.ceil((-this.#balance / this.#perSecond) * 1000), options);
      }
      this.#balance -= units;
    }, options);
  }

  /** Takes without waiting what turned out to be used; a negative number gives back. */
  charge(units: number): void {
    this.#fill();
    this.#balance -= units;
  }

  #fill(): void {
    const nowMs = this.#clock.monotonicMs();
    const filled = this.#balance + ((nowMs - this.#filledAtMs) / 1000) * this.#perSecond;
    this.#balance = Math.min(filled, this.#perSecond * BURST_SECONDS);
    this.#filledAtMs = nowMs;
  }
}
