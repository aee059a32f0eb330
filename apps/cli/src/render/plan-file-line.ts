import type { PlanOutcome, PlanReport } from '@onevault/orchestrator';
import { fields } from './summary-line.ts';
import { compactDuration } from './units.ts';

/** The line of one VM of a plan, as soon as it is decided. */
export function planVmLine({ key, vmName, vmId, pointId, status, restore, error }: PlanOutcome): string {
  return fields('restore-plan', {
    key,
    vm: vmId ?? '-',
    name: vmName,
    result: status,
    ...(error?.code !== undefined && { code: error.code }),
    point: pointId,
    ...(restore && { duration: compactDuration(restore.durationMs) }),
  });
}

export function planDoneLine({ name, outcome, vms, durationMs }: PlanReport): string {
  const there = vms.filter(({ status }) => status === 'restored' || status === 'present').length;
  return fields('restore-plan', { plan: name, result: outcome, vms: vms.length, there, duration: compactDuration(durationMs) });
}
