import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { errorCode } from '@onevault/base';
import { SimError } from './errors.ts';

/** One simulator per directory: a socket that the kernel closes with its process, so that a kill leaves no lock behind. */
export async function lockDirectory(dir: string): Promise<AsyncDisposable> {
  const hash = createHash('sha256').update(resolve(dir)).digest('hex').slice(0, 24);
  const path = join(tmpdir(), `onevault-sim-${hash}.sock`);
  for (let attempt = 0; ; attempt++) {
    try {
      return disposable(await listen(path), path);
    } catch (error) {
      if (errorCode(error) !== 'EADDRINUSE' || attempt > 0 || (await isAlive(path))) {
        throw busy(dir, error);
      }
      await rm(path, { force: true });
    }
  }
}

function listen(path: string): Promise<Server> {
  return new Promise((resolveWith, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen(path, () => resolveWith(server));
  });
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolveWith) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolveWith(true);
    });
    socket.once('error', () => resolveWith(false));
  });
}

function disposable(server: Server, path: string): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolveWith) => server.close(() => resolveWith()));
      await rm(path, { force: true });
    },
  };
}

function busy(dir: string, cause: unknown): SimError {
  return new SimError({ code: 'SIM_DIR_BUSY', message: `another simulator uses ${dir}`, cause, hint: 'stop it, or use another directory' });
}
