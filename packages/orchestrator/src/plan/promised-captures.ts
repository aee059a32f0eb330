import { JobError } from '../errors.ts';
import type { BackupPlan, DiskCapture, Reason } from './plan-model.ts';

/** What will be captured. Refuses a plan that could not keep its promise, and one that has nothing to promise. */
export function promisedCaptures(plan: BackupPlan): DiskCapture[] {
  const refused = plan.disks.filter((disk) => disk.verdict === 'refuse');
  const why = [...plan.reasons.map(sentence), ...refused.map((disk) => `disk ${disk.disk.diskId}: ${disk.reasons.map((entry) => entry.text).join('; ')}`)];
  if (why.length > 0) {
    const reasons = [...plan.reasons, ...refused.flatMap((disk) => disk.reasons)];
    throw new JobError({
      code: 'JOB_PLAN_REFUSED',
      message: `backup of VM ${plan.vmId} '${plan.vm.name}' is not possible: ${why.join('; ')}`,
      details: { vmId: plan.vmId, reasons: reasons.map((entry) => entry.code) },
      hint: reasons.find((entry) => entry.remedy !== undefined)?.remedy ?? `onevault plan ${plan.vmId} shows the verdict for every disk`,
    });
  }
  const captures = plan.disks.filter((disk) => disk.verdict === 'capture');
  if (captures.length > 0) return captures;
  throw new JobError({
    code: 'JOB_PLAN_EMPTY',
    message: `backup of VM ${plan.vmId} '${plan.vm.name}': none of its ${plan.disks.length} disks can be captured`,
    details: { vmId: plan.vmId, disks: plan.disks.map((disk) => ({ diskId: disk.disk.diskId, reasons: disk.reasons.map((entry) => entry.code) })) },
    hint: 'volatile disks and CD-ROMs have no image that OpenNebula could export',
  });
}

function sentence(entry: Reason): string {
  return entry.text;
}
