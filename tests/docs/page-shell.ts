import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startS3Fake } from '@onevault/backup-format/testing';
import { Scope } from '@onevault/base';
import type { TimedStep } from '@onevault/one-sim';
import { NO_TIME, startTestSimulator } from '@onevault/one-sim/testing';
import { vi } from 'vitest';
import { installAnswered } from './answered-commands.ts';
import { frontEnd } from './front-end.ts';
import { sinks } from './sinks.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const BIN = join(REPOSITORY, 'apps/cli/bin/onevault.js');
const RESIDENT = fileURLToPath(new URL('resident.mjs', import.meta.url));

/** Directories of a real machine that pages name; each is one below the scratch directory. Longest first. */
const PLACES = /(?<![\w.$}/-])\/(usr\/share\/onevault|etc\/onevault|etc\/prometheus|etc\/lvm|mnt|srv|run|opt|var|backup|tmp)(?=\/|$|[\s'"])/gm;
/** How VMs are called that pages restore: their guests live, and say so. */
const RESTORED = ['onevault-drill-', 'dr-', 'www', 'web-'];
/** What would change this machine, or wait for another: a block with one of them has to name the test that executes it. */
const NOT_HERE = [
  'apt',
  'apt-get',
  'dpkg',
  'systemctl',
  'journalctl',
  'sudo',
  'mount',
  'umount',
  'useradd',
  'usermod',
  'reboot',
  'ssh',
  'scp',
  'docker',
  'podman',
  'logger',
];
/** A command that goes on, or that other processes must find, is a process of its own. */
const OWN_PROCESS = ['sim start', 'sim stop', 'nbd serve', 'server'];

export interface Ran {
  /** Undefined: it took too long. */
  readonly exit: number | undefined;
  readonly printed: string;
}

/** A shell of root in the proxy VM of a simulated cloud, with the built command on PATH, a home of its own, and a bucket. */
export interface PageShell extends AsyncDisposable {
  run(text: string): Promise<Ran>;
  /** Starts what goes on until the end, and resolves when it has printed `sign`. */
  begin(text: string, sign: string): Promise<Ran>;
  /** Runs it as a process of its own, and kills that while the simulator is at `step`, which then ends. */
  kill(text: string, step: string): Promise<void>;
  write(path: string, content: string): Promise<void>;
  /** From here on `word` stands for what is printed. */
  say(word: string, meaning: string): void;
}

export async function openPageShell(): Promise<PageShell> {
  await using scope = new Scope();
  const root = await mkdtemp(join(tmpdir(), 'onevault-docs-'));
  scope.defer(() => rm(root, { recursive: true, force: true, maxRetries: 5 }));
  const cloud = scope.use(await startTestSimulator({ times: NO_TIME }));
  const { sim } = cloud;
  const proxy = (await sim.control.state()).vms.find((vm) => vm.proxy)?.id ?? -1;
  await sim.control.setAgentMonitoring(true);
  for (const namePrefix of RESTORED) await sim.control.expectGuest({ namePrefix, agent: true, ready: true });
  const bucket = scope.use(await startS3Fake({ region: 'eu-1' }));
  for (const name of ['backups', 'copies']) bucket.makeBucket(name);

  const home = join(root, 'root');
  const bin = join(root, '.bin');
  const steps = join(root, '.steps');
  for (const dir of [
    home,
    bin,
    steps,
    join(home, '.one'),
    ...['usr/share', 'mnt', 'srv', 'run', 'opt', 'var/log', 'var/tmp', 'etc/onevault', 'etc/prometheus', 'etc/lvm', 'backup', 'tmp'].map((name) =>
      join(root, name),
    ),
  ])
    await mkdir(dir, { recursive: true });
  await symlink(join(REPOSITORY, 'packaging'), join(root, 'usr/share/onevault'));
  const tlsPort = await freePort();
  const words: (readonly [string, string])[] = [
    ['http://frontend:2633/RPC2', sim.endpoint.href],
    ['backup:password-or-token', `${sim.user}:${sim.password}`],
    ['https://s3.example.org', bucket.endpoint],
    ['127.0.0.1:8440', `127.0.0.1:${await freePort()}`],
    ['0.0.0.0:8443', `127.0.0.1:${tlsPort}`],
    ['backup.example.org:8443', `localhost:${tlsPort}`],
    ['backup.example.org', 'localhost'],
    ['AKIAEXAMPLE', bucket.accessKeyId],
    ['example/secret/key', bucket.secretAccessKey],
  ];
  const hereText = (text: string): string => words.reduce((said, [word, meaning]) => said.replaceAll(word, meaning), text).replace(PLACES, `${root}/$1`);
  const pageText = (text: string): string =>
    words.reduceRight(
      (said, [word, meaning]) => (meaning.length < 12 ? said : said.replaceAll(meaning, word)),
      text.replaceAll(home, '~').replaceAll(root, ''),
    );

  await writeFile(join(home, '.one/one_auth'), `${sim.user}:${sim.password}\n`, { mode: 0o600 });
  await writeFile(join(home, '.one/one_endpoint'), `${sim.endpoint.href}\n`);
  const env: Record<string, string> = {
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    HOME: home,
    USER: 'root',
    LANG: 'C.UTF-8',
    TMPDIR: join(root, 'tmp'),
    ONEVAULT_PROXY_ROOT: join(sim.dir, 'proxy', String(proxy)),
    ONEVAULT_STATE_DIR: join(root, 'var/lib/onevault'),
    // For scenes: where the documentation itself is.
    ONEVAULT_DOCS: join(REPOSITORY, 'docs'),
    AWS_EC2_METADATA_DISABLED: 'true',
    // In the hurried time of resident.mjs.
    ONE_XMLRPC_TIMEOUT: '1200',
  };
  const port = await startResident(scope, env, home);
  await writeFile(join(bin, 'onevault'), shim(port));
  await chmod(join(bin, 'onevault'), 0o755);
  for (const name of NOT_HERE)
    await writeFile(join(bin, name), `#!/bin/sh\necho "${name} is not run here: say above the block what executes it"\nexit 99\n`, { mode: 0o755 });
  await installAnswered(scope, { ...frontEnd(cloud), ...sinks(scope) }, bin);
  const shell = startBash(scope, env, home);

  let count = 0;
  async function prepare(text: string): Promise<{ readonly source: string; readonly out: string; printed(): Promise<string> }> {
    const name = join(steps, String(count++));
    await writeFile(`${name}.sh`, `${hereText(text)}\n`);
    await writeFile(`${name}.out`, '');
    return { source: `${name}.sh`, out: `${name}.out`, printed: async () => pageText(await readFile(`${name}.out`, 'utf8')) };
  }
  const owned = scope.move();
  return {
    async run(text) {
      const { source, out, printed } = await prepare(text);
      const exit = await shell.send(`. ${source} >>${out} 2>&1 </dev/null`);
      return { exit, printed: await printed() };
    },
    async begin(text, sign) {
      // `$!` is the program itself, so that a page can end it.
      const { source, out, printed } = await prepare(`exec ${text}`);
      await shell.send(`( . ${source} ) >>${out} 2>&1 </dev/null &`);
      const seen = await vi.waitUntil(async () => (await printed()).includes(sign), { timeout: 90_000, interval: 50 }).catch(() => false);
      return { exit: seen ? 0 : undefined, printed: await printed() };
    },
    async kill(text, step) {
      const { source, out } = await prepare(text);
      await sim.control.hold([step as TimedStep]);
      await shell.send(`ONEVAULT_DOCS_PROCESS=1 setsid bash ${source} >>${out} 2>&1 </dev/null & echo $! >${out}.pid; disown`);
      await vi.waitUntil(async () => (await sim.control.state()).operations.some(({ kind }) => kind === step), { timeout: 30_000, interval: 50 });
      const group = -Number(await readFile(`${out}.pid`, 'utf8'));
      process.kill(group, 'SIGKILL');
      // Dying takes its time on a busy machine, and the next command would find the run's process alive.
      await vi.waitUntil(() => isGone(group), { timeout: 10_000, interval: 20 }).catch(() => undefined); // a dead one that nobody waits for is there for ever
      await sim.control.release();
    },
    async write(path, content) {
      const file = resolve(home, hereText(path));
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, hereText(content));
    },
    say: (word, meaning) => void words.push([word, meaning]),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

function isGone(pid: number): boolean {
  try {
    return !process.kill(pid, 0);
  } catch {
    return true;
  }
}

/** Pages run at a time, and name the same port. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function shim(port: number): string {
  return `#!/bin/bash
[ -n "$ONEVAULT_DOCS_PROCESS" ] && exec '${process.execPath}' '${BIN}' "$@"
case " $* " in ${OWN_PROCESS.map((words) => `*" ${words} "*`).join(' | ')}) exec '${process.execPath}' '${BIN}' "$@" ;; esac
exec 8>&1 9>&2 {line}<>/dev/tcp/127.0.0.1/${port} || exit 99
{ printf '%s\\0' "$$" "$PWD" "$#" "$@"; env -0; printf '\\0'; } >&"$line"
read -r code <&"$line" || code='the resident command is gone'
[[ $code =~ ^[0-9]+$ ]] || { echo "$code"; exit 98; }
exit "$code"
`;
}

async function startResident(scope: Scope, env: Readonly<Record<string, string>>, cwd: string): Promise<number> {
  const child = spawn(process.execPath, [RESIDENT], { env, cwd, stdio: ['pipe', 'pipe', 'inherit'] });
  scope.defer(() => ended(child, () => child.kill('SIGKILL')));
  for await (const line of createInterface({ input: child.stdout })) return Number(line);
  throw new Error('the resident command ended before it listened');
}

/** One bash for the whole page, so that what is exported on it stays exported. Answers come on descriptor 3. */
function startBash(scope: Scope, env: Readonly<Record<string, string>>, cwd: string): { send(line: string): Promise<number | undefined> } {
  const child = spawn('bash', ['--norc', '-o', 'pipefail'], { env, cwd, detached: true, stdio: ['pipe', 'ignore', 'inherit', 'pipe'] });
  scope.defer(() => ended(child, () => process.kill(-(child.pid ?? 0), 'SIGKILL')));
  const answers = createInterface({ input: child.stdio[3] as NodeJS.ReadableStream });
  return {
    send: (line) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve(undefined), 150_000);
        answers.once('line', (answer) => {
          clearTimeout(timer);
          resolve(Number(answer));
        });
        child.stdin?.write(`${line}\nprintf '%s\\n' "$?" >&3\n`);
      }),
  };
}

async function ended(child: ChildProcess, end: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('close', resolve));
  end();
  child.stdin?.destroy();
  await gone;
}
