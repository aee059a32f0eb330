import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chown, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Scope, Secret } from '@onevault/base';
import { type Requirement, requiresCommand } from './requires.ts';

const run = promisify(execFile);
const INSTALL = 'apt-get install --no-install-recommends postgresql';
/** Debian puts the server's programs beside those of other versions, none of them on PATH. */
const VERSIONS = '/usr/lib/postgresql';
const START_TIMEOUT_MS = 60_000;
/** Nobody: PostgreSQL refuses to run as root. */
const UNPRIVILEGED = 65534;

export const postgresRequirements: readonly Requirement[] = [
  { met: programs() !== undefined, message: `PostgreSQL is missing: ${INSTALL}` },
  requiresCommand('psql', INSTALL),
  requiresCommand('setpriv', 'apt-get install util-linux'),
];

/** A PostgreSQL server of the test's own, on loopback and on a socket, with one superuser `onevault` and no password. */
export interface Postgres extends AsyncDisposable {
  readonly port: number;
  /** Directory of its socket. */
  readonly socketDirectory: string;
  url(database: string): Secret;
  /** Makes an empty database and answers its URL. */
  createDatabase(name: string): Promise<Secret>;
  /** fast: sessions are cut off and all is written out. immediate: as a crash; it recovers from its log when it starts again. */
  stop(how: 'fast' | 'immediate'): Promise<void>;
  start(): Promise<void>;
  sql(database: string, text: string): Promise<string>;
}

export interface PostgresOptions {
  /** Default false: it survives a crash of its own, not one of the machine, which no test makes. */
  readonly fsync?: boolean;
}

export async function startPostgres({ fsync = false }: PostgresOptions = {}): Promise<Postgres> {
  await using scope = new Scope();
  const bin = programs() ?? '';
  const directory = await mkdtemp(join(tmpdir(), 'onevault-pg-'));
  scope.defer(() => rm(directory, { recursive: true, force: true }));
  const isRoot = process.getuid?.() === 0;
  if (isRoot) await chown(directory, UNPRIVILEGED, UNPRIVILEGED);
  const data = join(directory, 'data');
  const [initdb, ...args] = unprivileged(
    [join(bin, 'initdb'), '-D', data, '-U', 'onevault', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'],
    isRoot,
  );
  await run(initdb, args, { cwd: directory });
  const port = await freePort();
  const log = join(directory, 'log');
  let server: ChildProcess | undefined;
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const exit = once(server, 'exit');
    server.kill(signal);
    await exit;
  };
  const sql = async (database: string, text: string): Promise<string> => {
    const { stdout } = await run('psql', ['-h', directory, '-p', String(port), '-U', 'onevault', '-d', database, '-XAtq', '-c', text], { timeout: 10_000 });
    return stdout.trim();
  };
  const start = async (): Promise<void> => {
    const out = await open(log, 'a');
    const settings = [
      `port=${port}`,
      'listen_addresses=127.0.0.1',
      `unix_socket_directories=${directory}`,
      `fsync=${fsync ? 'on' : 'off'}`,
      'max_connections=60',
    ];
    const [program, ...rest] = unprivileged([join(bin, 'postgres'), '-D', data, ...settings.flatMap((setting) => ['-c', setting])], isRoot);
    server = spawn(program, rest, { cwd: directory, stdio: ['ignore', out.fd, out.fd] });
    await out.close();
    await until(server, () => sql('postgres', 'select 1'), log);
  };
  await start();
  scope.defer(() => stop('SIGQUIT'));
  const owned = scope.move();
  const url = (name: string): Secret => new Secret(`postgresql://onevault@127.0.0.1:${port}/${name}`);
  return {
    port,
    url,
    socketDirectory: directory,
    async createDatabase(name) {
      await sql('postgres', `create database ${name}`);
      return url(name);
    },
    stop: (how) => stop(how === 'fast' ? 'SIGINT' : 'SIGQUIT'),
    start,
    sql,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** Of the newest version there is. */
function programs(): string | undefined {
  if (!existsSync(VERSIONS)) return undefined;
  const newest = readdirSync(VERSIONS)
    .filter((version) => existsSync(join(VERSIONS, version, 'bin', 'postgres')))
    .sort((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? undefined : join(VERSIONS, newest, 'bin');
}

/** setpriv becomes the program: what is signalled is the program. */
function unprivileged(command: readonly string[], isRoot: boolean): [string, ...string[]] {
  const [program = '', ...args] = command;
  return isRoot ? ['setpriv', `--reuid=${UNPRIVILEGED}`, `--regid=${UNPRIVILEGED}`, '--clear-groups', program, ...args] : [program, ...args];
}

async function until(server: ChildProcess, attempt: () => Promise<unknown>, log: string): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (server.exitCode === null && performance.now() < deadline) await delay(50);
      else throw new Error(`PostgreSQL did not start: ${await readFile(log, 'utf8')}`, { cause: error });
    }
  }
}

/** Free a moment ago; nobody else here takes ports that fast. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  if (!server.listening) await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
