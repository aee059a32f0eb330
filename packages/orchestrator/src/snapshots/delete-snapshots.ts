import { type CallOptions, errorCode } from '@onevault/base';
import type { Vm, VmId } from '@onevault/one-client';
import { type DeletedSnapshot, deleteSnapshotOf } from '../cloud/delete-snapshot.ts';
import { JobError } from '../errors.ts';
import type { DiskStanding } from '../events.ts';
import type { ControlDeps } from '../ports.ts';
import type { DiskSnapshotReport, SnapshotReport } from '../report.ts';
import { inRun, type Run } from '../run.ts';
import { lookAt } from './look.ts';
import { type DeletePlan, planDelete } from './plan-delete.ts';
import { type SnapshotRefusal, snapshotRefused } from './refusal.ts';
import { type SelectedSnapshots, type SnapshotChoice, selectSnapshots } from './select-snapshots.ts';
import { type DiskSnapshot, readSnapshots } from './snapshot-set.ts';
import { Standings, standingText } from './standing.ts';
import { vmRefusals } from './vm-checks.ts';

export interface DeleteRequest {
  readonly vmId: VmId;
  readonly snapshots: readonly SnapshotChoice[];
}

/** Deletes sets or single snapshots, children before what they stand on. Nothing is deleted when one of them cannot be. */
export async function deleteSnapshots(deps: ControlDeps, request: DeleteRequest, options: CallOptions = {}): Promise<SnapshotReport> {
  const { vm, version } = await lookAt(deps, request.vmId, 'deletion of snapshots', options);
  const all = readSnapshots(vm);
  const selected = request.snapshots.map((choice) => selectSnapshots(all, choice));
  const members = [...new Set(selected.flatMap((one) => one.members))];
  return await deleteMembers(deps, vm, version, selected, members, options);
}

/** The same for what was selected already. Throws JOB_SNAPSHOT_REFUSED before anything is done. */
export async function deleteMembers(
  deps: ControlDeps,
  vm: Vm,
  version: string,
  selected: readonly Pick<SelectedSnapshots, 'name' | 'set'>[],
  members: readonly DiskSnapshot[],
  options: CallOptions,
): Promise<SnapshotReport> {
  const plan = planDelete(vm, members);
  const refusals: SnapshotRefusal[] = [...vmRefusals(vm, version), ...plan.refusals];
  const names = [...new Set(selected.map(({ name }) => name))].join(', ');
  if (members.length === 0) refusals.push({ code: 'SNAPSHOT_NO_DISK', text: 'no snapshot is left to delete', remedy: 'choose other disks with --disk' });
  if (refusals.length > 0) throw snapshotRefused(vm, `deletion of '${names}'`, refusals);
  const facts = { kind: 'snapshot', about: `deletion of ${names} of VM ${vm.id} ${vm.name}` } as const;
  return inRun(deps, facts, options, async (run) => {
    const startedMs = run.clock.monotonicMs();
    run.emit({ type: 'run.started', kind: 'snapshot', action: 'delete', vmId: vm.id, vmName: vm.name });
    const disks = await deleteInOrder(run, vm, plan, names, options);
    await run.unwind();
    return {
      kind: 'snapshot',
      action: 'delete',
      runId: run.id,
      vmId: vm.id,
      vmName: vm.name,
      sets: selected.map(({ name, set }) => ({ setId: set?.setId, name })),
      disks,
      notes: [],
      warnings: run.warnings,
      durationMs: run.elapsedMs(startedMs),
      residue: run.residue,
    };
  });
}

async function deleteInOrder(run: Run, vm: Vm, plan: DeletePlan, names: string, options: CallOptions): Promise<DiskSnapshotReport[]> {
  const standings = new Standings(
    plan.steps.map(({ disk, snapshot }) => ({ diskId: disk.diskId, snapshotId: snapshot.id, snapshotName: snapshot.name ?? '' })),
  );
  const reports: DiskSnapshotReport[] = [];
  for (const [at, member] of plan.steps.entries()) {
    try {
      options.signal?.throwIfAborted();
      reports.push(await deleteOne(run, vm, member));
      standings.set(at, 'done');
    } catch (error) {
      const code = errorCode(error);
      if (code === 'JOB_EFFECT_MISSING' || code === 'JOB_OUTCOME_UNKNOWN') standings.set(at, 'unknown');
      if (at === 0) throw error;
      run.emit({ type: 'snapshot.standing', vmId: vm.id, action: 'delete', disks: standings.all });
      throw options.signal?.aborted === true ? error : deletionIncomplete(vm, names, standings.all, error);
    }
  }
  return reports;
}

async function deleteOne(run: Run, vm: Vm, member: DiskSnapshot): Promise<DiskSnapshotReport> {
  const { disk, snapshot } = member;
  const startedMs = run.clock.monotonicMs();
  const snapshotName = snapshot.name ?? '';
  const wanted: DeletedSnapshot = { vmId: vm.id, disk, snapshot };
  await run.step('delete-snapshot', { diskId: disk.diskId, object: snapshotName }, () =>
    deleteSnapshotOf(run.cloud, wanted, (now) => {
      const { refusals } = planDelete(now, [member]);
      if (refusals.length > 0) throw snapshotRefused(now, `deletion of '${snapshotName}'`, refusals);
    }),
  );
  return { diskId: disk.diskId, target: disk.target, snapshotId: snapshot.id, snapshotName, durationMs: run.elapsedMs(startedMs) };
}

const WORDS: Readonly<Record<DiskStanding['state'], string>> = { done: 'is deleted', 'not-done': 'is still there', unknown: 'may be either' };

function deletionIncomplete(vm: Vm, names: string, disks: readonly DiskStanding[], cause: unknown): JobError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new JobError({
    code: 'JOB_EFFECT_MISSING',
    message: `deletion of '${names}' of VM ${vm.id} '${vm.name}' stopped half-way: ${standingText(disks, WORDS)}: ${why}`,
    details: { vmId: vm.id, disks },
    hint: `onevault snapshot list ${vm.id} shows what is left; give the command again to go on`,
    cause,
  });
}
