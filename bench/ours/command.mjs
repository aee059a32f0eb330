import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { runMeasured } from '../measure/run.mjs';

const BIN = fileURLToPath(new URL('../../apps/cli/bin/onevault.js', import.meta.url));

/** The built command on one repository, as a user runs it: what it needs of the environment is that. */
export function oursCommand(repository) {
  const env = { ONEVAULT_REPO: repository };
  return {
    run: (...args) => runMeasured(process.execPath, [BIN, ...args], { env }),
    /** Serves a disk of the newest restore point while `work` runs, which gets its URI. Throws when the server ends before. */
    async serving(disk, work) {
      const server = spawn(process.execPath, [BIN, 'nbd', 'serve', 'latest', '--disk', disk], {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = once(server, 'close');
      try {
        const uri = await Promise.race([readyUri(server.stdout), ended.then(([code]) => Promise.reject(new Error(`nbd serve ended with ${code}`)))]);
        return await work(uri, server.pid);
      } finally {
        server.kill('SIGTERM');
        await ended;
      }
    },
  };
}

async function readyUri(stdout) {
  for await (const line of createInterface({ input: stdout })) {
    const uri = /\buri=(\S+)/.exec(line)?.[1];
    if (uri !== undefined) return uri;
  }
  throw new Error('nbd serve never said where it listens');
}
