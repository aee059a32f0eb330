import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type ApiClient, createApiClient } from '@onevault/api';
import { openRepository, type Repository, s3Store } from '@onevault/backup-format';
import { mapOrdered, Scope, systemClock } from '@onevault/base';
import { connectControl, type SimControl } from '@onevault/one-sim';
import { openDatabase, Runs } from '@onevault/run-queue';
import { type Running, startCommand } from './command-line.ts';
import { type CutLine, cutLine } from './cut-line.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { type Radosgw, startRadosgw } from './radosgw.ts';
import { type ShiftedClock, shiftedClock } from './shifted-clock.ts';

const REPOSITORY = 'main';
const SLOTS = 2;
const SIMULATOR = new URL('./simulator-process.mjs', import.meta.url);

/** `onevault server --role worker` in a proxy VM and a state directory of its own. */
export interface FleetWorker {
  readonly name: string;
  /** Its line to the database. */
  readonly line: CutLine;
  kill(): Promise<void>;
  /** Again, in the same place: as systemd does after a kill. */
  start(): Promise<void>;
  /** Of runs that it has not finished with. */
  journals(): Promise<readonly string[]>;
}

/** A cloud of many small VMs, `onevault server` processes of the built command that share a PostgreSQL and a bucket, and a client of the one that is the API. */
export interface Fleet extends AsyncDisposable {
  readonly vms: readonly number[];
  readonly control: SimControl;
  readonly postgres: Postgres;
  readonly api: ApiClient;
  /** What the servers share, looked at from outside. */
  readonly runs: Runs;
  /** Makes a policy for VMs of these names, whose time comes at once by the clock of the API's machine. */
  schedule(policy: string, names: string): Promise<void>;
  /** Makes a worker and its proxy VM. */
  startWorker(name: string): Promise<FleetWorker>;
  openRepository(): Promise<Repository>;
  /** What all servers have said on stderr. */
  logs(): string;
}

