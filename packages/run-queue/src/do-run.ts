import { type CallOptions, type Clock, errorCode, isAbort, type Logger, serializeError } from '@onevault/base';
import type { Claim, Claimant } from './claim.ts';
import type { Database } from './database/open-database.ts';
import { QueueError } from './errors.ts';
import { HeldRun } from './held-run.ts';
import type { JsonObject, RunOutcome, RunRecord } from './run-record.ts';

/** What a worker may do to its run while it is at work. */
export interface RunContext {
  readonly run: RunRecord;
  /** Aborted when the run is cancelled, this process ends, or the claim is lost or cannot be kept: the run then ends in order and takes back what it did. */
  readonly signal: AbortSignal;
  /** To be awaited before anything is done in the cloud: it is on the database's disk, for whoever has to clean up. Waits for a database that is away. */
  note(notes: JsonObject): Promise<void>;
  /** To be awaited before what cannot be taken back: the run was still this attempt's at a moment after the question. Waits for a database that is away. */
  prove(): Promise<void>;
  /** The database's clock, by which starts, ends and deaths are judged: workers on machines whose clocks differ agree on it. */
  now(): Date;
  /** The newest counts. Never waits. */
  progress(progress: JsonObject): void;
  /** Told to whoever watches, within seconds. Never waits; at most 10 000 of an attempt are kept. */
  event(type: string, data: JsonObject): void;
}

export interface Worker extends Claimant {
  /** Runs at once. */
  readonly concurrency: number;
  /** What others should know of it, such as its proxy and datastores. */
  standing?(): JsonObject;
  /**
   * Takes away what a dead attempt left; its worker, attempt and notes are in `dead`. Throws when that cannot be done yet: it is tried again in a minute, then less often,
   * and the VM is nobody else's until it is done. An outcome says that the dead one had done its work, or that nobody can do it, and ends the run. That the run is
   * cancelled does not stop it. The worker need not reach what the run needs.
   */
  cleanUp(dead: RunRecord, options: CallOptions): Promise<RunOutcome | undefined>;
  /** Does the run. An error is a failure that may be tried again; after an abort it counts as stopped in order. */
  execute(context: RunContext): Promise<RunOutcome>;
}

export interface ServeDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
}

const AGAIN_MS = 1000;
const MAX_BEAT_MS = 2000;

interface Cleaned {
  /** What the dead one had done, or why nobody can do it. */
  readonly done: RunOutcome | undefined;
  readonly cancelRequested: boolean;
}

type Why = 'stopped' | 'cancelled' | 'silent' | 'lost';

/** Does one run to its end, or as far as `stop` lets it; resolves when all is said, or when there is nobody any more to say it to. */
export async function doRun(deps: ServeDeps, worker: Worker, claimed: Claim, askedMs: number, stop: AbortSignal): Promise<void> {
  const work = new Work(deps, new HeldRun(deps.database, deps.clock, claimed, askedMs), stop);
  const over = new AbortController();
  const alive = work.keepAlive(over.signal);
  try {
    await work.do(worker, claimed);
  } catch (error) {
    // Let go of: whoever takes it next cleans up.
    deps.logger.warn({ worker: worker.name, runId: claimed.run.id, error: serializeError(error) }, 'run let go');
  } finally {
    over.abort();
    await alive;
    work[Symbol.dispose]();
  }
}

class Work implements Disposable {
  readonly #deps: ServeDeps;
  readonly #held: HeldRun;
  readonly #stop: AbortSignal;
  readonly #ending = new AbortController();
  #why: Why | undefined;
  #isCleaning = false;
  readonly #onStop = (): void => this.#end('stopped', this.#stop.reason);

