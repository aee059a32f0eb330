import { type CallOptions, errorCode } from '@onevault/base';
import { isRunning, VM_STATE, type Vm, type VmId } from '@onevault/one-client';
import type { StopChoice } from '../cloud/power-state.ts';
import { assertStillThere, type DiskTarget, revertDisk } from '../cloud/revert-disk.ts';
import { lastSeq } from '../cloud/vm-past.ts';
import { settled } from '../cloud/when-free.ts';
import type { ControlDeps } from '../ports.ts';
import type { DiskSnapshotReport, SnapshotReport } from '../report.ts';
import { inRun, type Owned, type Run } from '../run.ts';
import { stopForRun } from '../stop-vm.ts';
import { checkLabel } from './create-set.ts';
import { lookAt } from './look.ts';
import { orphanMode } from './orphan-mode.ts';
import { type CreateLimits, planCreate } from './plan-create.ts';
import { planRevert, type RevertLimits, type RevertPlan } from './plan-revert.ts';
import { type SnapshotNote, type SnapshotRefusal, snapshotRefused } from './refusal.ts';
import { revertIncomplete } from './revert-incomplete.ts';
import { type SelectedSnapshots, type SnapshotChoice, selectSnapshots } from './select-snapshots.ts';
import { displayName } from './set-name.ts';
import { readSnapshots } from './snapshot-set.ts';
import { Standings } from './standing.ts';
import { type SetInHand, takeSet } from './take-set.ts';

export interface RevertRequest extends SnapshotChoice, RevertLimits {
  readonly vmId: VmId;
  readonly stop: StopChoice;
  /** Take a set of the same disks first, once the VM is down, to which one can go back. */
  readonly snapshotFirst?: CreateLimits & { readonly label?: string };
  /** The VM this runs in, which cannot be stopped from inside. */
  readonly ownVm?: VmId;
}

interface RevertJob {
  readonly run: Run;
  readonly vm: Vm;
  readonly selected: SelectedSnapshots;
  readonly plan: RevertPlan;
  readonly request: RevertRequest;
  readonly options: CallOptions;
}

/**
 * Takes disks of a VM back to snapshots: stops the VM if it runs, reverts one disk after another, and brings it back to what it was, however that went.
 * Can be cancelled until the first disk; from there the rest follows, since a VM with half its disks of another time helps nobody.
 */
export async function revertSnapshots(deps: ControlDeps, request: RevertRequest, options: CallOptions = {}): Promise<SnapshotReport> {
  if (request.snapshotFirst) checkLabel(request.snapshotFirst.label);
  const { vm, version } = await lookAt(deps, request.vmId, 'revert', options);
  const selected = selectSnapshots(readSnapshots(vm), request);
  const plan = planRevert(vm, version, selected, request, request.ownVm);
  const safety = planSafety(vm, version, plan, request);
  const refusals = [...plan.refusals, ...safety.refusals];
  if (refusals.length > 0) throw snapshotRefused(vm, `revert to '${selected.name}'`, refusals);
  const facts = { kind: 'snapshot', about: `revert of VM ${vm.id} ${vm.name} to ${selected.name}` } as const;
  const whole = { ...plan, notes: [...plan.notes, ...safety.notes] };
  return inRun(deps, facts, options, (run) => revert({ run, vm, selected, plan: whole, request, options }));
}

/** Judged before the VM is stopped for it, as it will be then. On a LINEAR driver the revert itself would drop it again. */
function planSafety(
  vm: Vm,
  version: string,
  plan: RevertPlan,
  request: RevertRequest,
): { refusals: readonly SnapshotRefusal[]; notes: readonly SnapshotNote[] } {
  if (request.snapshotFirst === undefined) return { refusals: [], notes: [] };
  const stopped: Vm = { ...vm, state: VM_STATE.POWEROFF, lcmState: 0 };
  const disks = plan.targets.map(({ disk }) => Number(disk.diskId));
  const { refusals, notes } = planCreate(stopped, version, request.snapshotFirst, disks);
  const dropped = plan.targets.filter(({ disk }) => orphanMode(vm, disk) === 'LINEAR');
  const text = 'its storage driver drops younger snapshots when it reverts: a set taken first would be gone';
  return {
    refusals: [
      // What stands against the VM itself the revert's own plan has said already.
      ...refusals.filter(({ code, diskId }) => diskId !== undefined || !plan.refusals.some((known) => known.code === code)),
      ...dropped.map(({ disk }): SnapshotRefusal => ({ code: 'SNAPSHOT_DROPS_YOUNGER', diskId: disk.diskId, text, remedy: 'leave out --snapshot-first' })),
    ],
    notes,
  };
}

