import type { Operation } from '@onevault/api';
import type { FastifyRequest } from 'fastify';
import type { AccessCaller } from '../access/access-caller.ts';

/** What is known of a request so far. */
export interface Visit {
  readonly requestId: string;
  readonly address: string;
  /** Undefined for what is no operation. */
  readonly operation: Operation | undefined;
  caller: AccessCaller | undefined;
  /** As they came; checked ones once they are. */
  params: Readonly<Record<string, unknown>> | undefined;
  /** Checked. */
  body: unknown;
}

const visits = new WeakMap<FastifyRequest, Visit>();

export function visitOf(request: FastifyRequest): Visit {
  const known = visits.get(request);
  if (known !== undefined) return known;
  const { operation } = (request.routeOptions.config ?? {}) as { readonly operation?: Operation };
  const params = request.params as Visit['params'];
  const visit: Visit = { requestId: request.id, address: request.ip, operation, caller: undefined, params, body: undefined };
  visits.set(request, visit);
  return visit;
}
