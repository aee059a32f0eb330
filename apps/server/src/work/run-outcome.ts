import { serializeError } from '@onevault/base';
import type { JsonObject, RunOutcome } from '@onevault/run-queue';
import type { RunJob } from './run-job.ts';
import { plain } from './run-ledger.ts';

/** As a run is told that did what it should; what is still in the cloud and should not be makes it degraded. */
export function doneOrDegraded(report: object, job: RunJob, residue: readonly string[], flaws = 0): RunOutcome {
  return { state: residue.length > 0 || flaws > 0 ? 'degraded' : 'succeeded', report: reportOf(report, job) };
}

/** The workflow's report, with what was told on the way: a run's row is all that is kept of it in the end. */
function reportOf(report: object, job: RunJob): JsonObject {
  const { warnings } = job.ledger.ledger;
  return plain({ ...report, ...(warnings.length > 0 && { told: warnings }) });
}

/** As the CLI tells it: the first failure, not the clean-up that it made necessary. */
export function failureOf(error: unknown): JsonObject {
  const primary = error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
  const { code = 'SERVER_INTERNAL', message, hint, details } = serializeError(primary);
  return JSON.parse(JSON.stringify({ code, message, hint, details }));
}
