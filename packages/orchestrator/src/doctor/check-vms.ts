import type { CallOptions } from '@onevault/base';
import type { OneApi, Vm, VmId } from '@onevault/one-client';
import { planBackup } from '../plan/plan-backup.ts';
import type { BackupPlan, Reason } from '../plan/plan-model.ts';
import type { Surroundings } from '../plan/surroundings.ts';
import { type Checked, type Finding, ok, trouble } from './finding.ts';

/** Names said for each problem; the others are counted. */
const NAMES = 5;

interface Problem {
  readonly verdict: 'warning' | 'problem';
  readonly reason: Reason;
  readonly vms: string[];
  count: number;
}

/** Plans a backup of every VM and says each kind of problem once, with the VMs that have it. Memory: one problem for each reason there is. */
export async function* checkVms(cloud: OneApi, proxyVm: VmId | undefined, surroundings: Surroundings, options: CallOptions): Checked {
  const problems = new Map<string, Problem>();
  const counts = { ok: 0, degraded: 0, impossible: 0 };
  for await (const vm of cloud.fullVms(options)) {
    if (vm.id === proxyVm) continue;
    const plan = planBackup(vm, { capture: 'auto', excludeDisks: [], ...(proxyVm !== undefined && { proxyVm }) }, surroundings);
    counts[plan.verdict] += 1;
    for (const { verdict, reason, where } of problemsOf(plan)) note(problems, verdict, reason, where);
  }
  for (const problem of problems.values()) yield findingOf(problem);
  const total = counts.ok + counts.degraded + counts.impossible;
  yield ok(
    'vms',
    'VMS_PLANNED',
    `${total} VMs`,
    `${counts.ok} can be backed up, ${counts.degraded} not as well as they should, ${counts.impossible} not at all`,
  );
}

function* problemsOf(plan: BackupPlan): Generator<{ verdict: Problem['verdict']; reason: Reason; where: string }, void> {
  const name = vmText(plan.vm);
  for (const reason of plan.reasons) yield { verdict: 'problem', reason, where: name };
  for (const { verdict, disk, reasons } of plan.disks) {
    if (verdict === 'skip') continue;
    const worst = verdict === 'refuse' ? 'problem' : 'warning';
    for (const reason of reasons) if (reason.remedy !== undefined) yield { verdict: worst, reason, where: `${name} disk ${disk.diskId}` };
  }
}

function note(problems: Map<string, Problem>, verdict: Problem['verdict'], reason: Reason, where: string): void {
  const key = `${verdict} ${reason.code} ${reason.remedy ?? ''}`;
  const known = problems.get(key) ?? { verdict, reason, vms: [], count: 0 };
  if (known.vms.length < NAMES) known.vms.push(where);
  known.count += 1;
  problems.set(key, known);
}

function findingOf({ verdict, reason, vms, count }: Problem): Finding {
  const subject = count > vms.length ? `${vms.join(', ')} and ${count - vms.length} more` : vms.join(', ');
  return trouble('vms', verdict, reason.code, subject, reason.text, reason.remedy ?? 'onevault plan VM says more');
}

function vmText({ id, name }: Vm): string {
  return `VM ${id} ${name}`;
}
