import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createRepository, openRepository, type Repository, s3Store } from '@onevault/backup-format';
import { mapOrdered, Scope, silentLogger, systemClock } from '@onevault/base';
import { connectControl, type SimControl } from '@onevault/one-sim';
import { compilePolicy, parsePolicy } from '@onevault/policies';
import { openDatabase, Runs } from '@onevault/run-queue';
import { type InventoryVm, QueuedRuns, workerRegistry } from '@onevault/server';
import { inventoryVm } from '@onevault/server/testing';
import { type CutLine, cutLine } from './cut-line.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { type Radosgw, startRadosgw } from './radosgw.ts';

const REPOSITORY = 'main';
const POLICY = 'nightly';
/** Of the image datastore that the VMs' disks are in. */
const DATASTORE = 100;
const SLOTS = 2;
const SIMULATOR = new URL('./simulator-process.mjs', import.meta.url);
const WORKER = new URL('./worker-process.mjs', import.meta.url);

/** A worker process in a proxy VM of its own. */
export interface FleetWorker {
  readonly name: string;
  readonly process: ChildProcess;
  /** Its line to the database. */
  readonly line: CutLine;
}

/** A cloud of many small VMs in one process, worker processes with a proxy VM each, one PostgreSQL, one bucket; this process is the API's. */
export interface Fleet extends AsyncDisposable {
  readonly vms: readonly number[];
  readonly control: SimControl;
  readonly postgres: Postgres;
  readonly runs: Runs;
  /** As a schedule does when the time `slot` has come, for each of these VMs. Answers the runs' ids. */
  begin(slot: Date, vms: readonly number[]): Promise<readonly string[]>;
  verify(): Promise<string>;
  startWorker(name: string): Promise<FleetWorker>;
  openRepository(): Promise<Repository>;
  logs(): string;
}

