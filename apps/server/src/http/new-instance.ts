import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Logger } from '@onevault/base';
import fastify, { type FastifyInstance } from 'fastify';
import type { HttpLimits } from './http-settings.ts';
import type { TlsPair } from './tls-files.ts';

export interface InstanceSettings {
  readonly limits: HttpLimits;
  readonly tls: TlsPair | undefined;
  readonly trustedProxies: readonly string[] | undefined;
  readonly logger: Logger;
}

const MAX_HEADER_BYTES = 16 * 1024;
const MAX_HEADERS = 100;
/** How soon a slow request is found out. */
const LOOK_EVERY_MS = 1_000;

/** A fastify that takes JSON and nothing else, and gives nobody time to be slow. */
export function newInstance({ limits, tls, trustedProxies, logger }: InstanceSettings): FastifyInstance {
  const server = { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: limits.headersMs, connectionsCheckingInterval: LOOK_EVERY_MS };
  const options = {
    logger: false,
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    trustProxy: trustedProxies === undefined ? false : [...trustedProxies],
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestMs,
    connectionTimeout: limits.idleSocketMs,
    keepAliveTimeout: 30_000,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    clientErrorHandler: (error: Error & { readonly code?: string }, socket: Socket) => refuseRaw(error, socket),
    routerOptions: { maxParamLength: 512 },
  } as const;
  const app = (tls === undefined ? fastify({ ...options, http: server }) : fastify({ ...options, https: { ...server, ...tls } })) as unknown as FastifyInstance;
  app.server.maxConnections = limits.connections;
  app.server.maxHeadersCount = MAX_HEADERS;
  app.server.on('drop', () => logger.warn({ connections: limits.connections }, 'a connection was refused: there are too many'));
  takeJsonOnly(app);
  return app;
}

function takeJsonOnly(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    // Clients say that they send JSON also where there is nothing to send.
    if (body === '') done(null, undefined);
    else void parse(request, body as string, done);
  });
}

const RAW_STATUSES: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** What is not even HTTP gets one line and no connection. */
function refuseRaw(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const status = RAW_STATUSES[error.code ?? ''] ?? '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}
