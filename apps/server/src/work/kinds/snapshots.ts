import { ownVmOf } from '@onevault/composition';
import type { VmId } from '@onevault/one-client';
import { type ControlDeps, createSnapshotSet, deleteSnapshots, type PruneReport, pruneSnapshots, revertSnapshots, undoSwap } from '@onevault/orchestrator';
import { parseDuration, type SnapshotPolicy } from '@onevault/policies';
import type { RunOutcome } from '@onevault/run-queue';
import { type RequestOf, undoRequest } from '../../requests/restore-requests.ts';
import { createSetRequest, deleteSetRequest, revertRequest } from '../../requests/vm-requests.ts';
import { betweenCommands } from '../policy-commands.ts';
import type { RunJob } from '../run-job.ts';
import { doneOrDegraded } from '../run-outcome.ts';

export async function runSnapshotCreate(job: RunJob, request: RequestOf<'snapshot-create'>): Promise<RunOutcome> {
  const { place, ledger, context, policy, signal } = job;
  return betweenCommands({ ...place, ledger, run: context.run }, policy, { signal }, () => takeSnapshots(job, request));
}

async function takeSnapshots(job: RunJob, request: RequestOf<'snapshot-create'>): Promise<RunOutcome> {
  const policy = job.policy?.kind === 'snapshot' ? job.policy : undefined;
  await using deps = await job.openControl();
  await using _lock = await job.lockVm(deps.cloud, request.vmId);
  const wanted = createSetRequest(request);
  const report = await createSnapshotSet(
    deps,
    policy === undefined || wanted.label !== undefined ? wanted : { ...wanted, label: labelOf(policy) },
    job.options,
  );
  if (policy === undefined) return doneOrDegraded(report, job, report.residue);
  const { sets } = await prune(job, deps, wanted.vmId, policy);
  const stayed = sets.filter(({ outcome }) => outcome === 'failed' || outcome === 'impossible');
  for (const { set, error, refusals } of stayed)
    job.ledger.warn('SNAPSHOT_NOT_PRUNED', `set ${set.name} stays: ${error?.message ?? refusals.map(({ text }) => text).join('; ')}`);
  return doneOrDegraded({ ...report, pruned: sets.map(({ set, outcome }) => ({ setId: set.setId, outcome })) }, job, report.residue, stayed.length);
}

/** What sets of a policy are called: nobody calls theirs so by chance, and one policy never prunes what another one took. */
function labelOf({ name }: SnapshotPolicy): string {
  return `policy-${name}`;
}

function prune(job: RunJob, deps: ControlDeps, id: VmId, policy: SnapshotPolicy): Promise<PruneReport> {
  const { keep, maxAge } = policy;
  const rules = { label: labelOf(policy), ...(keep !== undefined && { keep }), ...(maxAge !== undefined && { maxAgeMs: parseDuration(maxAge) }) };
  return pruneSnapshots(deps, { vmId: id, policy: rules, dryRun: false }, job.options);
}

export async function runSnapshotRevert(job: RunJob, request: RequestOf<'snapshot-revert'>): Promise<RunOutcome> {
  await using deps = await job.openControl();
  await using _lock = await job.lockVm(deps.cloud, request.vmId);
  const report = await revertSnapshots(deps, revertRequest(request, await ownVm(job, deps)), job.options);
  return doneOrDegraded(report, job, report.residue);
}

export async function runSnapshotDelete(job: RunJob, request: RequestOf<'snapshot-delete'>): Promise<RunOutcome> {
  await using deps = await job.openControl();
  await using _lock = await job.lockVm(deps.cloud, request.vmId);
  const report = await deleteSnapshots(deps, deleteSetRequest(request), job.options);
  return doneOrDegraded(report, job, report.residue);
}

export async function runUndo(job: RunJob, request: RequestOf<'undo'>): Promise<RunOutcome> {
  await using deps = await job.openControl();
  await using _lock = await job.lockVm(deps.cloud, request.vmId);
  const report = await undoSwap(deps, undoRequest(request, await ownVm(job, deps)), job.options);
  return doneOrDegraded(report, job, report.residue);
}

/** Which cannot be stopped from inside. */
function ownVm(job: RunJob, { cloud }: ControlDeps): Promise<VmId | undefined> {
  return ownVmOf(job.place.settings, cloud, job.options);
}
