import type { CallOptions, Clock } from '@onevault/base';

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

/** Time that only the model moves. Every process has its own wall clock, off by a fixed amount; elapsed time is the same for all. */
export class ModelTime {
  static readonly #startMs = Date.UTC(2026, 10, 22, 19, 0, 0);
  readonly #sleepers = new Set<Sleeper>();
  #elapsedMs = 0;

  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  /** When the next sleeper wakes, if there is one. */
  get nextWakeMs(): number | undefined {
    const [first] = [...this.#sleepers].map(({ atMs }) => atMs).sort((a, b) => a - b);
    return first;
  }

  advance(ms: number): void {
    const end = this.#elapsedMs + ms;
    for (let next = this.nextWakeMs; next !== undefined && next <= end; next = this.nextWakeMs) {
      this.#elapsedMs = Math.max(this.#elapsedMs, next);
      for (const sleeper of [...this.#sleepers].filter(({ atMs }) => atMs <= this.#elapsedMs)) {
        this.#sleepers.delete(sleeper);
        sleeper.wake();
      }
    }
    this.#elapsedMs = end;
  }

  /** The clock of a machine whose time is wrong by `skewMs`. */
  clock(skewMs: number): Clock {
    return {
      now: () => new Date(ModelTime.#startMs + this.#elapsedMs + skewMs),
      monotonicMs: () => this.#elapsedMs,
      sleep: (ms, { signal }: CallOptions = {}) => this.#sleep(ms, signal),
    };
  }

  #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = (): void => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason);
      };
      const sleeper: Sleeper = {
        atMs: this.#elapsedMs + ms,
        wake: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#sleepers.add(sleeper);
    });
  }
}
