import { fits, type Selector, type VmFacts } from './selector.ts';

/** Which VMs a policy is for. Any entry of a list is enough; exclusion wins. */
export interface Selection {
  readonly include: readonly Selector[];
  readonly exclude: readonly Selector[];
}

/** With it the VM's owner takes it out of every policy, from the VM's own side: any value but NO; the value is the reason. */
export const OPT_OUT_ATTRIBUTE = 'ONEVAULT_EXCLUDE';

export type Verdict =
  /** `by` is the entry that decided. */
  | { readonly verdict: 'selected'; readonly by: string }
  | { readonly verdict: 'excluded'; readonly by: string; readonly reason: string }
  | { readonly verdict: 'opted-out'; readonly reason: string }
  | { readonly verdict: 'not-selected' };

/** Whether the policy is for a VM, and why. */
export function judgeVm({ include, exclude }: Selection, vm: VmFacts): Verdict {
  const included = include.find((selector) => fits(selector, vm));
  if (included === undefined) return { verdict: 'not-selected' };
  if (vm.servesAs !== undefined) return { verdict: 'excluded', by: 'onevault', reason: vm.servesAs };
  const reason = optOutReason(vm);
  if (reason !== undefined) return { verdict: 'opted-out', reason };
  const excluded = exclude.find((selector) => fits(selector, vm));
  if (excluded !== undefined) return { verdict: 'excluded', by: excluded.text, reason: `the policy excludes ${excluded.text}` };
  return { verdict: 'selected', by: included.text };
}

/** Why the VM's owner wants no backups of it; undefined when nothing was said. */
export function optOutReason(vm: VmFacts): string | undefined {
  const value = vm.attributes[OPT_OUT_ATTRIBUTE]?.trim();
  if (value === undefined || value === '' || /^no$/i.test(value)) return undefined;
  return /^yes$/i.test(value) ? `${OPT_OUT_ATTRIBUTE} is set on the VM` : value;
}
