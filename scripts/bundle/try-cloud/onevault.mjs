import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));

/**
 * The command under test, and the libraries it is made of: in a bundle `bin/onevault` above `lib`, in the workspace `apps/cli/bin/onevault.js`.
 * Its repository, journal and locks are in `dir`.
 */
export function findOnevault(named, dir) {
  const candidates = named ? [named] : [join(HERE, '../../bin/onevault'), join(HERE, '../../../apps/cli/bin/onevault.js')];
  const command = candidates.find((path) => existsSync(path));
  if (!command) throw new Error(`there is no onevault at ${candidates.join(' or ')}`);
  const home = dirname(dirname(command));
  const root = existsSync(join(home, 'lib/package.json')) ? join(home, 'lib') : home;
  const require = createRequire(join(root, 'package.json'));
  const env = {
    ...process.env,
    ONEVAULT_REPO: join(dir, 'repository'),
    ONEVAULT_STATE_DIR: join(dir, 'state'),
    ONEVAULT_PROXY_VM: process.env.ONEVAULT_REAL_PROXY,
  };
  return {
    command,
    load: (name) => import(pathToFileURL(require.resolve(name)).href),
    run: (args, options) => runCommand(process.execPath, [command, ...args], env, options),
    shell: (line, options) => runCommand('/bin/sh', ['-c', line], process.env, options),
    /** The one document of `--json`. Throws unless the command ends with 0. */
    async document(args, options) {
      const { code, stdout, stderr } = await this.run([...args, '--json'], options);
      if (code !== 0) throw new Error(`onevault ${args.join(' ')} ended with ${code}: ${stderr.trim()}`);
      return JSON.parse(stdout.trim().split('\n').at(-1));
    },
  };
}

/** An abort is a SIGINT: the command takes back what it did, and is waited for. */
async function runCommand(file, args, env, { signal } = {}) {
  const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const interrupt = () => child.kill('SIGINT');
  signal?.addEventListener('abort', interrupt, { once: true });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk) => (stderr += chunk));
  try {
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status, name) => resolve(status ?? name));
    });
    signal?.throwIfAborted();
    return { code, stdout, stderr };
  } finally {
    signal?.removeEventListener('abort', interrupt);
  }
}
