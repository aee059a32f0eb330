import type { CallOptions, Clock } from '../src/index.ts';

/** A clock that a test moves by hand, or that jumps to the next sleeper by itself (`auto`). */
export class FakeClock implements Clock {
  #elapsedMs = 0;
  readonly #startMs: number;
  readonly #auto: boolean;
  readonly #sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];

  constructor(options: { readonly startMs?: number; readonly auto?: boolean } = {}) {
    this.#startMs = options.startMs ?? 1_760_000_000_000;
    this.#auto = options.auto ?? false;
  }

  now(): Date {
    return new Date(this.#startMs + this.#elapsedMs);
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  sleep(ms: number, options: CallOptions = {}): Promise<void> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#auto) {
      this.#elapsedMs += ms;
      return new Promise((resolve) => setImmediate(resolve));
    }
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        const at = this.#sleepers.indexOf(sleeper);
        if (at >= 0) this.#sleepers.splice(at, 1);
        reject(signal?.reason);
      };
      const wake = (): void => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const sleeper = { atMs: this.#elapsedMs + ms, wake };
      this.#sleepers.push(sleeper);
      this.#sleepers.sort((a, b) => a.atMs - b.atMs);
      signal?.addEventListener('abort', onAbort);
    });
  }

  advance(ms: number): void {
    this.#elapsedMs += ms;
    while (this.#sleepers[0] && this.#sleepers[0].atMs <= this.#elapsedMs) this.#sleepers.shift()?.wake();
  }
}
