import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { errorCode } from '@onevault/base';
import { programMissing } from './appliance-errors.ts';

export interface FishProcess {
  /** How it ended, for people. */
  readonly ended: Promise<string>;
  write(bytes: Buffer): void;
  onOutput(take: (chunk: Buffer) => void): void;
  onSaid(take: (chunk: Buffer) => void): void;
  /** Ends it and every process it has started; resolves when it is gone. */
  kill(): Promise<void>;
}

/** No shell, no arguments that somebody else chose, an environment of our choice. Throws FILES_LIBGUESTFS_MISSING. */
export async function startProcess(directory: string, environment: Readonly<Record<string, string | undefined>>): Promise<FishProcess> {
  const [setpriv, guestfish] = [await findProgram('setpriv', environment), await findProgram('guestfish', environment)];
  // Its own session: the micro-VM and libguestfs's watcher die with it by one signal, and a terminal's ^C reaches us alone.
  // The kernel ends it when we are killed: it would wait for ever for somebody to read its output; libguestfs's watcher then ends the micro-VM.
  const child = spawn(setpriv, ['--pdeathsig', 'KILL', '--', guestfish], {
    cwd: directory,
    env: childEnvironment(directory, environment),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  await started(child);
  child.stdin.on('error', () => undefined); // the end of the process says what there is to say
  let over = false;
  const ended = new Promise<string>((resolve) => {
    child.once('close', (code, signal) => {
      over = true;
      resolve(signal === null ? `guestfish ended with ${code}` : `guestfish was ended by ${signal}`);
    });
  });
  return {
    ended,
    write: (bytes) => void child.stdin.write(bytes),
    onOutput: (take) => void child.stdout.on('data', take),
    onSaid: (take) => void child.stderr.on('data', take),
    async kill() {
      if (!over && child.pid !== undefined) killGroup(child.pid);
      await ended;
    },
  };
}

function started(child: ChildProcessWithoutNullStreams): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
}

async function findProgram(name: 'guestfish' | 'setpriv', environment: Readonly<Record<string, string | undefined>>): Promise<string> {
  for (const directory of (environment['PATH'] ?? '').split(delimiter)) {
    if (directory === '') continue;
    const path = join(directory, name);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  throw programMissing(name);
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

/**
 * What libguestfs is to know: PATH, its own variables and supermin's. Everything it makes lies in our directory, which goes with the session, but for the
 * appliance, which it keeps in /var/tmp. `direct` is qemu as our child; libvirt, the default of some distributions, would be a daemon's child.
 */
function childEnvironment(directory: string, environment: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  const own = Object.entries(environment).filter(([name]) => /^(LIBGUESTFS|SUPERMIN)_/.test(name) && !/^LIBGUESTFS_(DEBUG|TRACE)$/.test(name));
  return {
    PATH: environment['PATH'],
    LIBGUESTFS_BACKEND: 'direct',
    LIBGUESTFS_TMPDIR: directory,
    ...Object.fromEntries(own),
    HOME: directory,
    XDG_RUNTIME_DIR: directory,
    LC_ALL: 'C',
  };
}
