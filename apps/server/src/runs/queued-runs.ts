import type { RunRequest, StreamEvent } from '@onevault/api';
import { type Clock, errorCode, type Logger, serializeError } from '@onevault/base';
import { type RunEvent, RunFeed, type RunFilter, type RunRecord, type Runs } from '@onevault/run-queue';
import { notFound } from '../errors.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Inventory } from '../ports/inventory.ts';
import type { RunService, StartOptions } from '../ports/run-service.ts';
import type { Caps, Limits, SettingsStore } from '../ports/settings-store.ts';
import type { WorkerRegistry } from '../ports/worker-registry.ts';
import { planRun } from './plan-run.ts';

export interface QueuedRunsDeps {
  readonly runs: Runs;
  readonly settings: Pick<SettingsStore, 'current' | 'onChange'>;
  readonly inventory: Pick<Inventory, 'vm'>;
  readonly catalog: Pick<Catalog, 'get'>;
  readonly workers: WorkerRegistry;
  readonly clock: Clock;
  readonly logger: Logger;
}

const PAGE = 500;

/** The server's side of the queue. Disposing it ends those who watch. */
export class QueuedRuns implements RunService, Disposable {
  readonly #deps: QueuedRunsDeps;
  readonly #feed: RunFeed;
  readonly #over = new AbortController();
  readonly #listeners = new Set<(run: RunRecord) => void>();
  readonly #watch: Disposable;
  #listening: Promise<void> | undefined;

  private constructor(deps: QueuedRunsDeps) {
    this.#deps = deps;
    this.#feed = new RunFeed(deps);
    this.#watch = deps.settings.onChange(({ caps }) => {
      void setLimits(deps.runs, caps).catch((error: unknown) => deps.logger.warn({ error: serializeError(error) }, 'limits not set'));
    });
  }

  static async open(deps: QueuedRunsDeps): Promise<QueuedRuns> {
    await setLimits(deps.runs, deps.settings.current().caps);
    return new QueuedRuns(deps);
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
    this.#over.abort();
  }

  async start(request: RunRequest, options: StartOptions): Promise<{ readonly id: string; readonly isNew: boolean }> {
    const { settings, inventory, catalog, workers, runs } = this.#deps;
    const said = await workers.list();
    const imageDatastores = new Set(said.flatMap(({ datastores }) => datastores.map(({ id }) => id)));
    const spec = await planRun(request, options, { settings: settings.current(), inventory, catalog, imageDatastores });
    const { run, isNew } = await runs.queue(spec, options.id);
    return { id: run.id, isNew };
  }

  async get(id: string): Promise<RunRecord> {
    return this.#deps.runs.get(id).catch(asNotFound);
  }

  list(filter: RunFilter): Promise<readonly RunRecord[]> {
    return this.#deps.runs.list(filter);
  }

  async cancel(id: string): Promise<void> {
    await this.#deps.runs.cancel(id).catch(asNotFound);
  }

  endMissed(): Promise<void> {
    return this.#deps.runs.endMissed();
  }

  async *watch(id: string, { afterEventId, signal }: { readonly afterEventId?: string; readonly signal: AbortSignal }): AsyncIterable<StreamEvent> {
    const afterSeq = await this.#seqOf(afterEventId, 0);
    const { endedAt } = await this.get(id);
    if (endedAt !== undefined) return yield* this.#past(id, afterSeq, signal);
    const until = AbortSignal.any([signal, this.#over.signal]);
    for await (const event of this.#feed.watch({ runId: id, afterSeq, signal: until })) {
      yield streamEvent(event);
      if (event.type === 'run.ended') return;
    }
  }

  async *watchAll({ afterEventId, signal }: { readonly afterEventId?: string; readonly signal: AbortSignal }): AsyncIterable<StreamEvent> {
    const afterSeq = afterEventId === undefined ? undefined : await this.#seqOf(afterEventId, 0);
    const until = AbortSignal.any([signal, this.#over.signal]);
    for await (const event of this.#feed.watch({ ...(afterSeq !== undefined && { afterSeq }), signal: until })) yield streamEvent(event);
  }

  onEnded(listener: (run: RunRecord) => void): Disposable {
    this.#listeners.add(listener);
    this.#listening ??= this.#listen();
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Everything there is of a run that has ended. */
  async *#past(runId: string, after: number, signal: AbortSignal): AsyncIterable<StreamEvent> {
    let afterSeq = after;
    while (!signal.aborted) {
      const events = await this.#deps.runs.events({ runId, afterSeq, limit: PAGE });
      for (const event of events) yield streamEvent(event);
      if (events.length < PAGE) return;
      afterSeq = events.at(-1)?.seq ?? afterSeq;
    }
  }

  /** What is no event id of ours, or of one that is yet to come, is taken for nothing. */
  async #seqOf(eventId: string | undefined, otherwise: number): Promise<number> {
    if (eventId === undefined || !/^\d{1,15}$/.test(eventId)) return otherwise;
    return Math.min(Number(eventId), await this.#deps.runs.lastSeq());
  }

  async #listen(): Promise<void> {
    const { logger } = this.#deps;
    for await (const { type, runId } of this.#feed.watch({ signal: this.#over.signal })) {
      if (type !== 'run.ended') continue;
      try {
        const run = await this.#deps.runs.get(runId);
        for (const listener of this.#listeners) listener(run);
      } catch (error) {
        logger.warn({ runId, error: serializeError(error) }, 'the end of a run was not told');
      }
    }
  }
}

function streamEvent({ seq, at, runId, type, data }: RunEvent): StreamEvent {
  return { id: String(seq), time: at.toISOString(), runId, type, data: { ...data } };
}

function asNotFound(error: unknown): never {
  if (errorCode(error) === 'QUEUE_RUN_NOT_FOUND') throw notFound('run');
  throw error;
}

/** Absent: what the queue has by itself. */
const HEARTBEAT_SECONDS = 60;

async function setLimits(runs: Runs, { heartbeatSeconds = HEARTBEAT_SECONDS, ...caps }: Limits): Promise<void> {
  await runs.setCaps(queueCaps(caps));
  await runs.setHeartbeat(heartbeatSeconds);
}

/** One run at a VM, and one chore at a repository, whatever is set. */
function queueCaps({ total, perHost, perDatastore, perProxy, perRepository }: Caps): Readonly<Record<string, number | 'unlimited'>> {
  const orAny = (places: number | undefined): number | 'unlimited' => places ?? 'unlimited';
  return {
    vm: 1,
    chore: 1,
    total: orAny(total),
    host: orAny(perHost),
    datastore: orAny(perDatastore),
    proxy: orAny(perProxy),
    repository: orAny(perRepository),
  };
}
