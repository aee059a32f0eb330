import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { runSchemas } from '@onevault/api';
import { type Clock, type LogFields, type Logger, Scope, Secret, systemClock } from '@onevault/base';
import { testSettings } from '@onevault/composition/testing';
import { type Database, openDatabase, Runs } from '@onevault/run-queue';
import { Redactor, ServerWorker } from '@onevault/server';
import { bearer, bodyAs, HookServer, openStateDirectory, type RawReply, send, signIn, startApiSide } from '@onevault/server/testing';
import { takeWallClock, type WallClock } from './wall-clock.ts';
import { makeWorld, type World } from './world.ts';

const HURRY = 20;
/** What looks at the clock on the wall from time to time looks more often: it is set all the time here. */
const LOOKS = { fromMs: 10_000, toMs: 30_000, eachMs: 200 };
const hurry = (ms: number): number => (ms >= LOOKS.fromMs && ms <= LOOKS.toMs ? LOOKS.eachMs : ms / HURRY);
/** The worker's time passes faster; the clock on the wall is the process's. */
const hurried: Clock = {
  now: systemClock.now,
  monotonicMs: () => systemClock.monotonicMs() * HURRY,
  sleep: (ms, options) => systemClock.sleep(hurry(ms), options),
};
/** The api's does not where it goes by minutes, as it does when it looks what there is. */
const calm: Clock = { ...systemClock, sleep: (ms, options) => systemClock.sleep(ms > LOOKS.toMs ? ms : hurry(ms), options) };
/** Of hurried time, and of a clock that is set: nobody is taken for dead. */
const HEARTBEAT_SECONDS = 400 * 86_400;
const LONGEST_WAIT_MS = 90_000;

/** A run as the API tells it, in a list or whole. */
export type ToldRun = (typeof runSchemas)['runDetail']['_output'];

/**
 * The whole server in this process (api with its scheduler and notifier, worker, embedded database) over a simulated cloud with the VM `web`, by a clock on the wall that
 * the test sets. Runs begin by their schedules alone.
 */
export interface ScheduledWorld extends AsyncDisposable {
  readonly world: World;
  readonly wall: WallClock;
  readonly database: Database;
  /** What a channel that wants to know everything was told: `condition: text`. */
  told(): readonly string[];
  readonly logged: { readonly message: string; readonly fields: LogFields }[];
  /** A directory for what commands read and write. */
  readonly scratch: string;
  readonly stateDirectory: string;
  /** What the command line needs to work through the server. */
  remote(): { readonly ONEVAULT_SERVER: string; readonly ONEVAULT_TOKEN: string };
  ask(method: string, path: string, body?: unknown): Promise<RawReply>;
  /** Makes policies what the settings have, and no others. */
  policies(...documents: readonly object[]): Promise<void>;
  /** Ends the server in order; the database and the state directory stay. */
  stop(): Promise<void>;
  start(options?: { readonly worker?: boolean }): Promise<void>;
  stopWorker(): Promise<void>;
  startWorker(): Promise<void>;
  /** Runs of a policy, oldest first. */
  runs(policy: string): Promise<readonly ToldRun[]>;
  /** Sets the clock to a moment and waits until the newest run of the policy is another one than before, and has ended (or is what `until` says). */
  slot(policy: string, time: string, until?: (run: ToldRun) => boolean): Promise<ToldRun>;
  detail(runId: string): Promise<ToldRun>;
  /** Once it has ended. */
  ended(runId: string): Promise<ToldRun>;
  /** Once it is so. */
  becomes<T>(look: () => Promise<T> | T, isSo: (seen: T) => boolean, what?: string): Promise<T>;
  /** Once the scheduler has looked again. */
  looked(): Promise<void>;
  /** Once nothing is queued or running, and the scheduler has looked again. */
  idle(): Promise<void>;
  /** All that was told of a run that has ended, or, of one that has not, until now. */
  eventsOf(runId: string, options?: { readonly untilNow: true }): Promise<readonly { readonly type: string; readonly data: Record<string, unknown> }[]>;
  metric(name: string): Promise<number>;
}

const ENDED = new Set(['succeeded', 'degraded', 'failed', 'cancelled', 'skipped']);
const isEnded = (run: ToldRun): boolean => ENDED.has(run.state);

