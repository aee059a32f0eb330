import { runSchemas } from '@onevault/api';
import type { JsonObject, RunRecord, WaitsFor } from '@onevault/run-queue';
import { z } from 'zod';
import { workOrderSchema } from '../ports/work-order.ts';

const reason = z.object({ code: z.string(), text: z.string() });
/** What a worker keeps in the row of its run; what cannot be understood is as if it had said nothing. */
const ledger = z.object({
  disks: z.array(runSchemas.diskProgress).catch([]).default([]),
  steps: z
    .array(z.looseObject({ step: z.string(), startedAt: z.string(), outcome: z.enum(['running', 'done', 'failed']) }))
    .catch([])
    .default([]),
  warnings: z.array(reason).catch([]).default([]),
  residue: z.array(z.string()).catch([]).default([]),
});
const failure = z.looseObject({ code: z.string().optional(), message: z.string(), hint: z.string().optional() });

/** The request inside of a run's work order, as the API took it. */
export function requestOf(run: Pick<RunRecord, 'request'>): JsonObject {
  const order = workOrderSchema.safeParse(run.request);
  return order.success ? (order.data.request as unknown as JsonObject) : run.request;
}

/** A run as the API lists it. */
export function runView(run: RunRecord): object {
  const { disks, warnings, residue } = ledger.parse(run.progress);
  const told = failure.safeParse(run.failure);
  return {
    id: run.id,
    request: requestOf(run),
    state: run.state,
    origin: run.origin,
    ...(run.vmName !== undefined && { vmName: run.vmName }),
    queuedAt: run.queuedAt.toISOString(),
    ...(run.startedAt !== undefined && { startedAt: run.startedAt.toISOString() }),
    ...(run.endedAt !== undefined && { endedAt: run.endedAt.toISOString() }),
    attempt: Math.max(1, run.attempt),
    ...(run.worker !== undefined && { worker: run.worker }),
    ...waiting(run),
    progress: disks,
    warnings,
    residue,
    // Of an attempt that failed and is to come again, too.
    ...(told.success && { failure: { code: told.data.code, message: told.data.message, hint: told.data.hint } }),
  };
}

/** The same with its steps and the report of the workflow. */
export function runDetailView(run: RunRecord): object {
  const { steps } = ledger.parse(run.progress);
  return { ...runView(run), steps, ...(run.report !== undefined && { report: run.report }) };
}

/** Why it waits, or why it was not done. */
function waiting(run: RunRecord): object {
  const skipped = run.state === 'skipped' || run.state === 'cancelled' ? run.report?.['reason'] : undefined;
  const said = reason.safeParse(typeof skipped === 'string' ? { code: 'NOT_BEGUN_IN_TIME', text: skipped } : skipped);
  if (said.success) return { waitsFor: said.data };
  return run.waitsFor === undefined ? {} : { waitsFor: waitingReason(run.waitsFor, run.failure !== undefined) };
}

function waitingReason(waits: WaitsFor, isRetry: boolean): z.output<typeof reason> {
  switch (waits.code) {
    case 'time':
      return { code: isRetry ? 'WAITS_FOR_RETRY' : 'WAITS_FOR_TIME', text: `${isRetry ? 'tried again' : 'begun'} at ${waits.until.toISOString()}` };
    case 'clean-up':
      return {
        code: 'WAITS_FOR_CLEAN_UP',
        text: `what its worker left could not be taken away yet: tried again at ${waits.until.toISOString()}; why is in the events of the run`,
      };
    case 'turn':
      return { code: 'WAITS_FOR_TURN', text: 'all workers that could do it are at work' };
    case 'place':
      return { code: 'WAITS_FOR_PLACE', text: `as many runs as may are at work on ${waits.resource.replace(':', ' ')}` };
    case 'worker':
      return { code: 'WAITS_FOR_WORKER', text: `no worker that is alive reaches ${waits.reach.join(', ')}` };
  }
}
