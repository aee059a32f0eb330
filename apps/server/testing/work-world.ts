import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunRequest } from '@onevault/api';
import { createRepository, fileStore, openRepository, type Repository } from '@onevault/backup-format';
import { type Clock, Scope, silentLogger, systemClock } from '@onevault/base';
import { compose } from '@onevault/composition';
import { testSettings } from '@onevault/composition/testing';
import { type OneApi, vmId } from '@onevault/one-client';
import { startTestSimulator, type TestSimulator } from '@onevault/one-sim/testing';
import { type CompiledPolicy, compilePolicy, type Policy, parsePolicy } from '@onevault/policies';
import { type Database, openDatabase, type RunRecord, Runs } from '@onevault/run-queue';
import { inventoryVm } from '../src/inventory/inventory-vm.ts';
import { Redactor } from '../src/logs/redactor.ts';
import type { CatalogPoint } from '../src/ports/catalog.ts';
import type { InventoryVm } from '../src/ports/inventory.ts';
import type { StartOptions } from '../src/ports/run-service.ts';
import type { ServerSettings } from '../src/ports/settings-store.ts';
import { QueuedRuns } from '../src/runs/queued-runs.ts';
import type { WorkPlace } from '../src/work/run-job.ts';
import { ServerWorker } from '../src/work/server-worker.ts';
import { workerRegistry } from '../src/work/worker-registry.ts';

/** Time runs twenty times as fast, in the same order and with the same deadlines. */
const HURRY = 20;
export const hurriedClock: Clock = {
  now: systemClock.now,
  monotonicMs: () => systemClock.monotonicMs() * HURRY,
  sleep: (ms, options) => systemClock.sleep(ms / HURRY, options),
};

/** A simulated cloud with VM `web` and a proxy VM, a repository, the embedded database, and as many workers as a test wants. */
export interface WorkWorld extends AsyncDisposable {
  readonly simulator: TestSimulator;
  readonly cloud: OneApi;
  readonly vm: number;
  readonly repositoryPath: string;
  readonly database: Database;
  readonly queue: Runs;
  readonly runs: QueuedRuns;
  readonly place: Omit<WorkPlace, 'inNobodysCare'>;
  /** Sets the policies of the settings. */
  setPolicies(...documents: readonly object[]): void;
  /** Looks at OpenNebula and the repository again: what the API side knows of them. */
  look(): Promise<void>;
  /** A worker with a state directory of its own, unless one is given: as on another machine. */
  worker(name: string, place?: Partial<WorkPlace>): Promise<ServerWorker>;
  start(request: RunRequest, options?: Partial<StartOptions>): Promise<string>;
  /** Once it has ended. */
  ended(id: string): Promise<RunRecord>;
  /** Starts a run and waits for its end. */
  do(request: RunRequest, options?: Partial<StartOptions>): Promise<RunRecord>;
  openRepository(): Promise<Repository>;
  points(): readonly CatalogPoint[];
  leftovers(): Promise<readonly string[]>;
}

const REPOSITORY = 'main';
/** Of hurried time: on a machine that does ten other things nobody is taken for dead. */
const HEARTBEAT_SECONDS = 60 * HURRY;

