import { recoverRuns } from '@onevault/orchestrator';
import type { RunOutcome } from '@onevault/run-queue';
import type { RunJob } from '../run-job.ts';
import { doneOrDegraded } from '../run-outcome.ts';

/** Takes away what runs that died left, as the journals of this worker say; runs that the queue gives to somebody are cleaned up after by them. */
export async function runRecover(job: RunJob): Promise<RunOutcome> {
  await using deps = await job.compose.openRecovery(job.options);
  const report = await recoverRuns({ ...deps, journals: await job.place.inNobodysCare(deps.journals) }, job.options);
  const left = report.runs.flatMap((run) => run.left.map(({ label }) => label));
  return doneOrDegraded({ kind: 'recover', ...report }, job, left, report.cloudLost === undefined ? 0 : 1);
}
