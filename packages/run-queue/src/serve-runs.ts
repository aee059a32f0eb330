import { type CallOptions, type Clock, errorCode, type Logger, serializeError } from '@onevault/base';
import { claim, type HeldJob, type Places } from './claim.ts';
import type { Database } from './database/open-database.ts';
import { HeldRun } from './held-run.ts';
import { HEARTBEAT_SECONDS, lanesWithin } from './lanes.ts';
import type { JsonObject, RunOutcome, RunRecord } from './run-record.ts';

/** What a worker may do to its run while it is at work. */
export type RunContext = Pick<HeldRun, 'run' | 'note' | 'progress' | 'events'> & { readonly signal: AbortSignal };

export interface Worker {
  /** Unique among the workers. */
  readonly name: string;
  /** What its proxy reaches. */
  readonly reach: ReadonlySet<string>;
  /** Runs at once. */
  readonly concurrency: number;
  readonly places: Places;
  /** Takes away what a dead worker left of this run. Throws when that cannot be done yet: then it is tried again later. */
  cleanUp(dead: RunRecord, options: CallOptions): Promise<void>;
  /** Does the run. An error is a failure of it; an abort of `signal` for any other reason than a cancel leaves it to the next worker. */
  execute(context: RunContext): Promise<RunOutcome>;
}

export interface ServeDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
}

const POLL_MS = 1000;
const BEAT_MS = (HEARTBEAT_SECONDS * 1000) / 6;
/** Before the engine gives the run to another worker, with time to let go of what it holds. */
const SILENCE_MS = (HEARTBEAT_SECONDS * 1000 * 2) / 3;

/** Takes runs and does them until `signal` is aborted; resolves when those under way have ended, or were let go of. */
export async function serveRuns(deps: ServeDeps, worker: Worker, { signal }: { readonly signal: AbortSignal }): Promise<void> {
  const atWork = new Set<Promise<void>>();
  while (!signal.aborted) {
    const took = atWork.size < worker.concurrency && (await takeOne(deps, worker, signal, atWork));
    if (!took) await deps.clock.sleep(POLL_MS, { signal }).catch(() => undefined);
  }
  await Promise.all(atWork);
}

/** Answers whether there may be more. */
async function takeOne(deps: ServeDeps, worker: Worker, signal: AbortSignal, atWork: Set<Promise<void>>): Promise<boolean> {
  try {
    const job = await fetchJob(deps.database, worker);
    if (job === undefined) return false;
    const claimed = await claim(deps.database, job, worker.name, worker.places);
    if (claimed.kind !== 'claimed') return true;
    const held = new HeldRun(deps.database, job, claimed.run);
    const work = doRun(deps, worker, held, claimed.dead, signal).finally(() => atWork.delete(work));
    atWork.add(work);
    return true;
  } catch (error) {
    deps.logger.warn({ worker: worker.name, error: serializeError(error) }, 'no run could be taken');
    return false;
  }
}

async function fetchJob(database: Database, worker: Worker): Promise<HeldJob | undefined> {
  for (const lane of await lanesWithin(database, worker.reach)) {
    const [job] = await database.boss.fetch<{ runId: string }>(lane, { batchSize: 1 });
    if (job !== undefined) return { lane, id: job.id, retryCount: job.retryCount, runId: job.data.runId };
  }
  return undefined;
}

class Cancelled extends Error {
  override readonly name = 'AbortError';
}

async function doRun(deps: ServeDeps, worker: Worker, held: HeldRun, dead: RunRecord | undefined, stop: AbortSignal): Promise<void> {
  const ended = new AbortController();
  const ending = AbortSignal.any([stop, ended.signal]);
  const beating = keepAlive(deps, held, ended);
  try {
    if (dead !== undefined) await worker.cleanUp(dead, { signal: ending });
    const context: RunContext = {
      run: held.run,
      signal: ending,
      note: (notes) => held.note(notes),
      progress: (progress) => held.progress(progress),
      events: (events) => held.events(events),
    };
    const outcome = await outcomeOf(worker, context);
    if (outcome === 'stopped') await held.release();
    else await held.finish(outcome);
  } catch (error) {
    // Let go of: whoever takes it next cleans up.
    deps.logger.warn({ worker: worker.name, runId: held.run.id, error: serializeError(error) }, 'run let go');
  } finally {
    ended.abort();
    await beating;
  }
}

/** stopped: this process ends, and the run has been ended in order. A claim that was lost is thrown on. */
async function outcomeOf(worker: Worker, context: RunContext): Promise<RunOutcome | 'stopped'> {
  try {
    return await worker.execute(context);
  } catch (error) {
    const { aborted, reason } = context.signal;
    if (!aborted) return { state: 'failed', failure: plain(error), retry: true };
    if (reason instanceof Cancelled) return { state: 'cancelled', report: {} };
    if (errorCode(reason) === 'QUEUE_CLAIM_LOST') throw error;
    return 'stopped';
  }
}

function plain(error: unknown): JsonObject {
  return JSON.parse(JSON.stringify(serializeError(error)));
}

/** Says that the worker lives. When that cannot be said for too long, or the claim is gone, the run must end before another worker begins it. */
async function keepAlive({ clock, logger }: ServeDeps, held: HeldRun, ended: AbortController): Promise<void> {
  let heardMs = clock.monotonicMs();
  while (!ended.signal.aborted) {
    await clock.sleep(BEAT_MS, { signal: ended.signal }).catch(() => undefined);
    if (ended.signal.aborted) return;
    try {
      const { cancelRequested } = await held.beat();
      heardMs = clock.monotonicMs();
      if (cancelRequested) ended.abort(new Cancelled('the run was cancelled'));
    } catch (error) {
      logger.warn({ runId: held.run.id, error: serializeError(error) }, 'heartbeat failed');
      if (errorCode(error) === 'QUEUE_CLAIM_LOST' || clock.monotonicMs() - heardMs > SILENCE_MS) ended.abort(error);
    }
  }
}
