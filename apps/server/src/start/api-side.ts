import { randomBytes } from 'node:crypto';
import { openAuditLog } from '@onevault/audit-log';
import { type CallOptions, isAbort, Scope, serializeError } from '@onevault/base';
import { compose, doctorFacts } from '@onevault/composition';
import { findConnection, type OneApi } from '@onevault/one-client';
import { type Database, Runs } from '@onevault/run-queue';
import { sql } from 'kysely';
import { Access } from '../access/access.ts';
import { accessHandlers } from '../access/access-handlers.ts';
import { OidcSignIn } from '../access/oidc.ts';
import { readOidcSettings } from '../access/oidc-settings.ts';
import { credentialsVerifier } from '../access/verify-credentials.ts';
import { afterRuns } from '../catalog/after-runs.ts';
import { DatabaseCatalog } from '../catalog/database-catalog.ts';
import { openByName } from '../catalog/open-by-name.ts';
import { OpenRepositories } from '../catalog/open-repositories.ts';
import { createHttpServer } from '../http/create-http-server.ts';
import { findWebRoot } from '../http/static-files.ts';
import { CloudInventory } from '../inventory/cloud-inventory.ts';
import { formerVms } from '../inventory/former-vms.ts';
import { databaseView } from '../inventory/last-view.ts';
import { createLiveHandlers } from '../live/live-handlers.ts';
import { runLogHandlers } from '../logs/run-log.ts';
import type { SettingsStore } from '../ports/settings-store.ts';
import type { WorkerRegistry } from '../ports/worker-registry.ts';
import { nextChange } from '../protection/next-change.ts';
import { ProtectionBoard } from '../protection/protection-board.ts';
import { WriteBack } from '../protection/write-back.ts';
import { BringBack } from '../rebuild/bring-back.ts';
import { forgetOldRuns } from '../runs/forget-old-runs.ts';
import { IdempotencyKeys } from '../runs/idempotency-keys.ts';
import { QueuedRuns } from '../runs/queued-runs.ts';
import { runHandlers } from '../runs/run-handlers.ts';
import type { HandledSlots } from '../scheduler/handled-slots.ts';
import { Scheduler } from '../scheduler/scheduler.ts';
import { openSettings } from '../settings/settings-store.ts';
import { placesOf } from '../state/open-place.ts';
import type { StateDeps } from '../state/state-deps.ts';
import { stateHandlers } from '../state/state-handlers.ts';
import { workerRegistry } from '../work/worker-registry.ts';
import { atMost } from './at-most.ts';
import { startObserving } from './observing.ts';
import { runIds } from './run-ids.ts';
import type { ServerOptions } from './server-options.ts';
import type { StateDirectory } from './state-directory.ts';
import { watchOrphans } from './watch-orphans.ts';

export interface ApiSide extends AsyncDisposable {
  readonly url: URL;
  reload(): Promise<void>;
}

