import { type RunRequest, runSchemas } from '@onevault/api';
import { type Policy, parsePolicy } from '@onevault/policies';
import type { RunRecord } from '@onevault/run-queue';
import { ServerError } from '../errors.ts';
import { type WorkOrder, workOrderSchema } from '../ports/work-order.ts';

/** A run's work order, understood. */
export interface ReadOrder {
  readonly order: WorkOrder;
  readonly request: RunRequest;
  readonly policy: Policy | undefined;
}

/** Throws SERVER_ORDER_INVALID: the row was written by another version, or by somebody else. */
export function readOrder({ id, kind, request }: Pick<RunRecord, 'id' | 'kind' | 'request'>): ReadOrder {
  try {
    const order = workOrderSchema.parse(request);
    return { order, request: runSchemas.runRequest.parse(order.request), policy: order.policy === undefined ? undefined : parsePolicy(order.policy) };
  } catch (error) {
    throw notUnderstood(id, kind, error);
  }
}

function notUnderstood(runId: string, kind: string, cause: unknown): ServerError {
  return new ServerError({
    code: 'SERVER_ORDER_INVALID',
    message: `this worker does not understand what run ${runId} is to do (${kind.slice(0, 100)}): its order was written by another version`,
    details: { runId },
    hint: 'bring api and workers to one version, and ask for the run again',
    cause,
  });
}
