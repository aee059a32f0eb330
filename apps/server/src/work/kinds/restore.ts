import { pointVm } from '@onevault/composition';
import { vmId } from '@onevault/one-client';
import { restoreInPlace, restoreVm } from '@onevault/orchestrator';
import type { RunOutcome } from '@onevault/run-queue';
import { pointOfNobody } from '../../requests/request-errors.ts';
import { inPlaceRequest, type RequestOf, restoreRequest } from '../../requests/restore-requests.ts';
import { networksAs } from '../requester.ts';
import type { RunJob } from '../run-job.ts';
import { doneOrDegraded } from '../run-outcome.ts';

export async function runRestore(job: RunJob, request: RequestOf<'restore'>): Promise<RunOutcome> {
  const { owner } = job.order;
  await using jobs = await job.openJobs();
  const cloud = owner === undefined ? jobs.cloud : await networksAs(jobs.cloud, owner, job.options);
  const deps = { ...jobs, cloud };
  const wanted = await restoreRequest(cloud, request, job.options);
  const report = await restoreVm(deps, { ...wanted, ...job.scanning, ownership: { ...wanted.ownership, ...owner } }, job.options);
  const notGiven = report.notes.filter(({ code }) => code === 'OWNERSHIP_NOT_GIVEN').length;
  return doneOrDegraded(report, job, report.residue, notGiven);
}

export async function runInPlace(job: RunJob, request: RequestOf<'restore-in-place'>): Promise<RunOutcome> {
  await using deps = await job.openJobs();
  const { id } = pointVm(await deps.repository.point(request.pointId, job.options));
  if (id === undefined) throw pointOfNobody(request.pointId);
  await using _lock = await job.lockVm(deps.cloud, id);
  const report = await restoreInPlace(deps, { ...inPlaceRequest(request, vmId(id)), ...job.scanning }, job.options);
  return doneOrDegraded(report, job, report.residue);
}