export async function makeFleet({ vms: count, heartbeatSeconds }: { readonly vms: number; readonly heartbeatSeconds: number }): Promise<Fleet> {
  await using scope = new Scope();
  const directory = await mkdtemp(join(tmpdir(), 'onevault-fleet-'));
  scope.defer(() => rm(directory, { recursive: true, force: true }));
  const [postgres, bucket, [cloud, vms]] = await Promise.all([startPostgres(), startRadosgw(), startCloud(join(directory, 'cloud'), count)]);
  for (const owned of [postgres, bucket, cloud]) scope.use(owned);
  await bucket.makeBucket('fleet');
  const url = (await postgres.createDatabase('fleet')).reveal();
  await writeFile(join(directory, 'one_auth'), `${cloud.session}\n`, { mode: 0o600 });
  const servers = new Servers({
    PATH: process.env['PATH'] ?? '',
    HOME: directory,
    ONE_XMLRPC: cloud.endpoint,
    ONE_AUTH: join(directory, 'one_auth'),
    AWS_ACCESS_KEY_ID: bucket.accessKeyId,
    AWS_SECRET_ACCESS_KEY: bucket.secretAccessKey.reveal(),
  });
  scope.use(servers);
  const clock = await shiftedClock(join(directory, 'clock'));
  const said = await servers.start(['--role', 'api', '--listen', '127.0.0.1:0'], {
    ...clock.env,
    DATABASE_URL: url,
    ONEVAULT_STATE_DIR: join(directory, 'api'),
  });
  const api = await signedIn(said.text, cloud.session);
  const place = `s3://fleet/one?endpoint=${bucket.endpoint}`;
  const maintenance = { gc: 'none', verify: 'none' };
  await api.call('putRepository', { params: { name: REPOSITORY }, body: { place, create: true, maintenance } });
  // Before any worker: they read it when they start.
  await api.call('applySettings', { body: { yaml: `limits: { heartbeatSeconds: ${heartbeatSeconds} }`, dryRun: false } });
  const database = scope.use(await openDatabase({ kind: 'postgresql', url: postgres.url('fleet') }, { clock: systemClock }));
  if (database.heartbeatSeconds !== heartbeatSeconds) throw new Error(`the heartbeat is ${database.heartbeatSeconds} s`);
  const owned = scope.move();
  return {
    vms,
    control: cloud.control,
    postgres,
    api,
    runs: new Runs(database, () => ''),
    schedule: (policy, names) => schedule({ api, clock, process: said.process, postgres }, policy, names),
    async startWorker(name) {
      const { vmId: proxyVm } = await cloud.control.createVm({ name: `onevault-proxy-${name}`, disks: [], proxy: true });
      const line = owned.use(await cutLine(postgres.port));
      const stateDir = join(directory, name);
      const env = {
        DATABASE_URL: url.replace(`:${postgres.port}/`, `:${line.port}/`),
        ONEVAULT_PROXY_ROOT: join(cloud.dir, 'proxy', String(proxyVm)),
        ONEVAULT_PROXY_VM: String(proxyVm),
        ONEVAULT_STATE_DIR: stateDir,
      };
      const start = () => servers.start(['--role', 'worker', '--worker-name', name, '--slots', String(SLOTS)], env);
      let running = await start();
      return {
        name,
        line,
        async kill() {
          running.process.kill('SIGKILL');
          await running.finished;
        },
        async start() {
          running = await start();
        },
        journals: async () => (await readdir(join(stateDir, 'journals')).catch(() => [])).filter((file) => file.endsWith('.jsonl')),
      };
    },
    openRepository: () => openRepository(storeOf(bucket), { clock: systemClock }),
    logs: () => servers.logs(),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** Processes of the built command. */
class Servers implements AsyncDisposable {
  readonly #env: Readonly<Record<string, string>>;
  readonly #all: (Running & { readonly process: ChildProcess })[] = [];
  #logs = '';

  constructor(env: Readonly<Record<string, string>>) {
    this.#env = env;
  }

  async start(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Running & { readonly text: string }> {
    const server = startCommand(['server', '--no-cache', ...args], { ...this.#env, ...env });
    this.#all.push(server);
    server.process.stderr?.on('data', (text: string) => {
      this.#logs += text;
    });
    await server.sees(/ready/);
    return { ...server, text: server.stdout() };
  }

  logs(): string {
    return this.#logs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { process } of this.#all) process.kill('SIGKILL');
    await Promise.all(this.#all.map(({ finished }) => finished));
  }
}

interface Planner {
  readonly api: ApiClient;
  readonly clock: ShiftedClock;
  readonly process: ChildProcess;
  readonly postgres: Postgres;
}

/** The clock is set to where the scheduler sees the policy before its time, and then to that time. */
async function schedule({ api, clock, process, postgres }: Planner, policy: string, names: string): Promise<void> {
  const minute = clock.nextMinute();
  const put = (priority: number) =>
    api.call('putPolicy', {
      params: { name: policy },
      body: {
        kind: 'backup',
        name: policy,
        repository: REPOSITORY,
        timezone: 'UTC',
        select: { include: [`name=${names}`] },
        schedules: [{ at: minute.toISOString().slice(11, 16) }],
        priority,
        retry: { times: 3, after: '1s' },
      },
    });
  await clock.set(process, new Date(minute.getTime() - 30_000));
  await put(50);
  const isSeen = (): Promise<string> => postgres.sql('fleet', `select count(*) from onevault_catalog.schedule where policy = '${policy}'`);
  while ((await isSeen()) !== '1') await systemClock.sleep(50);
  await clock.set(process, minute);
  await put(51); // what is changed is looked at at once
}

async function signedIn(ready: string, session: string): Promise<ApiClient> {
  const baseUrl = /ready at (\S+)/.exec(ready)?.[1] ?? '';
  const [user = '', password = ''] = session.split(':');
  const headers: Record<string, string> = {};
  // A cookie is the browser's affair: here it is taken out of the answer.
  const keeping: typeof fetch = async (...call) => {
    const answer = await fetch(...call);
    const [cookie] = answer.headers.getSetCookie();
    if (cookie !== undefined) headers['cookie'] = cookie.split(';', 1)[0] ?? '';
    return answer;
  };
  const api = createApiClient({ baseUrl, fetch: keeping, headers: () => headers });
  const { csrfToken } = await api.call('signIn', { body: { user, password } });
  headers['x-csrf-token'] = csrfToken;
  return api;
}

interface Cloud extends AsyncDisposable {
  readonly endpoint: string;
  readonly session: string;
  readonly dir: string;
  readonly control: SimControl;
}

/** VMs vm-0, vm-1 …, in three parts: vm-0-a, vm-1-b, vm-2-c and so on. */
async function startCloud(dir: string, count: number): Promise<[Cloud, number[]]> {
  const child = spawn(process.execPath, [fileURLToPath(SIMULATOR), dir], { env: { PATH: process.env['PATH'] ?? '' }, stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { endpoint, session } = JSON.parse(said) as { readonly endpoint: string; readonly session: string };
  const control = connectControl(endpoint);
  const vms: number[] = [];
  const make = async (index: number): Promise<number> => {
    const { vmId } = await control.createVm({ name: `vm-${index}-${'abc'[index % 3]}`, disks: [{ sizeMiB: 1 }], memoryMiB: 16, cpu: 0.01 });
    await control.writeRandom(vmId, 0, { seed: index, count: 8, blockBytes: 4096 });
    return vmId;
  };
  for await (const vmId of mapOrdered(
    Array.from({ length: count }, (_, i) => i),
    make,
    { concurrency: 4 },
  ))
    vms.push(vmId);
  const end = async (): Promise<void> => {
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  };
  return [{ endpoint, session, dir, control, [Symbol.asyncDispose]: end }, vms];
}

function storeOf({ endpoint, accessKeyId, secretAccessKey }: Radosgw): ReturnType<typeof s3Store> {
  return s3Store({ bucket: 'fleet', prefix: 'one', endpoint, credentials: async () => ({ accessKeyId, secretAccessKey }) }, { clock: systemClock });
}
