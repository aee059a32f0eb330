import { createServer, type Server } from 'node:net';
import { errorCode } from '@onevault/base';
import { NbdError } from '../errors.ts';

/**
 * One writer of a file, for all processes of the machine: a socket in Linux's abstract namespace, named by device and inode, which the kernel gives back in the
 * moment its process ends. Other machines that share the file, and other network namespaces, do not see it. Throws NBD_OVERLAY_IN_USE.
 */
export async function lockOverlay(path: string, file: { readonly dev: bigint; readonly ino: bigint }): Promise<AsyncDisposable> {
  const server = await bind(`\0onevault-overlay-${file.dev}-${file.ino}`);
  if (server) return { [Symbol.asyncDispose]: () => new Promise((resolve) => void server.close(() => resolve())) };
  throw new NbdError({
    code: 'NBD_OVERLAY_IN_USE',
    message: `another process writes to ${path}`,
    details: { path },
    hint: 'an overlay has one writer; stop the other server, or give this one a file of its own',
  });
}

/** Undefined while somebody else has it. */
function bind(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) => (errorCode(error) === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen(name, () => {
      server.unref(); // a lock is no reason to stay alive
      resolve(server);
    });
  });
}
