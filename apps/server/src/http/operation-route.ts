import { Readable } from 'node:stream';
import { API_PREFIX, isAudited, type Operation, type StreamEvent } from '@onevault/api';
import { type Clock, type Logger, Scope } from '@onevault/base';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../access/access.ts';
import { NOBODY } from '../access/access-caller.ts';
import { SessionAnswer } from '../access/session-answer.ts';
import type { Call, FileAnswer, Handler } from '../ports/call.ts';
import { admit } from './admission.ts';
import type { AuditTrail } from './audit-trail.ts';
import { checkPart } from './check-request.ts';
import { sendEvents } from './event-stream.ts';
import type { HttpLimits, HttpSettings } from './http-settings.ts';
import { type IdempotentCalls, readIdempotencyKey } from './idempotency.ts';
import { linkedSignal } from './linked-signal.ts';
import { checkObjects, type ObjectDeps } from './object-rules.ts';
import type { RateLimit } from './rate-limit.ts';
import { checkAnswer, sendFile, sendJson } from './send-answer.ts';
import { sessionCookie } from './session-cookie.ts';
import type { StreamSlots } from './stream-slots.ts';
import { type Visit, visitOf } from './visit.ts';

export interface RouteDeps {
  readonly access: Access;
  readonly objects: ObjectDeps;
  readonly trail: AuditTrail;
  readonly settings: HttpSettings;
  readonly limits: HttpLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly idempotent: IdempotentCalls;
  readonly slots: StreamSlots;
  readonly perCaller: RateLimit;
  /** Aborted when the server ends. */
  readonly stopping: AbortSignal;
}

