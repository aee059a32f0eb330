import { type Clock, serializeError } from '@onevault/base';
import { claim } from './claim.ts';
import { doRun, type ServeDeps, type Worker } from './do-run.ts';
import { removeWorker, reportWorker } from './workers.ts';

const POLL_MS = 1000;
const REPORT_MS = 5000;

/** Takes runs and does them until `signal` is aborted; resolves when those under way have ended, or were given back, or let go of. */
export async function serveRuns(deps: ServeDeps, worker: Worker, { signal }: { readonly signal: AbortSignal }): Promise<void> {
  const atWork = new Set<Promise<void>>();
  const pause = new Pause(deps.clock, signal);
  const over = new AbortController();
  const reporting = report(deps, worker, over.signal);
  while (!signal.aborted) {
    const took = atWork.size < worker.concurrency && (await takeOne(deps, worker, signal, atWork, pause));
    if (!took) await pause.sleep(POLL_MS);
  }
  await Promise.all(atWork);
  over.abort();
  await reporting;
}

/** Answers whether there may be more. */
async function takeOne(deps: ServeDeps, worker: Worker, signal: AbortSignal, atWork: Set<Promise<void>>, pause: Pause): Promise<boolean> {
  try {
    const askedMs = deps.clock.monotonicMs();
    const claimed = await claim(deps.database, worker);
    if (claimed === undefined) return false;
    const work = doRun(deps, worker, claimed, askedMs, signal).finally(() => {
      atWork.delete(work);
      pause.end();
    });
    atWork.add(work);
    return true;
  } catch (error) {
    deps.logger.warn({ worker: worker.name, error: serializeError(error) }, 'no run could be taken');
    return false;
  }
}

/** Tells others that there is this worker. */
async function report({ database, clock, logger }: ServeDeps, worker: Worker, over: AbortSignal): Promise<void> {
  const attempt = (say: Promise<void>) =>
    say.catch((error: unknown) => logger.warn({ worker: worker.name, error: serializeError(error) }, 'worker not reported'));
  while (!over.aborted) {
    const { name, concurrency, reach } = worker;
    await attempt(reportWorker(database, { name, slots: concurrency, reach: [...reach], standing: worker.standing?.() ?? {} }));
    await clock.sleep(REPORT_MS, { signal: over }).catch(() => undefined);
  }
  await attempt(removeWorker(database, worker.name));
}

/** A sleep that ends when a run has ended, too. */
class Pause {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #now = new AbortController();

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.end(), { once: true });
  }

  async sleep(ms: number): Promise<void> {
    if (this.#signal.aborted) return;
    this.#now = new AbortController();
    await this.#clock.sleep(ms, { signal: this.#now.signal }).catch(() => undefined);
  }

  end(): void {
    this.#now.abort();
  }
}
