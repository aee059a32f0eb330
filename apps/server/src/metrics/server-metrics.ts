import { type CallOptions, type Clock, type Logger, Scope, serializeError } from '@onevault/base';
import type { QueueTally } from '@onevault/run-queue';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { ChannelStanding } from '../notify/channel-standing.ts';
import type { Call, FileAnswer, HandlerTable } from '../ports/call.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Inventory } from '../ports/inventory.ts';
import type { RunService } from '../ports/run-service.ts';
import type { ServerSettings } from '../ports/settings-store.ts';
import type { WorkerRegistry } from '../ports/worker-registry.ts';
import { RunFigures } from './run-figures.ts';
import { StandingFigures } from './standing-figures.ts';
import { VmSeries } from './vm-series.ts';

export interface MetricsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly inventory: Inventory;
  readonly catalog: Catalog;
  readonly settings: () => ServerSettings;
  readonly runs: Pick<RunService, 'list' | 'onEnded'>;
  readonly queue: () => Promise<QueueTally>;
  readonly workers: WorkerRegistry;
  /** What dead runs left in OpenNebula; undefined while nobody has looked. */
  readonly orphans: () => number | undefined;
  readonly notifications: () => readonly ChannelStanding[];
  readonly version: string;
}

export interface ServerMetrics extends AsyncDisposable {
  /** The text format of Prometheus, 0.0.4. What cannot be asked (a database that is away) is left out, and `onevault_scrape_problems` says so. */
  render(options?: CallOptions): Promise<string>;
}

/** Of the process: sums of what stands beside them by kind, and gauges that are called as if they were counters. */
const SUMS = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];
/** A worker that was not heard of for so long is not up. */
const WORKER_SILENT_MS = 60_000;
const REMEMBERED_RUNS = 2000;
/** Of queue and workers: a database that hangs must not hang the scrape. */
const ASK_MS = 2000;