async function revert(job: RevertJob): Promise<SnapshotReport> {
  const { run, vm, selected, plan, request, options } = job;
  const startedMs = run.clock.monotonicMs();
  run.emit({ type: 'run.started', kind: 'snapshot', action: 'revert', vmId: vm.id, vmName: vm.name });
  for (const note of plan.notes) run.warn(note.code, note.message);
  const stopped = isRunning(vm) ? await stopForRun(run, vm, request.stop, options) : undefined;
  const downMs = run.clock.monotonicMs();
  const safety = await takeSafetySet(job);
  const now = await settled(run.cloud, vm.id, 'revert', options);
  for (const target of plan.targets) assertStillThere(now, target);
  options.signal?.throwIfAborted();
  const disks = await revertDisks(job, now, safety);
  await stopped?.undo();
  const down = run.elapsedMs(downMs);
  await run.unwind();
  return {
    kind: 'snapshot',
    action: 'revert',
    runId: run.id,
    vmId: vm.id,
    vmName: vm.name,
    sets: [{ setId: selected.set?.setId, name: selected.name }],
    disks,
    ...(safety && { safetySet: safety }),
    ...(stopped && { downMs: down }),
    notes: plan.notes,
    warnings: run.warnings,
    durationMs: run.elapsedMs(startedMs),
    residue: run.residue,
  };
}

/** The disks as they are now: kept whatever comes, once it is whole. */
async function takeSafetySet({ run, vm, plan, request, options }: RevertJob): Promise<SnapshotReport['safetySet']> {
  if (request.snapshotFirst === undefined) return undefined;
  const set: SetInHand = { owned: [], disks: [], takenMs: [] };
  const now = await settled(run.cloud, vm.id, 'snapshot before the revert', options);
  const { label } = request.snapshotFirst;
  await takeSet(
    run,
    now,
    plan.targets.map(({ disk }) => disk),
    label,
    set,
    options,
  );
  await run.keep(set.owned);
  return { setId: run.id, name: displayName({ label, setId: run.id }) };
}

/** All or, when the process dies between two, all after `recover`; when a disk fails, those before it stay where they are and everybody is told. */
async function revertDisks(job: RevertJob, now: Vm, safety: SnapshotReport['safetySet']): Promise<DiskSnapshotReport[]> {
  const { run, plan } = job;
  const begun = await beginRevert(run, now, plan.targets);
  const standings = new Standings(
    plan.targets.map(({ disk, snapshot }) => ({ diskId: disk.diskId, snapshotId: snapshot.id, snapshotName: snapshot.name ?? '' })),
  );
  const reports: DiskSnapshotReport[] = [];
  for (const [at, target] of plan.targets.entries()) {
    try {
      reports.push(await revertOne(run, target));
      standings.set(at, 'done');
    } catch (error) {
      standings.set(at, hasNotBegun(error) ? 'not-done' : 'unknown');
      await run.keep([begun]);
      if (standings.untouched) throw error;
      run.emit({ type: 'snapshot.standing', vmId: now.id, action: 'revert', disks: standings.all });
      throw revertIncomplete(now, job.selected, standings.all, safety, error);
    }
  }
  await run.keep([begun]);
  if (job.options.signal?.aborted === true) run.warn('REVERT_NOT_INTERRUPTED', 'the revert was finished before stopping: half of it would have been worse');
  return reports;
}

/** Nothing is called: from this record on a revert that died is finished, as long as the VM stands. */
function beginRevert(run: Run, vm: Vm, targets: readonly DiskTarget[]): Promise<Owned> {
  const disks = targets.map(({ disk, snapshot }) => ({
    diskId: Number(disk.diskId),
    imageId: Number(disk.imageId ?? -1),
    snapshotId: Number(snapshot.id),
    name: snapshot.name ?? '',
  }));
  return run.create({ kind: 'revert', vmId: vm.id, seq: lastSeq(vm), disks }, async () => vm.id);
}

async function revertOne(run: Run, target: DiskTarget): Promise<DiskSnapshotReport> {
  const { disk, snapshot } = target;
  const startedMs = run.clock.monotonicMs();
  const snapshotName = snapshot.name ?? '';
  const proof = await run.step('revert-snapshot', { diskId: disk.diskId, object: snapshotName }, () => revertDisk(run.cloud, target));
  return { diskId: disk.diskId, target: disk.target, snapshotId: snapshot.id, snapshotName, proof, durationMs: run.elapsedMs(startedMs) };
}

/** Both say of themselves that OpenNebula took the order; whatever else is thrown came before (twice-if-lost.ts). */
function hasNotBegun(error: unknown): boolean {
  const code = errorCode(error);
  return code !== 'JOB_EFFECT_MISSING' && code !== 'JOB_OUTCOME_UNKNOWN';
}
