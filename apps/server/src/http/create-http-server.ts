import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { API_PREFIX, OPERATIONS, openApiDocument } from '@onevault/api';
import type { Clock, Logger } from '@onevault/base';
import type { FastifyInstance } from 'fastify';
import type { Access } from '../access/access.ts';
import { ServerError } from '../errors.ts';
import type { Handler, HandlerTable } from '../ports/call.ts';
import { answerErrors } from './answer-errors.ts';
import { AuditTrail } from './audit-trail.ts';
import { addHealthRoutes, type ReadyCheck } from './health-routes.ts';
import { HTTP_LIMITS, type HttpLimits, type HttpSettings, isLoopback } from './http-settings.ts';
import { IdempotentCalls } from './idempotency.ts';
import { newInstance } from './new-instance.ts';
import type { ObjectDeps } from './object-rules.ts';
import { addOidcRoutes } from './oidc-routes.ts';
import { addOperation } from './operation-route.ts';
import { checkHost } from './origin.ts';
import { Pressure } from './pressure.ts';
import { addressKey, RateLimit } from './rate-limit.ts';
import { COMMON_HEADERS, DATA_POLICY, HSTS } from './security-headers.ts';
import { addStaticFiles } from './static-files.ts';
import { StreamSlots } from './stream-slots.ts';
import { readTlsFiles, reloadTls, watchTls } from './tls-files.ts';
import { visitOf } from './visit.ts';

export interface HttpServerDeps {
  readonly access: Access;
  readonly objects: ObjectDeps;
  /** Asked by /readyz, by name: `database`, `openNebula`. */
  readonly ready: Readonly<Record<string, ReadyCheck>>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly version: string;
}

export interface HttpServer extends AsyncDisposable {
  /** Where it listens. */
  readonly url: URL;
  /** On SIGHUP: certificate and key are read again. */
  reload(): Promise<void>;
}

/**
 * Listens with every operation of the API, the web UI, and what watches over a server asks. Throws SERVER_HANDLERS_INCOMPLETE when table and handlers do not agree,
 * SERVER_LISTEN_REFUSED for an address where it must not or cannot listen. Disposing it ends what is under way.
 */
export async function createHttpServer(deps: HttpServerDeps, handlers: HandlerTable, settings: HttpSettings): Promise<HttpServer> {
  checkTable(handlers);
  checkPlace(settings);
  const limits = { ...HTTP_LIMITS, ...settings.limits };
  const tls = settings.tls && (await readTlsFiles(settings.tls));
  const stopping = new AbortController();
  const app = newInstance({ limits, tls, trustedProxies: settings.trustedProxies, logger: deps.logger });
  try {
    await build(app, deps, handlers, settings, limits, stopping.signal);
    await listen(app, settings);
  } catch (error) {
    stopping.abort();
    await app.close();
    throw error;
  }
  const server = app.server as unknown as HttpsServer;
  if (settings.tls !== undefined) void watchTls(server, settings.tls, { clock: deps.clock, logger: deps.logger, signal: stopping.signal });
  return {
    url: urlOf(app.server.address() as AddressInfo, settings),
    reload: async () => {
      if (settings.tls !== undefined) await reloadTls(server, settings.tls, deps.logger);
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await app.close();
    },
  };
}

