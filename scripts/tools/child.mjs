import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

/** A failure that is explained by its message alone: printed without a stack. */
export class TaskError extends Error {
  name = 'TaskError';
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs a program to its end with our stdio (or with its output collected) and passes signals on to it.
 * Resolves with its exit code, or 128 + signal as a shell would say; never rejects for a code.
 */
export function run(command, args, options = {}) {
  const { collect = false, env = process.env, cwd } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: collect ? ['ignore', 'pipe', 'pipe'] : 'inherit' });
    const output = [];
    child.stdout?.on('data', (chunk) => output.push(chunk));
    child.stderr?.on('data', (chunk) => output.push(chunk));
    const stopForwarding = forwardSignals(child);
    child.on('error', (cause) => {
      stopForwarding();
      reject(new TaskError(`${command} could not be started: ${cause.message}`));
    });
    child.on('close', (code, signal) => {
      stopForwarding();
      resolve({ code: code ?? 128 + (constants.signals[signal] ?? 0), signal, output: Buffer.concat(output).toString() });
    });
  });
}

/** The frame of a script: a failure that explains itself is printed without a stack. */
export async function main(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

/** Like `run`, for a step whose failure ends the task: the collected output is shown only then. */
export async function runStep(command, args, options = {}) {
  const result = await run(command, args, { ...options, collect: true });
  if (result.code === 0) return result.output;
  process.stderr.write(`\n${result.output}`);
  if (result.signal !== null) dieOf(result.signal);
  throw new TaskError(`${[command, ...args].join(' ')} ended with exit code ${result.code}`);
}

/** Ends this process the way its child ended, so that a shell or CI sees the same. */
export function endLike({ code, signal }) {
  if (signal !== null) dieOf(signal);
  process.exitCode = code;
}

function dieOf(signal) {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

function forwardSignals(child) {
  const handlers = SIGNALS.map((signal) => {
    // A Ctrl-C is given by the terminal to every process of the foreground group. Passing it on as well would make it two,
    // and the second one means "leave at once".
    const handler = () => void (signal === 'SIGINT' && inForegroundOfTerminal() ? undefined : child.kill(signal));
    process.on(signal, handler);
    return [signal, handler];
  });
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
}

/** Whether our process group is the one the controlling terminal sends its signals to (proc(5): fields 5 and 8 of stat). */
function inForegroundOfTerminal() {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return foreground === group;
  } catch {
    return process.stdin.isTTY === true; // no procfs: not Linux
  }
}