/** Everything that /metrics tells. Reads no cloud and no repository: a scrape costs memory and one small question to the database. */
export async function openMetrics(deps: MetricsDeps, options: CallOptions = {}): Promise<ServerMetrics> {
  const registry = new Registry();
  const scope = new Scope();
  collectDefaultMetrics({ register: registry });
  for (const name of SUMS) registry.removeSingleMetric(name);
  const figures = { standing: new StandingFigures(registry), runs: new RunFigures(registry), own: ownFigures(registry) };
  figures.own.build.set({ version: deps.version, node: process.versions.node }, 1);
  // Newest first: an older run of the same VM must not replace a younger one.
  const known = await deps.runs.list({ kind: 'backup', limit: REMEMBERED_RUNS });
  options.signal?.throwIfAborted();
  for (const run of known.toReversed()) figures.runs.remember(run);
  scope.use(deps.runs.onEnded((run) => figures.runs.count(run)));
  scope.defer(() => registry.clear());
  return {
    render: async (call = {}) => {
      const series = new VmSeries();
      await fill(deps, figures, series, call);
      return `${await registry.metrics()}\n${series.text()}`;
    },
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

/** `metrics`: the operation of the API. */
export function metricsHandlers(metrics: ServerMetrics): HandlerTable {
  return {
    metrics: async ({ signal }: Call): Promise<FileAnswer> => ({
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
      body: await metrics.render({ signal }),
    }),
  };
}

type OwnFigures = ReturnType<typeof ownFigures>;

function ownFigures(registry: Registry) {
  const gauge = (name: string, help: string, labelNames: string[] = []): Gauge => new Gauge({ name, help, labelNames, registers: [registry] });
  return {
    build: gauge('onevault_build_info', 'Version of onevault and of Node', ['version', 'node']),
    problems: gauge('onevault_scrape_problems', 'Parts that could not be asked at this scrape'),
    queued: gauge('onevault_queue_runs', 'Runs that wait'),
    running: gauge('onevault_running_runs', 'Runs under way'),
    waited: gauge('onevault_queue_oldest_wait_seconds', 'How long the run that waits longest could have begun'),
    workers: gauge('onevault_workers', 'Workers by state', ['state']),
    slots: gauge('onevault_worker_slots', 'Runs that all workers that are up can do at once'),
    orphans: gauge('onevault_orphans', 'What dead runs left in OpenNebula; absent while nobody has looked'),
    delivered: gauge('onevault_notifications_delivered', 'Notifications delivered since the start', ['channel']),
    failedDeliveries: gauge('onevault_notification_delivery_failures', 'Attempts at a delivery that failed since the start', ['channel']),
    lost: gauge('onevault_notifications_given_up', 'Notifications that could not be delivered in time, or for which there was no room, since the start', [
      'channel',
    ]),
    pending: gauge('onevault_notifications_pending', 'Notifications that wait for their delivery', ['channel']),
  };
}

async function fill(
  deps: MetricsDeps,
  figures: { readonly standing: StandingFigures; readonly runs: RunFigures; readonly own: OwnFigures },
  series: VmSeries,
  call: CallOptions,
): Promise<void> {
  const { own } = figures;
  const nowMs = deps.clock.now().getTime();
  figures.standing.set({ inventory: deps.inventory, catalog: deps.catalog, settings: deps.settings(), nowMs }, series);
  figures.runs.setLast((vmId) => deps.inventory.vm(vmId)?.exists === true, series);
  const orphans = deps.orphans();
  if (orphans === undefined) own.orphans.remove();
  else own.orphans.set(orphans);
  setNotifications(own, deps.notifications());
  const problems = await Promise.all([
    asked(
      deps,
      'queue',
      call,
      async () => setQueue(own, await deps.queue(), nowMs),
      () => {
        for (const figure of [own.queued, own.running, own.waited]) figure.remove();
      },
    ),
    asked(
      deps,
      'workers',
      call,
      async () => setWorkers(own, await deps.workers.list(), nowMs),
      () => {
        own.workers.reset();
        own.slots.remove();
      },
    ),
  ]);
  own.problems.set(problems.filter((isProblem) => isProblem).length);
}

/** Answers whether it could not be asked; then its figures are absent rather than old. */
async function asked({ clock, logger }: MetricsDeps, what: string, { signal }: CallOptions, ask: () => Promise<void>, clear: () => void): Promise<boolean> {
  const over = new AbortController();
  const deadline = clock.sleep(ASK_MS, { signal: AbortSignal.any([over.signal, ...(signal ? [signal] : [])]) }).then(() => {
    throw new Error(`no answer within ${ASK_MS} ms`);
  });
  try {
    await Promise.race([ask(), deadline]);
    return false;
  } catch (error) {
    signal?.throwIfAborted();
    clear();
    logger.warn({ what, error: serializeError(error) }, 'could not be asked for metrics');
    return true;
  } finally {
    over.abort();
    deadline.catch(() => undefined);
  }
}

function setQueue(own: OwnFigures, { queued, running, waitingSince }: QueueTally, nowMs: number): void {
  own.queued.set(queued);
  own.running.set(running);
  own.waited.set(waitingSince === undefined ? 0 : Math.max(0, nowMs - waitingSince.getTime()) / 1000);
}

function setWorkers(own: OwnFigures, workers: Awaited<ReturnType<WorkerRegistry['list']>>, nowMs: number): void {
  const up = workers.filter(({ lastSeenAt }) => nowMs - lastSeenAt.getTime() <= WORKER_SILENT_MS);
  own.workers.set({ state: 'up' }, up.length);
  own.workers.set({ state: 'silent' }, workers.length - up.length);
  own.slots.set(up.reduce((slots, worker) => slots + worker.slots, 0));
}

function setNotifications(own: OwnFigures, channels: readonly ChannelStanding[]): void {
  for (const figure of [own.delivered, own.failedDeliveries, own.lost, own.pending]) figure.reset();
  for (const { channel, delivered, failures, givenUp, pending } of channels) {
    own.delivered.set({ channel }, delivered);
    own.failedDeliveries.set({ channel }, failures);
    own.lost.set({ channel }, givenUp);
    own.pending.set({ channel }, pending);
  }
}
