import { type CallOptions, serializeError } from '@onevault/base';
import { compose } from '@onevault/composition';
import { type JournalStore, recoverRuns } from '@onevault/orchestrator';
import { type Database, Runs, serveRuns, type Worker } from '@onevault/run-queue';
import { atMost } from '../start/at-most.ts';
import { cleanUpAfter } from './clean-up.ts';
import { executeRun } from './execute-run.ts';
import { inNobodysCare } from './own-journals.ts';
import { NOTHING_REACHED, type ProxyReach, readProxyReach } from './proxy-reach.ts';
import type { WorkPlace } from './run-job.ts';
import { plain } from './run-ledger.ts';

export interface WorkerOptions {
  /** Unique among the workers. */
  readonly name: string;
  /** Runs at once. */
  readonly slots: number;
}

const LOOK_MS = 60_000;
const FIRST_LOOK_MS = 5000;
/** Below the TimeoutStopSec of the systemd units. */
export const GRACE_MS = 240_000;

/** A worker on this machine's proxy VM. It looks every minute what the proxy reaches, and takes only runs that it can do. */
export class ServerWorker implements AsyncDisposable {
  readonly #place: WorkPlace;
  readonly #database: Database;
  readonly #options: WorkerOptions;
  readonly #stop = new AbortController();
  #reach: ProxyReach = NOTHING_REACHED;
  #work: Promise<unknown> = Promise.resolve();

  constructor(place: Omit<WorkPlace, 'inNobodysCare'>, database: Database, options: WorkerOptions) {
    this.#place = { ...place, inNobodysCare: (journals) => inNobodysCare(database, journals) };
    this.#database = database;
    this.#options = options;
  }

  get reach(): ProxyReach {
    return this.#reach;
  }

  /**
   * Looks once what there is, takes back what runs of this machine left that died, and begins to take runs. Resolves when that has begun, or after FIRST_LOOK_MS: an
   * OpenNebula that is slow or away must not keep the rest of the server from starting.
   */
  async start(options: CallOptions = {}): Promise<void> {
    const { clock, logger } = this.#place;
    const { signal } = this.#stop;
    const call = { signal: options.signal === undefined ? signal : AbortSignal.any([options.signal, signal]) };
    const looked = this.#look(call).then(() => this.#recover(call));
    this.#work = looked.then(
      () => Promise.all([serveRuns({ database: this.#database, clock, logger }, this.#worker(), { signal }), this.#keepLooking(signal)]),
      (error: unknown) => {
        if (!call.signal.aborted) throw error;
      },
    );
    this.#work.catch(() => undefined); // whoever disposes hears of it
    await atMost(clock, FIRST_LOOK_MS, looked);
  }

  /**
   * Stops in order: what is under way is ended, taken back, and given to others. A run that cannot be ended within GRACE_MS (an OpenNebula that does not answer, a command
   * that takes its time) is let go: the process is to end now, and another worker takes back what its journal names.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    const { clock, logger } = this.#place;
    this.#stop.abort(new DOMException('the worker ends', 'AbortError'));
    const ended = new AbortController();
    const isOver = await Promise.race([
      this.#work.then(() => false),
      clock.sleep(GRACE_MS, { signal: ended.signal }).then(
        () => true,
        () => false,
      ),
    ]);
    ended.abort();
    if (isOver) logger.warn({ graceMs: GRACE_MS }, 'runs could not be ended in order and are let go: another worker takes back what they made');
  }

  #worker(): Worker {
    const runs = new Runs(this.#database, () => '');
    const reach = (): ProxyReach => this.#reach;
    return {
      name: this.#options.name,
      concurrency: this.#options.slots,
      get reach() {
        return reach().reach;
      },
      get holds() {
        const { proxyVm } = reach();
        return proxyVm === undefined ? [] : [`proxy:${proxyVm.id}`];
      },
      standing: () => plain({ proxyVm: reach().proxyVm, datastores: reach().datastores }),
      cleanUp: (dead, options) => cleanUpAfter(this.#here(), dead, options),
      execute: (context) => executeRun(this.#here(), context, runs),
    };
  }

  /** The proxy VM is known: no run need look for it among all VMs. */
  #here(): WorkPlace {
    const { proxyVm } = this.#reach;
    const { settings } = this.#place;
    return proxyVm === undefined ? this.#place : { ...this.#place, settings: { ...settings, proxyVm: proxyVm.id } };
  }

  async #keepLooking(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#place.clock.sleep(LOOK_MS, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await this.#look({ signal });
      // What was somebody else's to clean up when this worker began, and has been.
      await this.#recover({ signal }).catch(() => undefined);
    }
  }

  async #look(options: CallOptions): Promise<void> {
    const { settings, logger, clock } = this.#place;
    try {
      await using cloud = await compose(settings, logger, clock).openCloud(options);
      this.#reach = await readProxyReach(settings, cloud, options);
    } catch (error) {
      if (options.signal?.aborted !== true) logger.warn({ error: serializeError(error) }, 'what the proxy reaches could not be looked at');
    }
  }

  async #recover(options: CallOptions): Promise<void> {
    const { settings, logger, clock } = this.#place;
    try {
      const composition = compose(settings, logger, clock);
      const journals = await this.#place.inNobodysCare(composition.journals());
      if (!(await hasDead(journals, options))) return;
      await using deps = await composition.openRecovery(options);
      const { runs } = await recoverRuns({ ...deps, journals }, options);
      if (runs.length > 0) logger.warn({ runs }, 'dead runs recovered');
    } catch (error) {
      options.signal?.throwIfAborted();
      logger.warn({ error: serializeError(error) }, 'what earlier runs left could not be looked at');
    }
  }
}

/** Those of this process are of runs under way. */
async function hasDead(journals: JournalStore, options: CallOptions): Promise<boolean> {
  for await (const { records } of journals.unfinished(options)) {
    const [first] = records;
    if (first?.type !== 'run' || records.some(({ type }) => type === 'released') || !(await journals.isAlive(first.owner))) return true;
  }
  return false;
}