/** Everything that answers: settings, what there is in OpenNebula and the repositories, runs, access, HTTP. Parts are joined here and nowhere else. */
export async function startApiSide(options: ServerOptions, database: Database, state: StateDirectory, call: CallOptions): Promise<ApiSide> {
  await using scope = new Scope();
  const parts = await openParts(options, database, state, scope, call);
  const { access, cloud, inventory, catalog, runs, live, settings, keys } = parts;
  const ofRuns = runHandlers({ runs, inventory, settings, keys, points: catalog, clock: options.clock });
  const handlers = {
    ...accessHandlers(access),
    ...live.handlers,
    ...stateHandlers(parts.known),
    ...ofRuns,
    ...runLogHandlers({ watchRun: ofRuns.watchRun, redactor: options.redactor }),
    ...(await startObserving({ ...parts, ...options, settings, state }, scope, call)),
  };
  await firstView(parts, options, call);
  const http = scope.use(
    await createHttpServer(
      {
        access,
        objects: { cloud, inventory, catalog, runs },
        ready: {
          database: async () => void (await sql`select 1`.execute(database.db)),
          openNebula: async (signal) => void (await cloud.version({ signal })),
        },
        clock: options.clock,
        logger: options.logger,
        randomBytes,
        version: options.version,
      },
      handlers,
      { webRoot: findWebRoot(), ...options.http },
    ),
  );
  const owned = scope.move();
  return {
    url: http.url,
    reload: async () => {
      await http.reload();
      await settings.reload();
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** A first look at OpenNebula is waited for so long; with one from before the start there is no need to. */
const FIRST_LOOK_MS = 3000;

/** Whoever asks first is answered as quickly as everybody later: all VMs are judged before. An OpenNebula that is slow or away keeps nobody from what is known. */
async function firstView({ inventory, known }: Awaited<ReturnType<typeof openParts>>, { clock }: ServerOptions, call: CallOptions): Promise<void> {
  const looked = inventory.refresh(call).catch(() => undefined); // said by who keeps it fresh
  if (inventory.seenAt === undefined) await atMost(clock, FIRST_LOOK_MS, looked);
  await known.board.judgeAll(call);
}

async function openParts(options: ServerOptions, database: Database, state: StateDirectory, scope: Scope, call: CallOptions) {
  const { clock, logger, settings: own, env } = options;
  const facts = doctorFacts(own, clock);
  const composition = compose(own, logger, clock);
  const cloud = scope.use(await composition.openCloud({ ...call, onServerTime: facts.onServerTime }));
  const settings = await openSettings({ directory: state.settings, clock, logger });
  const openRepository = openByName({ own, secretsDirectory: state.secrets, settings, clock, logger });
  const repositories = scope.use(new OpenRepositories({ openRepository, clock }));
  const catalog = await DatabaseCatalog.open({ database, settings, repositories, clock, logger });
  const newRunId = runIds({ clock, randomBytes });
  const queue = new Runs(database, newRunId);
  const bringBack = await BringBack.open({ catalog, settings, queue, clock, logger }, state);
  const workers = workerRegistry(queue);
  const inventory = new CloudInventory({
    cloud,
    clock,
    logger,
    proxies: proxyVms(workers),
    former: formerVms(catalog, logger),
    view: databaseView(catalog.db),
  });
  catalog.identify((vmId) => inventory.groupOf(vmId));
  await inventory.recall();
  const runs = await QueuedRuns.open({ runs: queue, settings, inventory, catalog, workers, clock, logger });
  scope.defer(async () => runs[Symbol.dispose]());
  const access = await openAccess(options, { cloud, settings, state }, scope, call);
  const doctor = facts;
  const journals = composition.journals();
  const live = scope.use(createLiveHandlers({ cloud, settings, openRepository, inventory, workers, journals, doctor, clock, logger, environment: env }));
  const orphans = watchOrphans({ clock, logger, live }, scope);
  const known: StateDeps = {
    settings,
    inventory,
    catalog,
    board: new ProtectionBoard({ inventory, catalog, settings, clock }),
    runs,
    queue: () => queue.tally(),
    details: live.vmDetails,
    orphans,
    madeAnew: () => bringBack.madeAnew(),
    ...placesOf({ settings: own, secretsDirectory: state.secrets, clock, logger }),
    clock,
  };
  const keys = await IdempotencyKeys.open(database, newRunId);
  const background = new Background(scope, options);
  const filled = background.begin('rebuild', (signal) => bringBack.run({ signal }));
  background.run('inventory', (signal) => inventory.keepFresh({ signal }));
  background.run('catalog', (signal) => filled.then(() => catalog.keepFresh({ signal })));
  background.run('old runs', (signal) => forgetOldRuns(queue, options, signal));
  protect({ ...known, inventory }, { ...options, cloud, runs, slots: bringBack.slots, filled }, background, scope);
  scope.use(afterRuns({ runs, catalog, inventory, logger }));
  return { access, cloud, inventory, catalog, runs, live, known, settings, keys, queue, workers, orphans };
}

async function openAccess(
  { settings: own, env, clock, logger, version }: ServerOptions,
  { cloud, settings, state }: { readonly cloud: OneApi; readonly settings: SettingsStore; readonly state: StateDirectory },
  scope: Scope,
  call: CallOptions,
): Promise<Access> {
  const audit = scope.use(await openAuditLog({ directory: state.audit, clock }));
  const { endpoint, http } = await findConnection(own.oneEnvironment, call);
  const verify = credentialsVerifier({ endpoint, http, clock, logger });
  const oidc = await readOidcSettings(env);
  const access = await Access.open({
    cloud,
    oidc: oidc && new OidcSignIn(oidc, { cloud, clock, randomBytes }),
    verify,
    settings,
    audit,
    auditDirectory: state.audit,
    tokenPath: state.tokens,
    clock,
    logger,
    randomBytes,
    version,
  });
  scope.defer(async () => access[Symbol.dispose]());
  return access;
}

/** Those that were seen once stay: a worker that is stopped for an update is no reason to call its VM unprotected. */
function proxyVms(workers: WorkerRegistry): () => Promise<ReadonlySet<number>> {
  const seen = new Set<number>();
  return async () => {
    for (const { proxyVm } of await workers.list()) if (proxyVm !== undefined) seen.add(proxyVm.id);
    return seen;
  };
}

interface ProtectDeps extends Pick<ServerOptions, 'clock' | 'logger'> {
  readonly cloud: OneApi;
  readonly runs: QueuedRuns;
  readonly slots: HandledSlots;
  /** Where schedules go on is known. */
  readonly filled: Promise<void>;
}

/** Begins what is due, and keeps up to date how each VM stands. */
function protect(
  known: StateDeps & { readonly inventory: CloudInventory },
  { cloud, runs, slots, filled, clock, logger }: ProtectDeps,
  background: Background,
  scope: Scope,
): void {
  const { settings, inventory, catalog, board } = known;
  const listener = catalog.onChange((vmIds) => board.forget(vmIds));
  const scheduler = new Scheduler({ settings, slots, inventory, runs, clock, logger });
  scope.defer(() => {
    listener[Symbol.dispose]();
    scheduler[Symbol.dispose]();
  });
  background.run('scheduler', (signal) => filled.then(() => scheduler.run({ signal })));
  background.run('protection', (signal) => board.keepJudged((call) => nextChange([inventory, catalog, settings], call), { signal }));
  const writeBack = new WriteBack({ cloud, inventory, catalog, board, settings, clock, logger });
  background.run('write-back', (signal) => writeBack.run({ signal }));
}

/** What goes on beside the answers until the server ends; each part sees to its own failures. */
class Background {
  readonly #options: Pick<ServerOptions, 'logger'>;
  readonly #over = new AbortController();
  readonly #work: Promise<void>[] = [];

  constructor(scope: Scope, options: Pick<ServerOptions, 'logger'>) {
    this.#options = options;
    scope.defer(async () => {
      this.#over.abort(new DOMException('the server ends', 'AbortError'));
      await Promise.all(this.#work);
    });
  }

  run(part: string, work: (signal: AbortSignal) => Promise<void>): void {
    void this.begin(part, work);
  }

  /** Resolves when it is done, or has stopped. */
  begin(part: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.#over;
    const done = work(signal).catch((error: unknown) => {
      if (!signal.aborted && !isAbort(error)) this.#options.logger.error({ part, error: serializeError(error) }, 'a part of the server has stopped');
    });
    this.#work.push(done);
    return done;
  }
}
