import type { CallOptions } from '@onevault/base';
import type { ProxyVmView } from './attach-api.ts';
import { type HotplugDeps, STRAGGLER_MS } from './hotplug.ts';

/** A guest on q35 refuses an unplug for about 5 s after a plug (power indicator blinking), so the first retry comes after that. */
const FIRST_RETRY_MS = 6_000;
const MAX_RETRY_MS = 30_000;

/** How often and how long one detach is tried, and which of its calls may still come. */
export class DetachTries {
  /** The VM before the first try. */
  first: ProxyVmView | undefined;
  readonly #deps: Pick<HotplugDeps, 'clock' | 'timeouts'>;
  #deadlineMs: number | undefined;
  #delayMs = FIRST_RETRY_MS;
  #calls = 0;
  #unanswered = 0;
  #lastIsUnanswered = false;
  #lastUnansweredMs = 0;

  constructor(deps: Pick<HotplugDeps, 'clock' | 'timeouts'>) {
    this.#deps = deps;
  }

  get calls(): number {
    return this.#calls;
  }

  called(): void {
    this.#calls++;
    this.#lastIsUnanswered = false;
  }

  /** Nobody answered the last call. */
  unanswered(): void {
    this.#unanswered++;
    this.#lastIsUnanswered = true;
    this.#lastUnansweredMs = this.#deps.clock.monotonicMs();
  }

  mayContinue(): boolean {
    const nowMs = this.#deps.clock.monotonicMs();
    this.#deadlineMs ??= nowMs + this.#deps.timeouts.detachRetryMs;
    return nowMs + this.#delayMs <= this.#deadlineMs;
  }

  async pause(options: CallOptions): Promise<void> {
    await this.#deps.clock.sleep(this.#delayMs, options);
    this.#delayMs = Math.min(this.#delayMs * 2, MAX_RETRY_MS);
  }

  /**
   * To be awaited once the disk is gone. DISK_IDs are used again: a call that was never answered, while another one took the disk away, may still come and
   * would take the next disk that is plugged. The one whose effect was seen cannot.
   */
  async outliveStragglers(options: CallOptions): Promise<void> {
    const stragglers = this.#unanswered - (this.#lastIsUnanswered ? 1 : 0);
    const waitMs = this.#lastUnansweredMs + STRAGGLER_MS - this.#deps.clock.monotonicMs();
    if (stragglers > 0 && waitMs > 0) await this.#deps.clock.sleep(waitMs, options);
  }
}
