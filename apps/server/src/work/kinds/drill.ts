import { commandProbes } from '@onevault/composition';
import { drillVm } from '@onevault/orchestrator';
import type { RunOutcome } from '@onevault/run-queue';
import type { RequestOf } from '../../requests/restore-requests.ts';
import { isWorthAnotherTry } from '../retryable.ts';
import type { RunJob } from '../run-job.ts';
import { doneOrDegraded } from '../run-outcome.ts';

/** As the CLI has it: longer than a boot loader that finds no disk takes to give up, and so long the guest has. */
const RUNNING_SECONDS = 60;
const LIMIT_MS = 10 * 60_000;

/** Restores to a throw-away VM without network, waits until its guest has run for a while, and takes it away. */
export async function runDrill(job: RunJob, { pointId }: RequestOf<'drill'>): Promise<RunOutcome> {
  const { env, clock } = job.place;
  await using deps = await job.openJobs();
  const report = await drillVm(
    { ...deps, probes: commandProbes({ env, clock }) },
    {
      pointId,
      signs: [{ kind: 'running', seconds: RUNNING_SECONDS }],
      need: 'all',
      limitMs: LIMIT_MS,
      network: 'none',
      verify: false,
      ...job.scanning,
    },
    job.options,
  );
  if (report.failure === undefined) return doneOrDegraded(report, job, report.residue, report.recordId === undefined ? 1 : 0);
  const { stage, error } = report.failure;
  const { code = 'SERVER_DRILL_FAILED', message, hint } = error;
  const failure = { code, message: `the drill of ${report.vmName} failed at ${stage}: ${message}`, ...(hint !== undefined && { hint }) };
  return { state: 'failed', failure, retry: stage !== 'life' && isWorthAnotherTry(Object.assign(new Error(message), { code })) };
}
