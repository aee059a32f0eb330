import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock } from '@onevault/base';
import { ServerError } from '../errors.ts';
import type { HttpLimits } from './http-settings.ts';

const LOOK_EVERY_MS = 1_000;
/** One slow second is a large answer; several are too much work. */
const SLOW_LOOKS = 3;
const NS_PER_MS = 1e6;

/** Whether the process has more to do than it can: then it is better to say so than to answer late. */
export class Pressure {
  #slowLooks = 0;
  #isFull = false;

  /** Looks once a second, until aborted: by the real clock, for it is the real event loop. */
  async watch(limits: Pick<HttpLimits, 'eventLoopDelayMs' | 'rssBytes'>, signal: AbortSignal): Promise<void> {
    const delays = monitorEventLoopDelay({ resolution: 20 });
    delays.enable();
    try {
      while (!signal.aborted) {
        delays.reset();
        await systemClock.sleep(LOOK_EVERY_MS, { signal }).catch(() => undefined);
        this.look(delays.count === 0 ? LOOK_EVERY_MS : delays.mean / NS_PER_MS, process.memoryUsage.rss(), limits);
      }
    } finally {
      delays.disable();
    }
  }

  look(delayMs: number, rssBytes: number, limits: Pick<HttpLimits, 'eventLoopDelayMs' | 'rssBytes'>): void {
    this.#slowLooks = limits.eventLoopDelayMs > 0 && delayMs > limits.eventLoopDelayMs ? this.#slowLooks + 1 : 0;
    this.#isFull = limits.rssBytes > 0 && rssBytes > limits.rssBytes;
  }

  /** Throws SERVER_BUSY. */
  check(): void {
    if (this.#slowLooks < SLOW_LOOKS && !this.#isFull) return;
    throw new ServerError({
      code: 'SERVER_BUSY',
      message: `the server has ${this.#isFull ? 'no memory left' : 'too much to do'} for this`,
      details: { retryAfterS: 10 },
      hint: 'Ask again in 10 s',
      retryable: true,
    });
  }
}
