import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { isAbort } from '@onevault/base';
import { startSimulator } from '@onevault/one-sim';
import type { CommandContext } from '../command-context.ts';
import { CliError, usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { parseTimes } from './sim-arguments.ts';
import { exportLines, findPlace, notePlace, placeOf, type SimPlace } from './sim-place.ts';

export interface StartFlags {
  readonly dir: string;
  readonly port: string;
  readonly opennebula?: string;
  readonly times?: string;
  readonly background?: boolean;
}

export async function start(context: CommandContext, flags: StartFlags): Promise<ExitCode> {
  if (flags.background === true) return await startInBackground(context, flags);
  const { output, signal, clock, around, compose } = context;
  const dir = resolve(around.cwd, flags.dir);
  const port = Number(flags.port);
  if (!/^\d+$/.test(flags.port) || port > 65535) throw usageError(`port '${flags.port}'`);
  await using simulator = await startSimulator({
    dir,
    port,
    ...(flags.opennebula !== undefined && { version: flags.opennebula }),
    ...(flags.times !== undefined && { times: parseTimes(flags.times) }),
  });
  const place = await placeOf(simulator);
  await notePlace(dir, place, compose.journals());
  tellPlace(context, place);
  output.note('simulated OpenNebula, listening on the loopback only; Ctrl-C stops it, its state stays in the directory');
  await clock.sleep(FOREVER_MS, { signal }).catch((error: unknown) => {
    if (!isAbort(error)) throw error;
  });
  return EXIT.ok;
}

/** The longest a timer can be; nobody simulates for 24 days. */
const FOREVER_MS = 2 ** 31 - 1;

function tellPlace({ output }: CommandContext, place: SimPlace): void {
  for (const line of exportLines(place)) output.line(line);
  output.document('sim.started', place);
}

const STARTED_WITHIN_MS = 30_000;

async function startInBackground(context: CommandContext, flags: StartFlags): Promise<ExitCode> {
  const { clock, signal, around, compose } = context;
  const dir = resolve(around.cwd, flags.dir);
  const script = process.argv[1];
  if (script === undefined) throw new TypeError('the command does not know its own path');
  const args = ['sim', 'start', '--dir', dir, '--port', flags.port];
  if (flags.opennebula !== undefined) args.push('--opennebula', flags.opennebula);
  if (flags.times !== undefined) args.push('--times', flags.times);
  const child = spawn(process.execPath, [script, ...args], { detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  const said: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
  const ended = new Promise<void>((done) => void child.once('exit', () => done()));
  const deadline = clock.monotonicMs() + STARTED_WITHIN_MS;
  for (;;) {
    const place = await findPlace(dir, compose.journals());
    if (place !== undefined && place.pid === child.pid) {
      child.stderr.destroy();
      child.unref();
      tellPlace(context, place);
      return EXIT.ok;
    }
    if (child.exitCode !== null || clock.monotonicMs() > deadline) {
      child.kill();
      await ended;
      throw new CliError({ code: 'CLI_SIM_FAILED', message: `the simulator did not start: ${said.join('').trim() || 'it said nothing'}`, details: { dir } });
    }
    await clock.sleep(50, { signal });
  }
}

export async function stop({ around, compose, output, clock, signal }: CommandContext, directory: string): Promise<ExitCode> {
  const dir = resolve(around.cwd, directory);
  const place = await findPlace(dir, compose.journals());
  if (place === undefined) throw new CliError({ code: 'CLI_SIM_FAILED', message: `no simulator is running in ${dir}`, details: { dir } });
  process.kill(place.pid, 'SIGTERM');
  while ((await findPlace(dir, compose.journals()))?.pid === place.pid) await clock.sleep(20, { signal });
  output.note(`stopped the simulator in ${dir}; sim start takes it up again`);
  output.document('sim.stopped', { dir });
  return EXIT.ok;
}
