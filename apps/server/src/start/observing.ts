import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type CallOptions, type Clock, type Logger, type Scope, Secret } from '@onevault/base';
import { protectionOf } from '@onevault/policies';
import type { Runs } from '@onevault/run-queue';
import type { LiveHandlers } from '../live/live-handlers.ts';
import type { Redactor } from '../logs/redactor.ts';
import { metricsHandlers, openMetrics } from '../metrics/server-metrics.ts';
import { notificationHandlers, openNotifier } from '../notify/notifier.ts';
import type { Call, Handler, HandlerTable } from '../ports/call.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Inventory } from '../ports/inventory.ts';
import type { RunService } from '../ports/run-service.ts';
import type { SettingsStore } from '../ports/settings-store.ts';
import type { WorkerRegistry } from '../ports/worker-registry.ts';
import type { DrillFacts } from '../reports/build-reports.ts';
import { reportHandlers } from '../reports/report-handlers.ts';
import { runIds } from './run-ids.ts';
import type { StateDirectory } from './state-directory.ts';

export interface ObservingDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly version: string;
  readonly redactor: Redactor;
  readonly state: StateDirectory;
  readonly settings: SettingsStore;
  readonly inventory: Inventory;
  readonly catalog: Catalog;
  readonly runs: RunService;
  readonly queue: Runs;
  readonly workers: WorkerRegistry;
  readonly live: Pick<LiveHandlers, 'handlers'>;
  /** How many there are; undefined while nobody has looked. */
  readonly orphans: () => number | undefined;
}

/** Metrics, notifications and reports: what watches the server and tells of it. Everything ends with `scope`. */
export async function startObserving(deps: ObservingDeps, scope: Scope, call: CallOptions): Promise<HandlerTable> {
  const { clock, logger, version, settings, inventory, catalog, runs, queue, workers, redactor, state, orphans } = deps;
  const shared = { clock, logger, inventory, catalog, runs, orphans, settings: () => settings.current() };
  const notifier = scope.use(
    await openNotifier(
      {
        ...shared,
        random: () => randomBytes(4).readUInt32BE() / 2 ** 32,
        newId: runIds({ clock, randomBytes }),
        directory: state.notifications,
        server: hostname(),
        readSecret: (file) => readSecretFile(state.secrets, file, redactor),
      },
      call,
    ),
  );
  const metrics = scope.use(await openMetrics({ ...shared, queue: () => queue.tally(), workers, notifications: () => notifier.standing(), version }, call));
  const protection = (vmId: number) => {
    const vm = inventory.vm(vmId);
    const points = catalog.ofVm(vmId);
    if (vm === undefined) return { state: 'unprotected', policies: [], reason: 'no-policy' } as const;
    return protectionOf(vm.facts, settings.current().backupPolicies, (repository) => points.newestGood(repository), clock.now().getTime());
  };
  const listDrills = deps.live.handlers['listDrills'] as Handler<{ repository: string }, { limit: number }> | undefined;
  const drills = async (repository: string, from: Call): Promise<readonly DrillFacts[]> =>
    (await listDrills?.({ ...from, params: { repository }, query: { limit: 500 } })) as readonly DrillFacts[];
  return {
    ...metricsHandlers(metrics),
    ...notificationHandlers(notifier),
    ...reportHandlers({ clock, logger, inventory, catalog, protectionOf: protection, drills }),
  };
}

/** From now on what stands in it is in no log. */
async function readSecretFile(directory: string, file: string, redactor: Redactor): Promise<Secret> {
  const content = (await readFile(join(directory, file), 'utf8')).trim();
  redactor.know(content);
  return new Secret(content);
}
