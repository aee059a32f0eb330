import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, isIPv4, type Server } from 'node:net';
import { errorCode } from '@onevault/base';
import { NbdError } from './errors.ts';

export type NbdAddress =
  | { readonly kind: 'unix'; readonly path: string }
  /** Port 0 takes a free one. */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** A `sockaddr_un` has this much room for a path on Linux; a longer one would be cut off without a word. */
const MAX_SOCKET_PATH_BYTES = 107;

/**
 * Binds `server`, and says where. A Unix socket is for its owner alone. Without TLS only loopback is bound, unless `insecure`: what is served is a whole disk of
 * somebody's VM. Throws NBD_LISTEN_FAILED, NBD_SOCKET_IN_USE, NBD_PLAINTEXT_REFUSED.
 */
export async function listen(server: Server, address: NbdAddress, security: { readonly tls: boolean; readonly insecure: boolean }): Promise<NbdAddress> {
  if (address.kind === 'unix') return listenUnix(server, address.path);
  const { host, port } = address;
  const ip = await resolve(host, port);
  if (!security.tls && !security.insecure && !isLoopback(ip))
    throw new NbdError({
      code: 'NBD_PLAINTEXT_REFUSED',
      message: `${host} can be reached from other machines, and there is no TLS`,
      details: { host, port },
      hint: 'give certificates, listen on loopback or on a Unix socket, or say that everybody may read the disk',
    });
  try {
    await bind(server, () => server.listen({ host: ip, port }));
  } catch (error) {
    throw listenFailed(`${host}:${port}`, { host, port }, error);
  }
  const bound = server.address();
  return { kind: 'tcp', host, port: typeof bound === 'object' && bound ? bound.port : port };
}

async function resolve(host: string, port: number): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw listenFailed(`${host}:${port}`, { host, port }, error);
  }
}

function isLoopback(ip: string): boolean {
  return isIPv4(ip) ? ip.startsWith('127.') : ip === '::1';
}

async function listenUnix(server: Server, path: string): Promise<NbdAddress> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) throw listenFailed(path, { path }, new Error(`the path has more than ${MAX_SOCKET_PATH_BYTES} bytes`));
  try {
    await bind(server, () => server.listen(path));
  } catch (error) {
    if (errorCode(error) !== 'EADDRINUSE') throw listenFailed(path, { path }, error);
    await removeStale(path);
    await bind(server, () => server.listen(path)).catch((again: unknown) => {
      throw listenFailed(path, { path }, again);
    });
  }
  await chmod(path, 0o600);
  return { kind: 'unix', path };
}

/** A socket that nobody listens on is what a server that was killed has left. Anything else is not ours to remove. */
async function removeStale(path: string): Promise<void> {
  const socket = (await lstat(path)).isSocket();
  if (!socket || (await answers(path)))
    throw new NbdError({
      code: 'NBD_SOCKET_IN_USE',
      message: socket ? `somebody else listens on ${path}` : `${path} is there, and no socket`,
      details: { path },
      hint: 'choose another path',
    });
  await unlink(path);
}

async function answers(path: string): Promise<boolean> {
  const probe = connect(path);
  try {
    await once(probe, 'connect');
    return true;
  } catch (error) {
    return errorCode(error) !== 'ECONNREFUSED';
  } finally {
    probe.destroy();
  }
}

async function bind(server: Server, start: () => void): Promise<void> {
  const bound = once(server, 'listening');
  start();
  await bound;
}

function listenFailed(where: string, details: { readonly path?: string; readonly host?: string; readonly port?: number }, cause: unknown): NbdError {
  return new NbdError({
    code: 'NBD_LISTEN_FAILED',
    message: `cannot listen on ${where}: ${cause instanceof Error ? cause.message : String(cause)}`,
    details,
    cause,
  });
}
