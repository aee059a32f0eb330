import type { Clock } from '@onevault/base';
import type { RunContext } from '@onevault/run-queue';

/** A clock that is set, or a machine that slept, is noticed within this time. */
const LOOK_MS = 30_000;

/** The signal of a run, which its window ends too, by the clock of the database. */
export class WindowEnd implements Disposable {
  readonly signal: AbortSignal;
  readonly #ended = new AbortController();
  readonly #over = new AbortController();

  /** `stopAtMs` undefined: the run has no window, and the signal is its own. */
  constructor(clock: Clock, { signal: own, now }: Pick<RunContext, 'signal' | 'now'>, stopAtMs: number | undefined) {
    this.signal = stopAtMs === undefined ? own : AbortSignal.any([own, this.#ended.signal]);
    if (stopAtMs !== undefined) void this.#wait(clock, now, stopAtMs).catch(() => undefined); // the run was over before
  }

  get isOver(): boolean {
    return this.#ended.signal.aborted;
  }

  [Symbol.dispose](): void {
    this.#over.abort();
  }

  async #wait(clock: Clock, now: RunContext['now'], stopAtMs: number): Promise<void> {
    for (let leftMs = stopAtMs - now().getTime(); leftMs > 0; leftMs = stopAtMs - now().getTime())
      await clock.sleep(Math.min(leftMs, LOOK_MS), { signal: this.#over.signal });
    // An abort like any other: what only notes failures and goes on must not take it for one.
    this.#ended.abort(new DOMException('the window of the policy ended', 'AbortError'));
  }
}