export async function makeWorkWorld(options: { readonly disks?: readonly { readonly sizeMiB: number }[] } = {}): Promise<WorkWorld> {
  await using scope = new Scope();
  const directory = await mkdtemp(join(tmpdir(), 'onevault-work-'));
  scope.defer(() => rm(directory, { recursive: true, force: true }));
  const simulator = scope.use(await startTestSimulator());
  const { sim } = simulator;
  const { vmId: vm } = await sim.control.createVm({ name: 'web', disks: [...(options.disks ?? [{ sizeMiB: 4 }, { sizeMiB: 2 }])], volatileMiB: [1], nics: [] });
  for (const diskId of [0, 1]) await sim.control.writeRandom(vm, diskId, { seed: 7 + diskId, count: 20, blockBytes: 4096 });
  const proxyVm = (await sim.control.state()).vms.find(({ proxy }) => proxy)?.id ?? -1;
  const repositoryPath = join(directory, 'repository');
  await (await createRepository(fileStore(repositoryPath), { blockSizeBytes: 256 * 1024 }, { clock: systemClock }))[Symbol.asyncDispose]();
  const secretsDirectory = join(directory, 'secrets');
  await mkdir(secretsDirectory);

  const settings = testSettings(join(directory, 'state'), {
    oneEnvironment: { ONE_XMLRPC: sim.endpoint.href, ONE_AUTH: await authFile(directory, `${sim.user}:${sim.password}`) },
    proxyRoot: join(sim.dir, 'proxy', String(proxyVm)),
    proxyVm,
  });
  const place = {
    settings,
    secretsDirectory,
    env: { PATH: process.env['PATH'] },
    clock: hurriedClock,
    logger: silentLogger,
    redactor: new Redactor(),
    scanWorkers: 1,
  };
  const database = scope.use(
    await openDatabase({ kind: 'embedded', directory: join(directory, 'database') }, { clock: hurriedClock, heartbeatSeconds: HEARTBEAT_SECONDS }),
  );
  let ids = 0;
  const queue = new Runs(database, () => `run-${String(++ids).padStart(6, '0')}`);
  const known = { vms: new Map<number, InventoryVm>(), points: [] as CatalogPoint[], policies: [] as CompiledPolicy<Policy>[] };
  const cloud = scope.use(await compose(settings, silentLogger, hurriedClock).openCloud());
  const open = (): Promise<Repository> => openRepository(fileStore(repositoryPath), { clock: systemClock });
  const runs = await QueuedRuns.open({
    runs: queue,
    settings: { current: () => settingsOf(repositoryPath, known.policies), onChange: () => ({ [Symbol.dispose]: () => undefined }) },
    inventory: { vm: (id) => known.vms.get(id) },
    catalog: { get: async (_repository, id) => known.points.find((point) => point.id === id) },
    workers: workerRegistry(queue),
    clock: hurriedClock,
    logger: silentLogger,
  });
  scope.defer(async () => runs[Symbol.dispose]());
  const workers = new Scope();
  scope.use(workers);
  const world: WorkWorld = {
    simulator,
    cloud,
    vm,
    repositoryPath,
    database,
    queue,
    runs,
    place,
    setPolicies: (...documents) => {
      known.policies = documents.map((document) => compilePolicy(parsePolicy(document), Date.now()));
    },
    async look() {
      for await (const { id } of cloud.vms()) known.vms.set(id, inventoryVm(await cloud.vm(vmId(id)), new Map()).vm);
      await using repository = await open();
      known.points = [];
      for await (const listed of repository.points()) if (listed.kind === 'point') known.points.push(catalogPoint(listed.point));
    },
    async worker(name, overrides = {}) {
      const own = { ...settings, stateDir: join(directory, `state-${name}`) };
      const worker = workers.use(new ServerWorker({ ...place, settings: own, ...overrides }, database, { name, slots: 2 }));
      await worker.start();
      return worker;
    },
    start: async (request, rest = {}) => (await runs.start(request, { origin: { kind: 'user', name: 'alice' }, ...rest })).id,
    async ended(id) {
      for await (const { type } of runs.watch(id, { signal: AbortSignal.timeout(30_000) })) if (type === 'run.ended') break;
      return runs.get(id);
    },
    async do(request, rest) {
      const run = await world.ended(await world.start(request, rest));
      await world.look();
      return run;
    },
    openRepository: open,
    points: () => known.points,
    leftovers: async () => {
      const found = [...(await sim.control.leftovers('onevault-')), ...(await sim.control.leftovers('ov-'))];
      return [...new Set(found.filter(({ name }) => !name.startsWith('onevault-proxy')).map(({ kind, name }) => `${kind} ${name}`))];
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
  await world.look();
  const owned = scope.move();
  return world;
}

async function authFile(directory: string, session: string): Promise<string> {
  const path = join(directory, 'one_auth');
  await writeFile(path, `${session}\n`, { mode: 0o600 });
  return path;
}

function settingsOf(place: string, policies: readonly CompiledPolicy<Policy>[]): ServerSettings {
  const maintenance = { timezone: 'UTC', gc: undefined, verify: undefined, verifyMode: 'sample' } as const;
  return {
    policies,
    backupPolicies: [],
    snapshotPolicies: [],
    repositories: [{ name: REPOSITORY, place, secretFile: undefined, maintenance }],
    notifications: [],
    caps: {},
    roles: {},
    defaultRole: 'operator',
  };
}

function catalogPoint(point: { readonly id: string; readonly annotations: Readonly<Record<string, unknown>>; readonly capturedAt: string }): CatalogPoint {
  const vm = point.annotations['vm'] as { readonly id: number; readonly name: string };
  const policy = point.annotations['policy'];
  return {
    repository: REPOSITORY,
    id: point.id,
    vmId: vm.id,
    vmName: vm.name,
    capturedAt: new Date(point.capturedAt),
    policy: typeof policy === 'string' ? policy : undefined,
  } as CatalogPoint;
}
