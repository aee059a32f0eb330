import { type CallOptions, isAbort, serializeError } from '@onevault/base';
import { JobError } from '../errors.ts';
import { checkRestore } from '../restore-checks/check-restore.ts';
import { planRestore } from '../restore-plan.ts';
import type { CheckedEntry, PlanDeps, PlanEntry, ResolvedPlan } from './plan-model.ts';
import { findStanding } from './standing-vms.ts';

/** What each VM of the plan would become, by itself: what is in its way, and whether an earlier run of the plan has it already. Changes nothing. */
export async function* checkPlan(deps: PlanDeps, plan: ResolvedPlan, options: CallOptions = {}): AsyncGenerator<CheckedEntry, void> {
  const names = new Set(plan.entries.map(({ request }) => request.name));
  const { standing, others } = await findStanding(deps.cloud, plan.name, names, options);
  for (const entry of plan.entries) {
    const there = standing.get(entry.request.name);
    if (there !== undefined) yield { entry, presentAs: there.vm.id, checks: undefined, error: undefined };
    else if (others.has(entry.request.name)) yield { entry, presentAs: undefined, checks: undefined, error: serializeError(nameTaken(entry)) };
    else yield await checked(deps, entry, options);
  }
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

async function checked(deps: PlanDeps, entry: PlanEntry, options: CallOptions): Promise<CheckedEntry> {
  try {
    const checks = await checkRestore(deps, await planRestore(deps, entry.request, options), entry.request, options);
    return { entry, presentAs: undefined, checks, error: undefined };
  } catch (error) {
    if (isAbort(error)) throw error;
    return { entry, presentAs: undefined, checks: undefined, error: serializeError(error) };
  }
}
