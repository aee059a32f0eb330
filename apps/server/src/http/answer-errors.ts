import { isAudited } from '@onevault/api';
import { type Logger, serializeError } from '@onevault/base';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ServerError } from '../errors.ts';
import type { AuditTrail } from './audit-trail.ts';
import { retryAfterOf, toProblem } from './problem.ts';
import { addressKey, type RateLimit } from './rate-limit.ts';
import { visitOf } from './visit.ts';

export interface ErrorDeps {
  readonly trail: AuditTrail;
  readonly logger: Logger;
  /** How many refusals of somebody nobody knows are written down, by address: their number is not for them to choose. */
  readonly unknown: RateLimit;
}

/** Every error leaves as problem+json; one of a call that belongs into the audit log is written there first. */
export function answerErrors(app: FastifyInstance, deps: ErrorDeps): void {
  const { logger } = deps;
  app.setErrorHandler(async (error, request, reply) => send(await noted(error, request, deps), request, reply, logger));
  app.setNotFoundHandler(async (request, reply) =>
    send(
      new ServerError({ code: 'SERVER_NOT_FOUND', message: 'there is nothing at this address', hint: 'The API is described at /api/v1/openapi.json' }),
      request,
      reply,
      logger,
    ),
  );
}

/** The error, or the one of the audit log that could not take it. */
async function noted(error: unknown, request: FastifyRequest, { trail, logger, unknown }: ErrorDeps): Promise<unknown> {
  const visit = visitOf(request);
  if (visit.operation === undefined || !isAudited(visit.operation)) return error;
  const { status, code } = toProblem(error, visit.requestId, true);
  // Who is over a limit is asked to wait; a record of each would be a way to fill the disk.
  if (status === 429) return error;
  try {
    if (visit.caller === undefined) unknown.take(addressKey(visit.address));
    await trail.note(visit, visit.operation, { outcome: status >= 500 ? 'failed' : 'refused', status, code });
    return error;
  } catch (auditError) {
    if (auditError instanceof ServerError) return auditError;
    logger.error({ requestId: visit.requestId, error: serializeError(error) }, 'a refused call could not be written into the audit log');
    return auditError;
  }
}

function send(error: unknown, request: FastifyRequest, reply: FastifyReply, logger: Logger): FastifyReply {
  const problem = toProblem(error, request.id, visitOf(request).caller !== undefined);
  if (problem.status >= 500) logger.error({ requestId: request.id, error: serializeError(error) }, 'a request failed');
  const retryAfterS = retryAfterOf(error, problem.status);
  if (retryAfterS !== undefined) void reply.header('retry-after', String(retryAfterS));
  // What is left of a body that nobody wanted is not read, and is no next request either.
  if (!request.raw.complete) void reply.header('connection', 'close');
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer');
  return reply.code(problem.status).type('application/problem+json').header('cache-control', 'no-store').send(JSON.stringify(problem));
}
