import type { CallOptions } from '@onevault/base';
import type { DiskId, Vm, VmId } from '@onevault/one-client';
import { JobError } from '../errors.ts';
import type { ControlDeps } from '../ports.ts';
import type { SnapshotReport } from '../report.ts';
import { inRun, type Run } from '../run.ts';
import { lookAt } from './look.ts';
import { type CreateLimits, type CreatePlan, planCreate } from './plan-create.ts';
import { snapshotRefused } from './refusal.ts';
import { displayName, isValidLabel } from './set-name.ts';
import { type SetInHand, takeSet } from './take-set.ts';

export interface CreateSetRequest extends CreateLimits {
  readonly vmId: VmId;
  /** What the set is called; default: `onevault-<set id>`. */
  readonly label?: string;
  /** Default: every disk that can have a snapshot. */
  readonly disks?: readonly DiskId[];
  /** When a disk fails, keep the snapshots of the others instead of taking them back. */
  readonly keepPartial: boolean;
}

/** Takes a snapshot of every disk, one after another, as one set: all of them or, unless `keepPartial`, none. */
export async function createSnapshotSet(deps: ControlDeps, request: CreateSetRequest, options: CallOptions = {}): Promise<SnapshotReport> {
  checkLabel(request.label);
  const { vm, version } = await lookAt(deps, request.vmId, 'snapshot', options);
  const plan = planCreate(vm, version, request, request.disks);
  if (plan.refusals.length > 0) throw snapshotRefused(vm, 'snapshot', plan.refusals);
  const facts = { kind: 'snapshot', about: `snapshot of VM ${vm.id} ${vm.name}` } as const;
  return inRun(deps, facts, options, (run) => create(run, vm, plan, request, options));
}

async function create(run: Run, vm: Vm, plan: CreatePlan, request: CreateSetRequest, options: CallOptions): Promise<SnapshotReport> {
  const startedMs = run.clock.monotonicMs();
  run.emit({ type: 'run.started', kind: 'snapshot', action: 'create', vmId: vm.id, vmName: vm.name });
  for (const note of plan.notes) run.warn(note.code, note.message);
  const set: SetInHand = { owned: [], disks: [], takenMs: [] };
  try {
    await takeSet(run, vm, plan.disks, request.label, set, options);
  } catch (error) {
    if (request.keepPartial && set.owned.length > 0) await keepWhatThereIs(run, vm, set);
    throw error;
  }
  await run.keep(set.owned);
  await run.unwind();
  return {
    kind: 'snapshot',
    action: 'create',
    runId: run.id,
    vmId: vm.id,
    vmName: vm.name,
    sets: [{ setId: run.id, name: displayName({ label: request.label, setId: run.id }) }],
    disks: set.disks,
    spreadMs: Math.round((set.takenMs.at(-1) ?? 0) - (set.takenMs[0] ?? 0)),
    notes: plan.notes,
    warnings: run.warnings,
    durationMs: run.elapsedMs(startedMs),
    residue: run.residue,
  };
}

async function keepWhatThereIs(run: Run, vm: Vm, set: SetInHand): Promise<void> {
  await run.keep(set.owned);
  const disks = set.disks.map(({ diskId }) => diskId).join(', ');
  run.warn('SNAPSHOT_SET_PARTIAL', `set ${run.id} of VM ${vm.id} is not whole: it has disk ${disks} only`);
}

/** Throws JOB_NAME_INVALID. */
export function checkLabel(label: string | undefined): void {
  if (label === undefined || isValidLabel(label)) return;
  throw new JobError({
    code: 'JOB_NAME_INVALID',
    message: `'${label}' cannot be the name of a snapshot set`,
    details: { name: label },
    hint: 'up to 64 characters, none of & | : \\ " ; / \' # { } $ < >, not latest, and not beginning with onevault-',
  });
}
