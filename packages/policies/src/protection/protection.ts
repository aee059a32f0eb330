import type { CompiledPolicy } from '../policy/compile-policy.ts';
import type { BackupPolicy } from '../policy/policy-schema.ts';
import { judgeVm, optOutReason } from '../select/select-vms.ts';
import type { VmFacts } from '../select/selector.ts';

/** What is known of a VM's restore points: of good ones only. */
export interface PointFacts {
  /** When the newest one's bytes were what they are, ms. */
  readonly capturedMs: number;
  readonly pointId: string;
  /** Name of the repository it is in. */
  readonly repository: string;
}

export type Protection =
  /** Every policy that selects the VM has a good restore point that is young enough; `oldestAllowedMs` is when the first of them runs out. */
  | { readonly state: 'protected'; readonly policies: readonly string[]; readonly newest: PointFacts; readonly untilMs: number }
  /** A policy's newest good restore point is older than its RPO; `policy` is the one that is worst off. */
  | { readonly state: 'out-of-rpo'; readonly policies: readonly string[]; readonly policy: string; readonly newest: PointFacts; readonly lateMs: number }
  /** There is none at all where a policy wants one (`policy`), or no policy is for the VM. */
  | { readonly state: 'unprotected'; readonly policies: readonly string[]; readonly policy?: string; readonly reason: 'no-policy' | 'no-restore-point' }
  | { readonly state: 'excluded'; readonly reason: string };

/** How a VM stands, from its restore points alone: what jobs say of themselves does not count. `newest` answers the newest good point in a repository. */
export function protectionOf(
  vm: VmFacts,
  policies: readonly CompiledPolicy<BackupPolicy>[],
  newest: (repository: string) => PointFacts | undefined,
  nowMs: number,
): Protection {
  if (vm.servesAs !== undefined) return { state: 'excluded', reason: vm.servesAs };
  const optOut = optOutReason(vm);
  if (optOut !== undefined) return { state: 'excluded', reason: optOut };
  const judged = policies.filter(({ policy }) => policy.enabled).map((compiled) => ({ compiled, verdict: judgeVm(compiled.selection, vm) }));
  const wanted = judged.filter(({ verdict }) => verdict.verdict === 'selected').map(({ compiled }) => compiled);
  if (wanted.length === 0) {
    const excluded = judged.flatMap(({ verdict }) => (verdict.verdict === 'excluded' ? [verdict.reason] : []));
    return excluded[0] === undefined ? { state: 'unprotected', policies: [], reason: 'no-policy' } : { state: 'excluded', reason: excluded[0] };
  }
  return worstOf(wanted, newest, nowMs);
}

function worstOf(wanted: readonly CompiledPolicy<BackupPolicy>[], newest: (repository: string) => PointFacts | undefined, nowMs: number): Protection {
  const names = wanted.map(({ policy }) => policy.name);
  let worst: { readonly policy: string; readonly newest: PointFacts; readonly untilMs: number } | undefined;
  for (const { policy, rpoMs } of wanted) {
    const point = newest(policy.repository);
    if (point === undefined) return { state: 'unprotected', policies: names, policy: policy.name, reason: 'no-restore-point' };
    const untilMs = point.capturedMs + rpoMs;
    if (worst === undefined || untilMs < worst.untilMs) worst = { policy: policy.name, newest: point, untilMs };
  }
  if (worst === undefined) return { state: 'unprotected', policies: names, reason: 'no-policy' };
  if (worst.untilMs >= nowMs) return { state: 'protected', policies: names, newest: worst.newest, untilMs: worst.untilMs };
  return { state: 'out-of-rpo', policies: names, policy: worst.policy, newest: worst.newest, lateMs: nowMs - worst.untilMs };
}