  constructor(deps: ServeDeps, held: HeldRun, stop: AbortSignal) {
    this.#deps = deps;
    this.#held = held;
    this.#stop = stop;
    if (stop.aborted) this.#onStop();
    else stop.addEventListener('abort', this.#onStop, { once: true });
  }

  [Symbol.dispose](): void {
    this.#stop.removeEventListener('abort', this.#onStop);
  }

  async do(worker: Worker, { run, dead, isDeadly, mayBegin }: Claim): Promise<void> {
    const cleaned: Cleaned | undefined =
      dead.length === 0 ? { done: undefined, cancelRequested: run.cancelRequested } : await this.#cleanUp(worker, { run, dead });
    if (cleaned === undefined) return;
    const { done, cancelRequested } = cleaned;
    const outcome = done ?? (cancelRequested ? CANCELLED : isDeadly ? deadly(run) : mayBegin ? await this.#execute(worker) : 'stopped');
    if (outcome === 'stopped') await this.#insist(() => this.#held.release());
    else await this.#insist(() => this.#held.finish(outcome));
  }

  /** Until it is over, also while the work is ending: says that the worker lives, and ends the work when that could not be said for too long. */
  async keepAlive(over: AbortSignal): Promise<void> {
    const { clock, database } = this.#deps;
    const heartbeatMs = database.heartbeatSeconds * 1000;
    let beating = false;
    while (!over.aborted) {
      await clock.sleep(Math.min(MAX_BEAT_MS, heartbeatMs / 6), { signal: over }).catch(() => undefined);
      if (over.aborted) return;
      // Two thirds of the time are left for ending in order.
      if (this.#held.silentMs > heartbeatMs / 3) this.#end('silent', silent(this.#held.run));
      if (beating) continue; // one that does not come back must not hold up our own judgement
      beating = true;
      void this.#beat(over).finally(() => {
        beating = false;
      });
    }
  }

  async #beat(over: AbortSignal): Promise<void> {
    try {
      const { cancelRequested } = await this.#held.beat();
      // Cleaning up is what a cancelled run has to wait for.
      if (cancelRequested && !this.#isCleaning) this.#end('cancelled', new Cancelled('the run was cancelled'));
    } catch (error) {
      if (over.aborted) return; // it had ended when the beat arrived
      this.#deps.logger.warn({ runId: this.#held.run.id, error: serializeError(error) }, 'heartbeat failed');
      if (errorCode(error) === 'QUEUE_CLAIM_LOST') this.#end('lost', error);
    }
  }

  #end(why: Why, reason: unknown): void {
    // Cancelled while it stops: it must not come again. A claim that is lost is lost whatever was before.
    if (this.#why === undefined || why === 'cancelled' || why === 'lost') this.#why = why;
    this.#ending.abort(reason);
  }

  /** Undefined when that cannot be done yet: the run is given back. */
  async #cleanUp(worker: Worker, { run, dead }: Pick<Claim, 'run' | 'dead'>): Promise<Cleaned | undefined> {
    const { signal } = this.#ending;
    this.#isCleaning = true;
    try {
      let done: RunOutcome | undefined;
      for (const { tries: _, ...attempt } of dead) done ??= await worker.cleanUp({ ...run, ...attempt }, { signal });
      return { done, ...(await this.#insist(() => this.#held.cleaned())) };
    } catch (error) {
      if (this.#why === 'lost') throw error;
      this.#deps.logger.warn({ worker: worker.name, runId: run.id, error: serializeError(error) }, 'what a dead worker left cannot be taken away yet');
      // Told to stop: it was not this one's fault that it is not clean, and the next one tries at once.
      if (signal.aborted) await this.#insist(() => this.#held.release());
      else await this.#insist(() => this.#held.putOff(dead, plain(error)));
      return undefined;
    } finally {
      this.#isCleaning = false;
    }
  }

  async #execute(worker: Worker): Promise<RunOutcome | 'stopped'> {
    const held = this.#held;
    const { signal } = this.#ending;
    try {
      signal.throwIfAborted();
      return await worker.execute({
        run: held.run,
        signal,
        note: (notes) => this.#insist(() => held.note(notes), signal),
        prove: () => this.#insist(() => held.prove(), signal),
        now: () => held.now,
        progress: (progress) => held.progress(progress),
        event: (type, data) => held.event(type, data),
      });
    } catch (error) {
      if (this.#why === undefined) return { state: 'failed', failure: plain(error), retry: true };
      if (this.#why === 'lost') throw error;
      if (this.#why === 'cancelled') return isAbort(error) ? CANCELLED : { state: 'cancelled', report: { problem: plain(error) } };
      if (!isAbort(error)) this.#deps.logger.warn({ runId: held.run.id, error: serializeError(error) }, 'run stopped');
      return 'stopped';
    }
  }

  /** Until the database has heard it, or says that the run is another's, or this process must end and could not say it for too long. */
  async #insist<T>(say: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const { clock, database, logger } = this.#deps;
    for (;;) {
      signal?.throwIfAborted();
      try {
        return await say();
      } catch (error) {
        if (errorCode(error) === 'QUEUE_CLAIM_LOST') {
          this.#end('lost', error);
          throw error;
        }
        if (this.#stop.aborted && this.#held.silentMs > (database.heartbeatSeconds * 1000) / 2) throw error;
        logger.warn({ runId: this.#held.run.id, error: serializeError(error) }, 'the database does not take what is said to it');
        await clock.sleep(AGAIN_MS, signal && { signal });
      }
    }
  }
}

const CANCELLED: RunOutcome = { state: 'cancelled', report: {} };

class Cancelled extends Error {
  override readonly name = 'AbortError';
}

function deadly(run: RunRecord): RunOutcome {
  const error = new QueueError({
    code: 'QUEUE_RUN_DEADLY',
    message: `run ${run.id} is not tried again: every worker that began it was not heard of again`,
    details: { runId: run.id, attempts: run.attempt - 1 },
    hint: "see the workers' logs and memory; ask for the run again when the cause is gone",
  });
  return { state: 'failed', failure: plain(error), retry: false };
}

function silent(run: RunRecord): QueueError {
  return new QueueError({
    code: 'QUEUE_DATABASE_UNREACHABLE',
    message: `run ${run.id} ends in order: the database has not heard of this worker for so long that another one may begin it`,
    details: { runId: run.id },
    retryable: true,
    hint: 'see that the worker reaches PostgreSQL; the run is done again by itself',
  });
}

function plain(error: unknown): JsonObject {
  return JSON.parse(JSON.stringify(serializeError(error)));
}
