import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectControl, type SimControl } from '@onevault/one-sim';

const BIN = fileURLToPath(new URL('../../apps/cli/bin/onevault.js', import.meta.url));

export interface Finished {
  /** Exit code, or the signal that ended it. */
  readonly exit: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command under way. */
export interface Running {
  readonly process: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Resolves when stdout holds a line that matches; rejects when the command ends before. */
  sees(pattern: RegExp): Promise<void>;
}

/** `onevault sim` as a process of its own, and the environment of a second shell: only what its stdout says to export, and a home of its own. */
export interface SecondShell extends AsyncDisposable {
  readonly dir: string;
  readonly control: SimControl;
  readonly repo: string;
  readonly env: Readonly<Record<string, string>>;
  /** Runs the built command to its end. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Finished>;
  start(args: readonly string[], env?: Readonly<Record<string, string>>): Running;
}

export async function openSecondShell(times = '0.2'): Promise<SecondShell> {
  if (!existsSync(fileURLToPath(new URL('../../apps/cli/dist/main.js', import.meta.url)))) throw new Error('the command is not built: run npm run build first');
  const dir = await mkdtemp(join(tmpdir(), 'onevault-e2e-'));
  const base = { PATH: process.env['PATH'] ?? '', HOME: dir };
  const server = startCommand(['sim', 'start', '--dir', join(dir, 'cloud'), '--times', times], base);
  await server.sees(/ONEVAULT_PROXY_ROOT/);
  const exported = Object.fromEntries([...server.stdout().matchAll(/^export (\w+)='([^']*)'$/gm)].map(([, name = '', value = '']) => [name, value]));
  const env = { ...base, ...exported, ONEVAULT_REPO: join(dir, 'repo'), ONEVAULT_STATE_DIR: join(dir, 'state') };
  return {
    dir,
    env,
    repo: env.ONEVAULT_REPO,
    control: connectControl(exported['ONE_XMLRPC'] ?? ''),
    run: (args, extra) => startCommand(args, { ...env, ...extra }).finished,
    start: (args, extra) => startCommand(args, { ...env, ...extra }),
    async [Symbol.asyncDispose]() {
      server.process.kill('SIGTERM');
      await server.finished;
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export async function runCommand(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Finished> {
  return await startCommand(args, { PATH: process.env['PATH'] ?? '', ...env }).finished;
}

export function startCommand(args: readonly string[], env: Readonly<Record<string, string>>): Running & { stdout(): string } {
  const child = spawn(process.execPath, [BIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const text = { stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text.stdout += chunk;
    for (const look of watchers) look();
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text.stderr += chunk;
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ exit: code ?? signal ?? 'SIGKILL', ...text }));
  });
  return {
    process: child,
    finished,
    stdout: () => text.stdout,
    sees: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!pattern.test(text.stdout)) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
        void finished.then(({ exit, stderr }) => reject(new Error(`onevault ${args.join(' ')} ended with ${exit} before ${pattern}: ${stderr}`)));
      }),
  };
}

/** The one document of `--json`. */
export function documentOf(finished: Finished): Record<string, unknown> {
  const lines = finished.stdout.trim().split('\n');
  if (lines.length !== 1) throw new Error(`--json printed ${lines.length} lines: ${finished.stdout}\n${finished.stderr}`);
  return JSON.parse(lines[0] ?? '') as Record<string, unknown>;
}

/** An auth file of its own, for a shell that uses other credentials. */
export async function writeAuth(dir: string, session: string): Promise<string> {
  const path = join(dir, `auth-${Buffer.from(session).toString('hex')}`);
  await writeFile(path, `${session}\n`);
  return path;
}
