import { spawn } from 'node:child_process';
import { constants, open } from 'node:fs';
import { Socket } from 'node:net';
import { promisify } from 'node:util';

const openDescriptor = promisify(open);

/**
 * A named pipe for what guestfish writes to a file. Its standard output cannot take that: Node gives children sockets, and a socket cannot be opened by
 * its name in /dev. Node has no mkfifo of its own.
 */
export async function makeFifo(path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = spawn('mkfifo', ['-m', '600', path], { stdio: 'ignore' });
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`mkfifo ${path} ended with ${code}`))));
  });
}

/** The reading end. Opening does not wait for a writer; the stream ends when the last writer that came has closed. */
export async function openFifo(path: string): Promise<Socket> {
  const fd = await openDescriptor(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return new Socket({ fd, readable: true, writable: false });
}