async function build(
  app: FastifyInstance,
  deps: HttpServerDeps,
  handlers: HandlerTable,
  settings: HttpSettings,
  limits: HttpLimits,
  stopping: AbortSignal,
): Promise<void> {
  const { access, objects, clock, logger } = deps;
  const trail = new AuditTrail({ audit: access.deps.audit, printableName: (typed) => access.signingIn.printableName(typed) });
  const unknown = new RateLimit(clock, limits.unknownPerMinute);
  answerErrors(app, { trail, logger, unknown });
  addGates(app, deps, settings, limits, stopping);
  const route = {
    access,
    objects,
    trail,
    settings,
    limits,
    clock,
    logger,
    stopping,
    idempotent: new IdempotentCalls(clock),
    slots: new StreamSlots({ perUser: limits.streamsPerUser, total: limits.streams }),
    perCaller: new RateLimit(clock, limits.perCallerPerMinute),
  };
  for (const operation of OPERATIONS) addOperation(app, operation, handlers[operation.id] as Handler, route);
  const document = JSON.stringify(openApiDocument(deps.version));
  app.get(`${API_PREFIX}/openapi.json`, (_request, reply) => reply.type('application/json; charset=utf-8').header('cache-control', 'no-cache').send(document));
  addHealthRoutes(app, deps.ready, clock);
  const { oidc } = access.deps;
  if (oidc !== undefined) addOidcRoutes(app, { access, oidc, settings, trail, unknown });
  const newNonce = (): string => Buffer.from(deps.randomBytes(16)).toString('base64');
  if (settings.webRoot !== undefined && !(await addStaticFiles(app, settings.webRoot, newNonce))) {
    logger.warn({ webRoot: settings.webRoot }, 'there is no web UI where it should be: only the API is served');
  }
}

/** What every request passes before its route looks at it. */
function addGates(app: FastifyInstance, deps: HttpServerDeps, settings: HttpSettings, limits: HttpLimits, stopping: AbortSignal): void {
  const { clock, logger } = deps;
  const perAddress = new RateLimit(clock, limits.perAddressPerMinute);
  const pressure = new Pressure();
  void pressure.watch(limits, stopping);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ ...COMMON_HEADERS, 'content-security-policy': DATA_POLICY, 'x-request-id': request.id });
    if (request.protocol === 'https') reply.header('strict-transport-security', HSTS);
    if ((request.routeOptions.config as { readonly unpressed?: boolean } | undefined)?.unpressed === true) return;
    checkHost(request, settings);
    perAddress.take(addressKey(request.ip));
    pressure.check();
  });
  app.addHook('onResponse', async (request, reply) => {
    const { operation, caller, address, requestId } = visitOf(request);
    const facts = {
      requestId,
      method: request.method,
      operation: operation?.id,
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      user: caller?.label,
      address,
    };
    logger[reply.statusCode >= 500 ? 'warn' : 'debug'](facts, 'answered');
  });
}

function checkTable(handlers: HandlerTable): void {
  const missing = OPERATIONS.filter(({ id }) => !Object.hasOwn(handlers, id)).map(({ id }) => id);
  const unknown = Object.keys(handlers).filter((id) => !OPERATIONS.some((operation) => operation.id === id));
  if (missing.length + unknown.length === 0) return;
  throw new ServerError({
    code: 'SERVER_HANDLERS_INCOMPLETE',
    message: `the handlers are not those of the API: missing ${missing.join(', ') || 'none'}; unknown ${unknown.join(', ') || 'none'}`,
    details: { missing, unknown },
  });
}

function checkPlace({ host, tls, insecure }: HttpSettings): void {
  if (isLoopback(host) || tls !== undefined || insecure === true) return;
  throw new ServerError({
    code: 'SERVER_LISTEN_REFUSED',
    message: `${host} can be reached by others, and without TLS they would read passwords`,
    hint: 'Give a certificate and its key (--tls-cert, --tls-key), listen on 127.0.0.1 behind a proxy with TLS, or say --insecure',
  });
}

async function listen(app: FastifyInstance, { host, port }: HttpSettings): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    throw notListening(host, port, cause);
  }
}

function notListening(host: string, port: number, cause: unknown): ServerError {
  return new ServerError({
    code: 'SERVER_LISTEN_REFUSED',
    message: `could not listen on ${host}, port ${port}: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: 'Another program may use the port: choose another one',
    cause,
  });
}

function urlOf({ address, family, port }: AddressInfo, settings: HttpSettings): URL {
  const host = family === 'IPv6' ? `[${address}]` : address;
  return new URL(`${settings.tls ? 'https' : 'http'}://${host}:${port}/`);
}
