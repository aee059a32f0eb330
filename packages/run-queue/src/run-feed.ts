import { type Clock, type Logger, serializeError } from '@onevault/base';
import type { RunEvent } from './run-record.ts';
import type { Runs } from './runs.ts';

export interface FeedDeps {
  readonly runs: Pick<Runs, 'events' | 'lastSeq'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface WatchOptions {
  /** Events behind this number; absent: those from now on. */
  readonly afterSeq?: number;
  /** Only of this run. */
  readonly runId?: string;
  readonly signal: AbortSignal;
}

const POLL_MS = 1000;
const PAGE = 500;
/** Newest events that are kept in memory: who reads no slower than this costs the database nothing. */
const KEPT = 2000;

/**
 * Events of all runs, by whatever process they were written: the database is asked once a second for everybody who watches in this process, and not at all while
 * nobody does. A watcher that is slow, or comes back, is given what it missed from the database. Memory is bound by KEPT events, whoever watches.
 */
export class RunFeed {
  readonly #deps: FeedDeps;
  /** Without a gap: all events behind `#base`, up to the newest that is known. */
  #kept: RunEvent[] = [];
  #base: number | undefined;
  #polling: Promise<void> | undefined;
  readonly #wakers = new Set<() => void>();
  #watching = 0;

  constructor(deps: FeedDeps) {
    this.#deps = deps;
  }

  /** Until `signal` is aborted: then it ends (after what was read already), and does not throw. A database that is away is waited for. */
  async *watch({ afterSeq, runId, signal }: WatchOptions): AsyncGenerator<RunEvent, void, undefined> {
    if (signal.aborted) return;
    let seq = afterSeq ?? (await this.#untilItAnswers(() => this.#deps.runs.lastSeq(), signal));
    this.#watching++;
    try {
      while (seq !== undefined && !signal.aborted) {
        this.#poll();
        const page = await this.#behind(seq, runId, signal);
        yield* page.events;
        seq = page.seq;
        if (page.isLast) await this.#more(seq, signal);
      }
    } finally {
      this.#watching--;
    }
  }

  /** `isLast`: nothing else is known. `seq`: up to where it was read. */
  async #behind(seq: number, runId: string | undefined, signal: AbortSignal): Promise<{ events: readonly RunEvent[]; seq: number; isLast: boolean }> {
    const newest = this.#newest();
    if (this.#base !== undefined && seq >= this.#base && this.#polling !== undefined) {
      let from = this.#kept.length;
      while ((this.#kept[from - 1]?.seq ?? 0) > seq) from--;
      const page = this.#kept.slice(from, from + PAGE);
      const events = runId === undefined ? page : page.filter((event) => event.runId === runId);
      return { events, seq: page.at(-1)?.seq ?? seq, isLast: page.length < PAGE };
    }
    const query = { afterSeq: seq, limit: PAGE, ...(runId !== undefined && { runId }) };
    const events = (await this.#untilItAnswers(() => this.#deps.runs.events(query), signal)) ?? [];
    if (events.length === PAGE) return { events, seq: events.at(-1)?.seq ?? seq, isLast: false };
    // All there was, at least up to what was known before the question was asked.
    return { events, seq: Math.max(events.at(-1)?.seq ?? seq, newest), isLast: newest <= seq };
  }

  #newest(): number {
    return this.#kept.at(-1)?.seq ?? this.#base ?? 0;
  }

  async #more(seq: number, signal: AbortSignal): Promise<void> {
    if (this.#newest() > seq || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#wakers.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#wakers.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  #poll(): void {
    this.#polling ??= this.#ask().finally(() => {
      this.#polling = undefined;
      this.#wake();
    });
  }

  /** While somebody watches. */
  async #ask(): Promise<void> {
    const { runs, clock, logger } = this.#deps;
    this.#kept = [];
    this.#base = undefined;
    while (this.#watching > 0) {
      try {
        if (this.#base === undefined) {
          this.#base = await runs.lastSeq();
          this.#wake(); // who began to watch meanwhile looks once more
        }
        const events = await runs.events({ afterSeq: this.#newest(), limit: PAGE });
        this.#keep(events);
        if (events.length === PAGE) continue;
      } catch (error) {
        logger.warn({ error: serializeError(error) }, 'events of runs cannot be read');
      }
      await clock.sleep(POLL_MS);
    }
  }

  #keep(events: readonly RunEvent[]): void {
    if (events.length === 0) return;
    this.#kept.push(...events);
    const dropped = this.#kept.splice(0, Math.max(0, this.#kept.length - KEPT)).at(-1);
    if (dropped !== undefined) this.#base = dropped.seq;
    this.#wake();
  }

  #wake(): void {
    for (const wake of [...this.#wakers]) wake();
  }

  async #untilItAnswers<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    const { clock, logger } = this.#deps;
    while (!signal.aborted) {
      try {
        return await ask();
      } catch (error) {
        logger.warn({ error: serializeError(error) }, 'events of runs cannot be read');
        await clock.sleep(POLL_MS, { signal }).catch(() => undefined);
      }
    }
    return undefined;
  }
}
