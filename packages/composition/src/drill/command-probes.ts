import { type ChildProcess, spawn } from 'node:child_process';
import type { CallOptions, Clock } from '@onevault/base';
import type { ProbeCommand, ProbeEnd, ProbePort } from '@onevault/orchestrator';
import { CompositionError } from '../errors.ts';

const OUTPUT_CHARS = 2000;
/** From a kind word to the last one. */
const GRACE_MS = 2000;

/** When a program has ended, what it said is there. A child that it left behind may hold its output open for ever. */
const DRAIN_MS = 1000;

/** What a probe prints is kept as evidence, and it has no use for our secrets: DATABASE_URL and PGPASSWORD hold the one of PostgreSQL. */
const WITHHELD = /^(?:ONEVAULT_|AWS_|PG|ONE_AUTH$|DATABASE_URL$)/;

/** Probes as processes here, each a process group of its own, so that what it started ends with it. `env`: ours, of which they see all but our settings. */
export function commandProbes(deps: { readonly env: Readonly<Record<string, string | undefined>>; readonly clock: Clock }): ProbePort {
  return { run: (command, options = {}) => runProbe(deps, command, options) };
}

async function runProbe(
  { env, clock }: { readonly env: Readonly<Record<string, string | undefined>>; readonly clock: Clock },
  { argv, env: facts, timeoutMs }: ProbeCommand,
  { signal }: CallOptions,
): Promise<ProbeEnd> {
  signal?.throwIfAborted();
  const [program = '', ...rest] = argv;
  const seen = Object.fromEntries(Object.entries(env).filter(([name]) => !WITHHELD.test(name)));
  const child = spawn(program, rest, { env: { ...seen, ...facts }, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let output = '';
  const collect = (bytes: Buffer): void => {
    output = (output + bytes.toString('utf8')).slice(-OUTPUT_CHARS);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const over = new AbortController();
  const ended = exitOf(child, clock).finally(() => over.abort());
  const late = new AbortController();
  const timer = clock.sleep(timeoutMs, { signal: over.signal }).then(
    () => late.abort(),
    () => undefined,
  );
  const stop = AbortSignal.any([late.signal, ...(signal === undefined ? [] : [signal])]);
  const stopped = stop.aborted ? endGroup(child, clock, over.signal) : undefined;
  stop.addEventListener('abort', () => void endGroup(child, clock, over.signal), { once: true });
  try {
    const exitCode = await ended;
    return { exitCode: stop.aborted ? undefined : exitCode, output: output.trim() };
  } finally {
    // What it started may have outlived a kind word to it.
    if (stop.aborted) signalGroup(child, 'SIGKILL');
    await Promise.all([timer, stopped]);
    signal?.throwIfAborted();
  }
}

/** Resolves when the program has ended and its output is read, or nobody but a child that it left behind has more to say. */
function exitOf(child: ChildProcess, clock: Clock): Promise<number | undefined> {
  const closed = new AbortController();
  return new Promise((resolve, reject) => {
    child.once('error', (cause) =>
      reject(
        new CompositionError({
          code: 'CLI_PROBE_FAILED',
          message: `the probe ${child.spawnfile} cannot be started: ${cause.message}`,
          hint: 'name a program that can be run here: --probe PROGRAM, its arguments with --probe-arg',
          cause,
        }),
      ),
    );
    child.once('close', (code) => {
      closed.abort();
      resolve(code ?? undefined);
    });
    child.once('exit', () => {
      void clock.sleep(DRAIN_MS, { signal: closed.signal }).then(
        () => {
          signalGroup(child, 'SIGKILL'); // what it started ends with it
          for (const output of [child.stdout, child.stderr]) output?.destroy();
        },
        () => undefined,
      );
    });
  });
}

async function endGroup(child: ChildProcess, clock: Clock, over: AbortSignal): Promise<void> {
  signalGroup(child, 'SIGTERM');
  await clock.sleep(GRACE_MS, { signal: over }).then(
    () => signalGroup(child, 'SIGKILL'),
    () => undefined,
  );
}

function signalGroup({ pid }: ChildProcess, name: 'SIGTERM' | 'SIGKILL'): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch {
    // it has ended by itself
  }
}