export async function makeScheduledWorld(time: string): Promise<ScheduledWorld> {
  await using scope = new Scope();
  const wall = takeWallClock(time);
  scope.defer(async () => wall[Symbol.dispose]());
  const world = scope.use(await makeWorld({ disks: [{ sizeMiB: 1 }], volatileMiB: [] }));
  const directory = await mkdtemp(join(tmpdir(), 'onevault-scheduled-'));
  scope.defer(() => rm(directory, { recursive: true, force: true }));
  const scratch = join(directory, 'scratch');
  await mkdir(scratch);
  const auth = join(directory, 'one_auth');
  await writeFile(auth, `${world.sim.user}:${world.sim.password}`, { mode: 0o600 });
  const hook = scope.use(await HookServer.start());
  const logged: { message: string; fields: LogFields }[] = [];
  const looks = { count: 0 };
  const server = new Server(world, directory, auth, hook.url, loggerInto(logged, looks));
  scope.defer(() => server.stop());
  await server.start({ worker: true });

  const ask: ScheduledWorld['ask'] = async (method, path, body) => send(server.url, `/api/v1${path}`, { method, headers: server.headers ?? {}, body });
  const runs: ScheduledWorld['runs'] = async (policy) =>
    bodyAs<{ readonly items: readonly ToldRun[] }>(await ask('GET', `/runs?limit=100&policy=${policy}`)).items.toReversed();
  const detail: ScheduledWorld['detail'] = async (runId) => bodyAs<ToldRun>(await ask('GET', `/runs/${runId}`));
  const becomes: ScheduledWorld['becomes'] = async (look, isSo, what = '') => {
    const until = systemClock.monotonicMs() + LONGEST_WAIT_MS;
    for (;;) {
      const seen = await look();
      if (isSo(seen)) return seen;
      if (systemClock.monotonicMs() > until) throw new Error(`not so within ${LONGEST_WAIT_MS} ms: ${what} ${JSON.stringify(seen)}`);
      await systemClock.sleep(25);
    }
  };
  const looked: ScheduledWorld['looked'] = async () => {
    // One may be under way that began before.
    const begun = looks.count;
    await becomes(
      () => looks.count,
      (count) => count >= begun + 2,
      'the scheduler looks',
    );
  };
  const owned = scope.move();
  return {
    world,
    wall,
    get database() {
      return server.database;
    },
    told: () =>
      hook.hooks.flatMap(({ body }) =>
        (JSON.parse(body) as { entries: { condition: string; subject: string; text: string }[] }).entries.map(
          ({ condition, subject, text }) => `${condition}: ${subject}: ${text}`,
        ),
      ),
    logged,
    scratch,
    stateDirectory: join(directory, 'state'),
    remote: () => ({ ONEVAULT_SERVER: server.url.href, ONEVAULT_TOKEN: server.headers?.['authorization']?.replace('Bearer ', '') ?? '' }),
    ask,
    policies: async (...documents) => {
      const reply = await ask('POST', '/settings', { yaml: JSON.stringify({ policies: documents, removeUnlisted: true }) });
      if (reply.status !== 200) throw new Error(reply.text);
      await looked(); // each is seen before its first run: that is when it begins
    },
    stop: () => server.stop(),
    start: (options = {}) => server.start({ worker: true, ...options }),
    stopWorker: () => server.stopWorker(),
    startWorker: () => server.startWorker(),
    runs,
    slot: async (policy, at, until = isEnded) => {
      const known = new Set((await runs(policy)).map(({ id }) => id));
      wall.set(at);
      const newest = async (): Promise<ToldRun | undefined> =>
        (await runs(policy)).filter(({ id, request }) => !known.has(id) && request.kind !== 'retention').at(-1);
      const run = await becomes(newest, (one) => one !== undefined && until(one), `${policy} at ${at}`);
      return detail(run?.id ?? '');
    },
    detail,
    ended: (runId) => becomes(() => detail(runId), isEnded, `run ${runId}`),
    becomes,
    looked,
    idle: async () => {
      const open = async (): Promise<number> => {
        const { queued, running } = await new Runs(server.database, () => '').tally();
        return queued + running;
      };
      for (let calm = 0; calm < 2; calm++) {
        await looked();
        await becomes(open, (count) => count === 0, 'runs that are open');
      }
    },
    eventsOf: async (runId, options) => {
      if (options?.untilNow === true) return new Runs(server.database, () => '').events({ runId, afterSeq: 0, limit: 1000 });
      const { text } = await ask('GET', `/runs/${runId}/log`);
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line));
    },
    metric: async (name) => {
      const { text } = await ask('GET', '/metrics');
      return text
        .split('\n')
        .filter((line) => line.startsWith(name))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** As `startServer` puts it together, but for the time that a worker may be silent. */
class Server {
  readonly #world: World;
  readonly #directory: string;
  readonly #auth: string;
  readonly #hook: string;
  readonly #logger: Logger;
  #scope = new Scope();
  #worker: ServerWorker | undefined;
  #database: Database | undefined;
  #url: URL | undefined;
  /** Of a token: sessions end, and the clock is set by days here. */
  headers: Readonly<Record<string, string>> | undefined;

  constructor(world: World, directory: string, auth: string, hook: string, logger: Logger) {
    this.#world = world;
    this.#directory = directory;
    this.#auth = auth;
    this.#hook = hook;
    this.#logger = logger;
  }

  get url(): URL {
    return this.#url ?? fail();
  }

  get database(): Database {
    return this.#database ?? fail();
  }

  async start({ worker }: { readonly worker: boolean }): Promise<void> {
    const state = await openStateDirectory(join(this.#directory, 'state'));
    this.#scope = new Scope();
    this.#database = this.#scope.use(
      await openDatabase({ kind: 'embedded', directory: state.database }, { clock: hurried, heartbeatSeconds: HEARTBEAT_SECONDS }),
    );
    if (worker) await this.startWorker();
    const many = { perAddressPerMinute: 1e6, perCallerPerMinute: 1e6, unknownPerMinute: 1e6, eventLoopDelayMs: 0 };
    const options = {
      ...this.#process(calm),
      role: 'api' as const,
      databaseUrl: new Secret('not used'),
      http: { host: '127.0.0.1', port: 0, limits: many },
      worker: { name: 'none', slots: 1 },
      version: '1.2.3',
    };
    this.#url = this.#scope.use(await startApiSide(options, this.#database, state, {})).url;
    this.headers ??= await this.#begin(this.#url);
  }

  async #begin(url: URL): Promise<Readonly<Record<string, string>>> {
    const { user, password } = this.#world.sim;
    const session = await signIn(url, user, password);
    const until = new Date(Date.now() + 300 * 86_400_000).toISOString();
    const { json } = await send(url, '/api/v1/tokens', { method: 'POST', headers: session.headers, body: { name: 'test', role: 'admin', expiresAt: until } });
    const { headers } = bearer(json.secret);
    const maintenance = { gc: 'none', verify: 'none' };
    const on = ['failed', 'degraded', 'recovered', 'skipped'];
    const settings = {
      repositories: { main: { place: this.#world.repositoryPath, maintenance } },
      notifications: [{ name: 'all', kind: 'webhook', url: this.#hook, on }],
    };
    const reply = await send(url, '/api/v1/settings', { method: 'POST', headers, body: { yaml: JSON.stringify(settings) } });
    if (reply.status !== 200) throw new Error(reply.text);
    return headers;
  }

  async startWorker(): Promise<void> {
    const place = { ...this.#process(hurried), secretsDirectory: join(this.#directory, 'state', 'secrets'), scanWorkers: 1 };
    this.#worker = new ServerWorker(place, this.database, { name: 'worker', slots: 2 });
    await this.#worker.start();
  }

  async stopWorker(): Promise<void> {
    await this.#worker?.[Symbol.asyncDispose]();
    this.#worker = undefined;
  }

  async stop(): Promise<void> {
    await this.stopWorker();
    await this.#scope[Symbol.asyncDispose]();
  }

  #process(clock: Clock) {
    const { sim, proxyVm } = this.#world;
    const env = {
      PATH: process.env['PATH'],
      ONE_AUTH: this.#auth,
      ONE_XMLRPC: sim.endpoint.href,
      ONE_XMLRPC_TIMEOUT: String(10 * HURRY),
      ONEVAULT_PASSPHRASE: 'hush-hush',
      DATABASE_URL: 'postgresql://vault:hush-hush@db/vault',
    };
    const settings = testSettings(join(this.#directory, 'state'), { oneEnvironment: env, proxyRoot: join(sim.dir, 'proxy', String(proxyVm)), proxyVm });
    return { settings, env, clock, logger: this.#logger, redactor: new Redactor() };
  }
}

function fail(): never {
  throw new Error('the server is not up');
}

function loggerInto(logged: { message: string; fields: LogFields }[], looks: { count: number }, own: LogFields = {}): Logger {
  const keep = (fields: LogFields, message: string): void => void logged.push({ message, fields: { ...own, ...fields } });
  const debug = (_: LogFields, message: string): void => {
    if (message === 'the scheduler has looked') looks.count++;
  };
  return { debug, info: keep, warn: keep, error: keep, child: (fields) => loggerInto(logged, looks, { ...own, ...fields }) };
}