/** One operation of the API as a route: who, what, on what, then the handler, the audit log, and the answer. */
export function addOperation(app: FastifyInstance, operation: Operation, handler: Handler, deps: RouteDeps): void {
  app.route({
    method: operation.method.toUpperCase() as 'GET',
    url: `${API_PREFIX}${operation.path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
    bodyLimit: operation.bodyBytes ?? deps.limits.bodyBytes,
    config: { operation },
    onRequest: (request) => admit(request, operation, deps),
    handler: (request, reply) => answer(request, reply, operation, handler, deps),
  });
}

async function answer(request: FastifyRequest, reply: FastifyReply, operation: Operation, handler: Handler, deps: RouteDeps): Promise<FastifyReply> {
  const visit = visitOf(request);
  const params = checkPart('path', operation.params, request.params) as Record<string, unknown>;
  const query = checkPart('query', operation.query, request.query);
  visit.params = params;
  visit.body = checkPart('body', operation.body, request.body);
  if (visit.caller !== undefined) await checkObjects(operation, { params, body: visit.body }, visit.caller, deps.objects);
  if (isAudited(operation)) deps.trail.check();
  const idempotencyKey = operation.idempotent === true ? readIdempotencyKey(request.headers['idempotency-key']) : undefined;
  const lastEventId = request.headers['last-event-id'];
  await using scope = new Scope();
  const linked = scope.use(linkedSignal([deps.stopping, ...(visit.caller ? [visit.caller.ended] : [])]));
  reply.raw.once('close', linked.abort);
  const call: Call = {
    caller: visit.caller ?? NOBODY,
    params,
    query,
    body: visit.body,
    signal: linked.signal,
    address: visit.address,
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(typeof lastEventId === 'string' && { lastEventId }),
  };
  if ('events' in operation.answer) return await stream(request, reply, operation.answer, () => handler(call as Call<never, never, never>), call.signal, deps);
  const work = async (): Promise<unknown> => handler(call as Call<never, never, never>);
  const { answer: given, isReplay } =
    idempotencyKey === undefined ? { answer: await work(), isReplay: false } : await onceOnly(visit, operation, idempotencyKey, work, deps);
  if ('file' in operation.answer) await lastingAnswer(visit, reply, (given as FileAnswer).body, linked.signal, scope, deps);
  return conclude(request, reply, operation, given, isReplay, deps);
}

/** A file that is made while it is read takes as long as its reader likes: it counts as a stream, and breaks off with the session, the caller's rights or the server. */
async function lastingAnswer(
  { caller }: Visit,
  reply: FastifyReply,
  body: FileAnswer['body'],
  signal: AbortSignal,
  scope: Scope,
  deps: RouteDeps,
): Promise<void> {
  if (!(body instanceof Readable)) return;
  const { clock, limits, access } = deps;
  try {
    scope.use(deps.slots.take(caller?.userId ?? -1));
  } catch (error) {
    body.destroy();
    throw error;
  }
  const owned = scope.move();
  const breakOff = (): void => void body.destroy(new Error('who reads this may not read on, or has gone'));
  signal.addEventListener('abort', breakOff, { once: true });
  reply.raw.once('close', () => {
    body.destroy();
    void owned[Symbol.asyncDispose]();
  });
  void (async () => {
    while (!signal.aborted && !body.closed) {
      await clock.sleep(limits.heartbeatMs, { signal });
      if (caller !== undefined) await access.renew(caller);
    }
  })().catch(breakOff);
}

function onceOnly(
  visit: Visit,
  operation: Operation,
  key: string,
  work: () => Promise<unknown>,
  { idempotent }: RouteDeps,
): ReturnType<IdempotentCalls['once']> {
  const who = visit.caller?.token?.id ?? visit.caller?.userId ?? '';
  return idempotent.once(`${operation.id} ${who} ${key}`, visit.body, work);
}

/** Nothing of the answer leaves before the audit log has it. */
async function conclude(
  request: FastifyRequest,
  reply: FastifyReply,
  operation: Operation,
  given: unknown,
  isReplay: boolean,
  deps: RouteDeps,
): Promise<FastifyReply> {
  const { status } = operation.answer;
  const session = given instanceof SessionAnswer ? given : undefined;
  const body = checkAnswer(operation, session === undefined ? given : session.body, deps.logger);
  const runId = status === 202 ? (body as { readonly id: string }).id : undefined;
  if (isAudited(operation)) {
    const signedIn = session?.begun && (body as { readonly user: string }).user;
    await deps.trail.note(visitOf(request), operation, { outcome: 'ok', status, runId, signedIn, ...(isReplay && { replayed: true }) });
  }
  if (session !== undefined) void reply.header('set-cookie', sessionCookie(session.begun, request, deps.settings));
  if (runId !== undefined) void reply.header('location', `${API_PREFIX}/runs/${runId}`);
  if (isReplay) void reply.header('idempotency-replayed', 'true');
  if ('file' in operation.answer) return sendFile(reply, given as FileAnswer);
  return body === undefined ? reply.code(status).header('cache-control', 'no-store').send() : sendJson(request, reply, status, JSON.stringify(body));
}

async function stream(
  request: FastifyRequest,
  reply: FastifyReply,
  kind: Extract<Operation['answer'], { readonly events: unknown }>,
  begin: () => ReturnType<Handler>,
  signal: AbortSignal,
  deps: RouteDeps,
): Promise<FastifyReply> {
  const { caller } = visitOf(request);
  using _slot = deps.slots.take(caller?.userId ?? -1);
  const source = (await begin()) as AsyncIterable<StreamEvent>;
  const headers = reply.getHeaders();
  await sendEvents(source, reply.raw, {
    clock: deps.clock,
    schema: kind.events,
    headers,
    signal,
    heartbeatMs: deps.limits.heartbeatMs,
    onHeartbeat: async () => {
      if (caller !== undefined) await deps.access.renew(caller);
    },
  }).catch((error: unknown) => {
    if (!reply.raw.headersSent && !signal.aborted) throw error;
    if (!signal.aborted) deps.logger.warn({ requestId: request.id, error: String(error) }, 'an event stream broke off');
    reply.raw.destroy();
  });
  return reply.hijack();
}
