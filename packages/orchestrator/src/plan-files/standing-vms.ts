import type { CallOptions } from '@onevault/base';
import { isDone, type OneApi, type Vm } from '@onevault/one-client';
import { text } from '../attributes.ts';
import { unlessGone } from '../cloud/gone.ts';
import { RUN_MARK, STATE_MARK } from '../names.ts';

/** Attributes of every VM that a plan makes: they say which plan, and which of its VMs it is. */
export const PLAN_MARK = 'ONEVAULT_PLAN';
export const PLAN_VM_MARK = 'ONEVAULT_PLAN_VM';

/** A VM that a run of the plan has restored, whole and meant to stay. */
export interface StandingVm {
  readonly vm: Vm;
  readonly runId: string;
}

/**
 * What earlier runs of the plan have left off: the cloud itself remembers it, in marks on the VMs, so that nothing else can be lost or disagree. Bodies are
 * read of VMs with these names only. `others`: names that somebody else's VM has.
 */
export async function findStanding(
  cloud: OneApi,
  plan: string,
  names: ReadonlySet<string>,
  options: CallOptions,
): Promise<{ readonly standing: ReadonlyMap<string, StandingVm>; readonly others: ReadonlySet<string> }> {
  const standing = new Map<string, StandingVm>();
  const others = new Set<string>();
  for await (const summary of cloud.vms(options)) {
    if (!names.has(summary.name)) continue;
    const vm = await unlessGone(cloud.vm(summary.id, options)); // listings leave most of USER_TEMPLATE out
    if (vm === undefined || isDone(vm)) continue;
    const runId = text(vm.userTemplate[RUN_MARK]);
    const isOurs = text(vm.userTemplate[PLAN_MARK]) === plan && text(vm.userTemplate[STATE_MARK]) === 'RESTORED' && runId !== undefined;
    if (isOurs) standing.set(vm.name, { vm, runId });
    else others.add(vm.name);
  }
  return { standing, others };
}
