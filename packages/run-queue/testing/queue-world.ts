import { type CallOptions, type Clock, silentLogger, systemClock } from '@onevault/base';
import { expect } from 'vitest';
import { type Database, type RunOutcome, type RunRecord, Runs, serveRuns, type Worker } from '../src/index.ts';

/** Polls in milliseconds; deadlines are the database's. */
export const quickClock: Clock = {
  now: systemClock.now,
  monotonicMs: systemClock.monotonicMs,
  sleep: (ms, options) => systemClock.sleep(ms / 100, options),
};

/** Time that stops for whoever sleeps by it: as a process that is suspended, or a machine that hangs. */
export class StoppableClock implements Clock {
  #stopped: Promise<void> | undefined;
  #goOn: () => void = () => undefined;

  stop(): void {
    this.#stopped ??= new Promise((resolve) => {
      this.#goOn = resolve;
    });
  }

  goOn(): void {
    this.#goOn();
    this.#stopped = undefined;
  }

  now(): Date {
    return quickClock.now();
  }

  monotonicMs(): number {
    return quickClock.monotonicMs();
  }

  async sleep(ms: number, options?: CallOptions): Promise<void> {
    await quickClock.sleep(ms, options);
    await this.#stopped;
  }
}

export const DONE: RunOutcome = { state: 'succeeded', report: { points: 1 } };

/** Never ends by itself. */
export function untilStopped(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** Runs of one database, workers that serve them, and what it takes to wait for either. */
export class QueueWorld {
  readonly database: Database;
  readonly runs: Runs;
  readonly #clock: Clock;
  #ids = 0;
  #vms = 100;
  #workers = 0;
  #stops: AbortController[] = [];
  #serving: Promise<void>[] = [];
  #endings: (() => void)[] = [];

  constructor(database: Database, clock: Clock = quickClock) {
    this.database = database;
    this.#clock = clock;
    this.runs = new Runs(database, () => `run-${String(++this.#ids).padStart(6, '0')}`);
  }

  /** A VM that no run was about yet. */
  nextVm(): number {
    return ++this.#vms;
  }

  /** Serves until the controller that it answers is aborted, or `stop`. */
  work(execute: Worker['execute'], overrides: Partial<Worker> & { readonly database?: Database; readonly clock?: Clock } = {}): AbortController {
    const stop = new AbortController();
    const { database = this.database, clock = this.#clock, ...said } = overrides;
    const worker: Worker = { name: `worker-${++this.#workers}`, reach: new Set(), concurrency: 2, cleanUp: async () => undefined, execute, ...said };
    this.#stops.push(stop);
    this.#serving.push(serveRuns({ database, clock, logger: silentLogger }, worker, { signal: stop.signal }));
    return stop;
  }

  /** Done before the workers are stopped. */
  atEnd(ending: () => void): void {
    this.#endings.push(ending);
  }

  /** All workers end in order. */
  async stop(): Promise<void> {
    for (const ending of this.#endings.splice(0)) ending();
    for (const stop of this.#stops.splice(0)) stop.abort();
    await Promise.all(this.#serving.splice(0));
  }

  ended(id: string): Promise<RunRecord> {
    return this.until(id, ({ endedAt }) => endedAt !== undefined);
  }

  async until(id: string, is: (run: RunRecord) => boolean): Promise<RunRecord> {
    await expect.poll(() => this.runs.get(id).catch(() => undefined), { timeout: 25_000, interval: 20 }).toSatisfy((run) => run !== undefined && is(run));
    return this.runs.get(id);
  }
}
