import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';
import { main } from '../../src/main.ts';

export interface Ran {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

export interface CommandProcess {
  readonly ran: Promise<Ran>;
  signal(name: NodeJS.Signals): void;
  /** What stderr holds so far. */
  err(): string;
}

/** The whole command line in this process: what main sees of a process is the test's. */
export function startMain(args: readonly string[], env: Readonly<Record<string, string>>): CommandProcess {
  const written = { out: '', err: '' };
  const stream = (key: 'out' | 'err'): Writable =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        written[key] += chunk.toString();
        done();
      },
    });
  const signals = new EventEmitter();
  const ran = new Promise<Ran>((resolve, reject) => {
    const host = Object.assign(signals, {
      argv: ['node', 'onevault', ...args],
      env: { HOME: '/nowhere', ...env },
      cwd: () => '/',
      getuid: () => 1000,
      stdout: stream('out'),
      stderr: stream('err'),
      stdin: stream('out'),
      exit: (code: number) => resolve({ exit: code, ...written }),
    });
    void main(host as unknown as NodeJS.Process).catch(reject);
  });
  return { ran, signal: (name) => void signals.emit(name), err: () => written.err };
}

export function runMain(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ran> {
  return startMain(args, env).ran;
}