export async function makeFleet({ vms: count, heartbeatSeconds }: { readonly vms: number; readonly heartbeatSeconds: number }): Promise<Fleet> {
  await using scope = new Scope();
  const directory = await mkdtemp(join(tmpdir(), 'onevault-fleet-'));
  scope.defer(() => rm(directory, { recursive: true, force: true }));
  const [postgres, bucket, cloud] = await Promise.all([startPostgres(), startRadosgw(), startSimulator(join(directory, 'cloud'))]);
  for (const owned of [postgres, bucket, cloud]) scope.use(owned);
  const control = connectControl(cloud.endpoint);
  const place = `s3://fleet/one?endpoint=${bucket.endpoint}`;
  const store = await makeStore(bucket);
  await (await createRepository(store(), { blockSizeBytes: 256 * 1024 }, { clock: systemClock }))[Symbol.asyncDispose]();
  const vms = await collect(mapOrdered(range(count), async (i) => smallVm(control, i), { concurrency: 4 }));

  const url = await postgres.createDatabase('fleet');
  const database = scope.use(await openDatabase({ kind: 'postgresql', url }, { clock: systemClock, heartbeatSeconds }));
  let ids = 0;
  const runs = new Runs(database, () => `run-${String(++ids).padStart(6, '0')}`);
  const api = await openApi(runs, place, new Map(vms.map((id) => [id, inventoryVm(id, {}, { datastoreIds: [DATASTORE] })])));
  scope.defer(async () => api[Symbol.dispose]());
  const secretsDirectory = join(directory, 'secrets');
  await mkdir(secretsDirectory);
  await writeFile(join(directory, 'one_auth'), `${cloud.session}\n`, { mode: 0o600 });
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: directory,
    ONE_XMLRPC: cloud.endpoint,
    ONE_AUTH: join(directory, 'one_auth'),
    AWS_ACCESS_KEY_ID: bucket.accessKeyId,
    AWS_SECRET_ACCESS_KEY: bucket.secretAccessKey.reveal(),
  };
  const log = join(directory, 'workers.log');
  const owned = scope.move();
  return {
    vms,
    control,
    postgres,
    runs,
    async begin(slot, of) {
      const origin = { kind: 'schedule', name: POLICY } as const;
      const begin = (vmId: number) => api.start({ kind: 'backup', vmId, repository: REPOSITORY, mode: 'auto', policy: POLICY }, { origin, slot });
      // Two schedulers see that the time has come: the second one's runs are the first one's.
      const [first = [], second = []] = [await collect(mapOrdered(of, begin, { concurrency: 4 })), await collect(mapOrdered(of, begin, { concurrency: 4 }))];
      if (second.some(({ isNew }, i) => isNew || second[i]?.id !== first[i]?.id)) throw new Error('a run was queued twice');
      return first.map(({ id }) => id);
    },
    verify: async () => (await api.start({ kind: 'verify', repository: REPOSITORY, mode: 'all' }, { origin: { kind: 'user', name: 'alice' } })).id,
    async startWorker(name) {
      const { vmId: proxyVm } = await control.createVm({ name: `onevault-proxy-${name}`, disks: [], proxy: true });
      const line = owned.use(await cutLine(postgres.port));
      const said = {
        name,
        slots: SLOTS,
        heartbeatSeconds,
        secretsDirectory,
        log,
        databaseUrl: url.reveal().replace(`:${postgres.port}/`, `:${line.port}/`),
      };
      const own = {
        ...env,
        ONEVAULT_PROXY_ROOT: join(cloud.dir, 'proxy', String(proxyVm)),
        ONEVAULT_PROXY_VM: String(proxyVm),
        ONEVAULT_STATE_DIR: join(directory, name),
      };
      const started = await startProcess(WORKER, JSON.stringify(said), own);
      owned.use(started);
      return { name, process: started.process, line };
    },
    openRepository: () => openRepository(store(), { clock: systemClock }),
    logs: () => log,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

async function openApi(runs: Runs, place: string, inventory: ReadonlyMap<number, InventoryVm>): Promise<QueuedRuns> {
  const policy = compilePolicy(
    parsePolicy({
      kind: 'backup',
      name: POLICY,
      select: { include: ['name=*'] },
      repository: REPOSITORY,
      timezone: 'UTC',
      schedules: [{ at: 'every 24h' }],
      retry: { times: 3, after: '1s' },
    }),
    0,
  );
  const maintenance = { timezone: 'UTC', gc: undefined, verify: undefined, verifyMode: 'sample' } as const;
  return QueuedRuns.open({
    runs,
    settings: {
      current: () => ({
        policies: [policy],
        backupPolicies: [],
        snapshotPolicies: [],
        repositories: [{ name: REPOSITORY, place, secretFile: undefined, maintenance }],
        notifications: [],
        caps: {},
        roles: {},
        defaultRole: 'operator',
      }),
      onChange: () => ({ [Symbol.dispose]: () => undefined }),
    },
    inventory: { vm: (id) => inventory.get(id) },
    catalog: { get: async () => undefined },
    workers: workerRegistry(runs),
    clock: systemClock,
    logger: silentLogger,
  });
}

async function smallVm(control: SimControl, index: number): Promise<number> {
  const { vmId } = await control.createVm({ name: `vm-${index}`, disks: [{ sizeMiB: 1 }], memoryMiB: 16, cpu: 0.01 });
  await control.writeRandom(vmId, 0, { seed: index, count: 8, blockBytes: 4096 });
  return vmId;
}

async function makeStore({ endpoint, accessKeyId, secretAccessKey, makeBucket }: Radosgw): Promise<() => ReturnType<typeof s3Store>> {
  await makeBucket('fleet');
  return () => s3Store({ bucket: 'fleet', prefix: 'one', endpoint, credentials: async () => ({ accessKeyId, secretAccessKey }) }, { clock: systemClock });
}

interface Started extends AsyncDisposable {
  readonly process: ChildProcess;
  /** The first line that it said. */
  readonly said: string;
}

async function startSimulator(dir: string): Promise<AsyncDisposable & { readonly endpoint: string; readonly session: string; readonly dir: string }> {
  const started = await startProcess(SIMULATOR, dir, { PATH: process.env['PATH'] ?? '' });
  return { ...JSON.parse(started.said), [Symbol.asyncDispose]: () => started[Symbol.asyncDispose]() };
}

async function startProcess(script: URL, argument: string, env: Readonly<Record<string, string>>): Promise<Started> {
  const child = spawn(process.execPath, [fileURLToPath(script), argument], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  const [said] = (await Promise.race([once(lines, 'line'), exit.then(([code]) => Promise.reject(new Error(`${script.pathname} ended with ${code}`)))])) as [
    string,
  ];
  return {
    process: child,
    said,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exit;
    },
  };
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}
