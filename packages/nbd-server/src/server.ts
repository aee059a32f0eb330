import { setMaxListeners } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { type Clock, type Logger, silentLogger } from '@onevault/base';
import { BufferPool } from './buffer-pool.ts';
import { type ConnectionTiming, serveConnection } from './connection.ts';
import { NbdError } from './errors.ts';
import type { ExportDirectory } from './export.ts';
import { listen, type NbdAddress } from './listen.ts';
import { MAX_STRING_BYTES } from './protocol.ts';
import type { TlsSetup } from './tls.ts';
import type { TransmissionLimits } from './transmission.ts';

export interface NbdServerOptions extends ExportDirectory {
  readonly listen: NbdAddress;
  /** With it, nothing is answered before TLS. */
  readonly tls?: TlsSetup;
  /** Lets anybody who reaches a TCP address beyond loopback read without TLS. */
  readonly insecure?: boolean;
  readonly timing?: Partial<ConnectionTiming>;
  readonly limits?: Partial<NbdServerLimits>;
  /** Aborting it shuts the server down, as disposing does. */
  readonly signal?: AbortSignal;
}

export interface NbdServerLimits extends TransmissionLimits {
  /** One more is dropped at once. */
  readonly maxConnections: number;
}

export interface NbdServer extends AsyncDisposable {
  /** Where it listens, with the port that it got. */
  readonly address: NbdAddress;
  readonly connections: number;
  /** Resolves when everything has ended: no client is left and the socket is gone. Disposing begins that, too. */
  readonly closed: Promise<void>;
}

/** Half of a character outside the basic plane: it has no UTF-8. */
const UNPAIRED = /\p{Surrogate}/u;
const LIMITS: NbdServerLimits = { maxConnections: 32, maxRequests: 64, maxDataBytes: 4 * 1024 * 1024 };
const TIMING: ConnectionTiming = { handshakeMs: 30_000, shutdownMs: 10_000 };

/**
 * Serves the exports until it is disposed or `signal` is aborted. Then it takes no new client and no new request, answers what is under way (as long as
 * `timing.shutdownMs` allows), and closes. The exports are the caller's to close after that. Throws NBD_EXPORT_NAME and what `listen` throws.
 *
 * Memory: `maxConnections * maxDataBytes` (128 MiB) for data on its way, on top of what the exports hold; a single request may be larger, up to 32 MiB, when the
 * client has not asked for structured replies or writes.
 */
export async function serveNbd(options: NbdServerOptions, deps: { readonly clock: Clock; readonly logger?: Logger }): Promise<NbdServer> {
  checkNames(options);
  options.signal?.throwIfAborted();
  const logger = deps.logger ?? silentLogger;
  const limits = { ...LIMITS, ...options.limits };
  const timing = { ...TIMING, ...options.timing };
  const pool = new BufferPool();
  const stopped = new AbortController();
  setMaxListeners(0, stopped.signal); // every connection listens
  const clients = new Set<Promise<void>>();
  const server = createServer((socket: Socket) => {
    // Whatever breaks a socket before somebody listens must not break the process.
    socket.on('error', () => undefined);
    if (clients.size >= limits.maxConnections || stopped.signal.aborted) return socket.destroy();
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    const { tls } = options;
    const client = serveConnection(socket, {
      directory: options,
      ...(tls ? { tls } : {}),
      timing,
      limits,
      pool,
      clock: deps.clock,
      logger,
      stop: stopped.signal,
    });
    clients.add(client);
    void client.finally(() => clients.delete(client));
  });
  const address = await listen(server, options.listen, { tls: options.tls !== undefined, insecure: options.insecure ?? false });
  server.on('error', (error) => logger.warn({ error: error.message }, 'could not take a connection'));
  const closed = new Promise<void>((resolve) => server.once('close', resolve));
  const stop = (): void => {
    if (stopped.signal.aborted) return;
    stopped.abort();
    server.close();
  };
  options.signal?.addEventListener('abort', stop, { once: true });
  if (options.signal?.aborted) stop();
  const close = async (): Promise<void> => {
    options.signal?.removeEventListener('abort', stop);
    stop();
    await closed;
    await Promise.all(clients);
  };
  return {
    address,
    get connections() {
      return clients.size;
    },
    closed,
    [Symbol.asyncDispose]: close,
  };
}

function checkNames({ exports, defaultName }: ExportDirectory): void {
  for (const exportName of exports.keys()) {
    if (Buffer.byteLength(exportName) <= MAX_STRING_BYTES && !exportName.includes('\0') && !UNPAIRED.test(exportName)) continue;
    throw new NbdError({
      code: 'NBD_EXPORT_NAME',
      message: 'the name of an export is longer than the protocol allows, or no text',
      details: { exportName },
      hint: `at most ${MAX_STRING_BYTES} bytes, without NUL`,
    });
  }
  if (defaultName !== undefined && !exports.has(defaultName)) throw new RangeError(`there is no export ${defaultName} to be the default`);
}
