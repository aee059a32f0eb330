import type { Socket } from 'node:net';
import { type Clock, isAbort, type Logger, serializeError } from '@onevault/base';
import type { BufferPool } from './buffer-pool.ts';
import { type ByteChannel, ChannelGone } from './byte-channel.ts';
import type { ExportDirectory } from './export.ts';
import { negotiate, type StartTls } from './negotiate.ts';
import { SocketChannel } from './socket-channel.ts';
import { secureSocket, type TlsSetup } from './tls.ts';
import { type TransmissionLimits, transmit } from './transmission.ts';

export interface ConnectionTiming {
  /** From the connection to the choice of an export, TLS included. */
  readonly handshakeMs: number;
  /** A connection on which nothing was asked or answered for this long is dropped. Absent: never, a guest may sleep. */
  readonly idleMs?: number;
  /** How long requests under way may take when the server shuts down. */
  readonly shutdownMs: number;
}

export interface ConnectionDeps {
  readonly directory: ExportDirectory;
  readonly tls?: TlsSetup;
  readonly timing: ConnectionTiming;
  readonly limits: TransmissionLimits;
  readonly pool: BufferPool;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Aborted when the server shuts down. */
  readonly stop: AbortSignal;
}

/** One client from its first byte to its last. Never rejects: whatever it does is its own affair, and one line in the log. */
export async function serveConnection(socket: Socket, deps: ConnectionDeps): Promise<void> {
  const { logger } = deps;
  const channel = new SocketChannel(socket);
  let over: ByteChannel = channel;
  try {
    const negotiated = await haggle(socket, channel, deps);
    if (typeof negotiated === 'string') return void logger.debug({ why: negotiated }, 'a client did not begin');
    over = negotiated.channel;
    logger.info({ export: negotiated.agreement.name }, 'a client reads');
    const why = await serve(over, negotiated, deps);
    logger.info({ export: negotiated.agreement.name, why }, 'a client is done');
  } catch (error) {
    if (!(error instanceof ChannelGone) && !isAbort(error)) logger.warn({ error: serializeError(error) }, 'a connection broke');
  } finally {
    await withTime(deps.clock, deps.timing.shutdownMs, over.end(), () => over.destroy());
    channel.destroy();
  }
}

function haggle(socket: Socket, channel: SocketChannel, deps: ConnectionDeps): ReturnType<typeof negotiate> {
  const { tls, clock, timing, directory, stop } = deps;
  const startTls: StartTls | undefined = tls && (() => overTls(socket, channel, tls));
  const haggling = negotiate(channel, directory, startTls, { signal: AbortSignal.any([stop, channel.gone]) });
  return withTime(clock, timing.handshakeMs, haggling, () => socket.destroy());
}

async function overTls(socket: Socket, plain: SocketChannel, tls: TlsSetup): Promise<ByteChannel> {
  plain.detach();
  return new SocketChannel(await secureSocket(socket, tls));
}

async function serve(channel: ByteChannel, { agreement }: { readonly agreement: Parameters<typeof transmit>[1] }, deps: ConnectionDeps): Promise<string> {
  const { clock, timing, limits, pool, logger, stop } = deps;
  const ended = new AbortController();
  let lastMs = clock.monotonicMs();
  const onActivity = (): void => {
    lastMs = clock.monotonicMs();
  };
  void watch(clock, timing, { stop, ended: ended.signal, lastMs: () => lastMs }, () => channel.destroy());
  try {
    return await transmit(channel, agreement, { limits, pool, logger, onActivity }, { signal: stop });
  } finally {
    ended.abort();
  }
}

interface Watched {
  readonly stop: AbortSignal;
  readonly ended: AbortSignal;
  readonly lastMs: () => number;
}

/** Drops a connection that is silent for too long, or that does not come to an end when it should. */
async function watch(clock: Clock, { idleMs, shutdownMs }: ConnectionTiming, { stop, ended, lastMs }: Watched, drop: () => void): Promise<void> {
  const stopping = new Promise<void>((resolve) => {
    if (stop.aborted) resolve();
    stop.addEventListener('abort', () => resolve(), { once: true, signal: ended });
  });
  const late = stopping.then(() => clock.sleep(shutdownMs, { signal: ended }));
  try {
    await (idleMs === undefined ? late : Promise.race([late, silence(clock, idleMs, ended, lastMs)]));
    drop();
  } catch {
    // It has ended by itself.
  }
}

async function silence(clock: Clock, idleMs: number, ended: AbortSignal, lastMs: () => number): Promise<void> {
  for (;;) {
    const leftMs = lastMs() + idleMs - clock.monotonicMs();
    if (leftMs <= 0) return;
    await clock.sleep(leftMs, { signal: ended });
  }
}

/** The work, or what it rejects with after `late` was called because it took too long. */
async function withTime<T>(clock: Clock, ms: number, work: Promise<T>, late: () => void): Promise<T> {
  const done = new AbortController();
  clock.sleep(ms, { signal: done.signal }).then(late, () => undefined);
  try {
    return await work;
  } finally {
    done.abort();
  }
}
