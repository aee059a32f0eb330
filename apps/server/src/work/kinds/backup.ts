import { vmId } from '@onevault/one-client';
import { type BackupReport, type BackupRequest, backupVm, type JobDeps } from '@onevault/orchestrator';
import type { RunOutcome } from '@onevault/run-queue';
import type { RequestOf } from '../../requests/restore-requests.ts';
import { backupRequest } from '../../requests/vm-requests.ts';
import { excludedDisks } from '../excluded-disks.ts';
import { betweenCommands } from '../policy-commands.ts';
import type { RunJob } from '../run-job.ts';
import { doneOrDegraded } from '../run-outcome.ts';

export async function runBackup(job: RunJob, request: RequestOf<'backup'>): Promise<RunOutcome> {
  const { place, ledger, context, policy, signal } = job;
  const report = await betweenCommands({ ...place, ledger, run: context.run }, policy, { signal }, () => backUp(job, request));
  return doneOrDegraded(report, job, report.residue);
}

async function backUp(job: RunJob, request: RequestOf<'backup'>): Promise<BackupReport> {
  await using deps = await job.openJobs();
  await using _lock = await job.lockVm(deps.cloud, request.vmId);
  return await backupVm(deps, await wantedOf(job, deps, request), job.options);
}

/** What the request leaves open the policy says. */
async function wantedOf({ policy, scanning, options }: RunJob, { cloud }: JobDeps, request: RequestOf<'backup'>): Promise<BackupRequest> {
  const asked = { ...backupRequest(request), ...scanning };
  if (policy?.kind !== 'backup') return asked;
  const { excludeDisks, capture, name } = policy;
  const excluded = excludeDisks.length === 0 ? [] : excludedDisks(await cloud.vm(vmId(request.vmId), options), excludeDisks);
  return { ...asked, capture: request.capture ?? capture, excludeDisks: [...new Set([...asked.excludeDisks, ...excluded])], policy: name };
}
