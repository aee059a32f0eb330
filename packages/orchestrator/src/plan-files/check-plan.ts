import { type CallOptions, isAbort, serializeError } from '@onevault/base';
import { JobError } from '../errors.ts';
import { checkRestore } from '../restore-checks/check-restore.ts';
import { planRestore } from '../restore-plan.ts';
import type { CheckedEntry, CheckedPlan, PlanDeps, PlanEntry, ResolvedPlan } from './plan-model.ts';
import { type PlanNeed, planSpace } from './plan-space.ts';
import { findStanding } from './standing-vms.ts';

export interface CheckPlanOptions extends CallOptions {
  /** Told of each VM as it is looked at. */
  readonly onChecked?: (checked: CheckedEntry) => void;
}

/** What each VM of the plan would become: what is in its way, and whether an earlier run of the plan has it already; and whether all have room. Changes nothing. */
export async function checkPlan(deps: PlanDeps, plan: ResolvedPlan, options: CheckPlanOptions = {}): Promise<CheckedPlan> {
  const names = new Set(plan.entries.map(({ request }) => request.name));
  const { standing, others } = await findStanding(deps.cloud, plan.name, names, options);
  const vms: CheckedEntry[] = [];
  const needs: PlanNeed[] = [];
  for (const entry of plan.entries) {
    const there = standing.get(entry.request.name);
    const checked = there === undefined ? await checkEntry(deps, entry, others, needs, options) : { ...nothingOf(entry), presentAs: there.vm.id };
    vms.push(checked);
    options.onChecked?.(checked);
  }
  return { vms, findings: planSpace(needs, await deps.cloud.datastores(options)) };
}

/** A VM of that name is there, and no run of this plan made it. */
export function nameTaken({ request }: PlanEntry): JobError {
  return new JobError({
    code: 'JOB_NAME_TAKEN',
    message: `there is a VM '${request.name}' already, and it is not of this plan`,
    details: { name: request.name },
    hint: 'choose a name, a prefix or a suffix; what a run that died left of it goes with onevault recover or onevault cleanup',
  });
}

async function checkEntry(deps: PlanDeps, entry: PlanEntry, others: ReadonlySet<string>, needs: PlanNeed[], options: CallOptions): Promise<CheckedEntry> {
  try {
    if (others.has(entry.request.name)) throw nameTaken(entry);
    const plan = await planRestore(deps, entry.request, options);
    needs.push(...plan.images.map(({ spec: { datastore, sizeMiB } }) => ({ datastore, sizeMiB })));
    return { ...nothingOf(entry), checks: await checkRestore(deps, plan, entry.request, options) };
  } catch (error) {
    if (isAbort(error)) throw error;
    return { ...nothingOf(entry), error: serializeError(error) };
  }
}

function nothingOf(entry: PlanEntry): CheckedEntry {
  return { entry, presentAs: undefined, checks: undefined, error: undefined };
}
