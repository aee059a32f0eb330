import { type Disk, isPoweredOff, isRunning, type Vm, vmStateName } from '@onevault/one-client';
import { forcedSnapshot, type MethodVerdict, offlineMethod, reason, runningMethod } from './capture-method.ts';
import { JobError } from './errors.ts';
import type { BackupPlan, DiskCapture, DiskPlan, PlanRequest, Reason } from './plan-model.ts';

/** Decides, from one reading of the VM and nothing else, what happens to each disk and why. Pure: the same VM and request give the same plan. */
export function planBackup(vm: Vm, request: PlanRequest): BackupPlan {
  const reasons = vmReasons(vm, request);
  const disks = vm.disks.map((disk) => planDisk(vm, disk, request));
  return { vm, vmId: vm.id, verdict: verdictOf(reasons, disks), reasons, disks };
}

function vmReasons(vm: Vm, request: PlanRequest): Reason[] {
  const reasons: Reason[] = [];
  const hypervisor = vm.history.at(-1)?.vmMad;
  if (hypervisor !== undefined && hypervisor !== 'kvm') reasons.push(reason('REFUSE_VM_NOT_KVM', `its hypervisor is ${hypervisor}; only KVM is supported`));
  if (!isRunning(vm) && !isPoweredOff(vm)) reasons.push(reason('REFUSE_VM_STATE', `it is ${vmStateName(vm)}; it must be RUNNING or POWEROFF`));
  // Level 3 (ADMIN) blocks administration only; 1, 2 and 4 block MANAGE, which every step needs (AclManager.cc).
  if (vm.lockLevel !== undefined && vm.lockLevel !== 3)
    reasons.push(reason('REFUSE_VM_LOCKED', `it is locked (level ${vm.lockLevel}); OpenNebula refuses snapshots and copies of locked VMs to everybody`));
  if (request.proxyVm === vm.id) reasons.push(reason('REFUSE_VM_IS_PROXY', 'it is the proxy VM itself'));
  return reasons;
}

function planDisk(vm: Vm, disk: Disk, request: PlanRequest): DiskPlan {
  const skipped = skipReason(disk, request);
  if (skipped !== undefined) return { verdict: 'skip', disk, reasons: [skipped] };
  const { imageId } = disk;
  if (imageId === undefined) return { verdict: 'skip', disk, reasons: [reason('SKIP_VOLATILE', VOLATILE)] };
  const choice = chooseMethod(vm, disk, request);
  if ('refused' in choice) return { verdict: 'refuse', disk, reasons: choice.refused };
  return { verdict: 'capture', disk, imageId, ...choice };
}

const VOLATILE = 'volatile: it has no image, so OpenNebula cannot export it; it comes back empty';

function skipReason(disk: Disk, request: PlanRequest): Reason | undefined {
  if (request.excludeDisks.includes(disk.diskId)) return reason('SKIP_EXCLUDED', 'excluded by request; it comes back empty');
  if (disk.imageId === undefined || /^(fs|swap)$/i.test(disk.type)) return reason('SKIP_VOLATILE', VOLATILE);
  if (/CDROM$/.test(disk.type)) return reason('SKIP_CDROM', 'CD-ROM: only the reference to its image is kept');
  return undefined;
}

function chooseMethod(vm: Vm, disk: Disk, request: PlanRequest): MethodVerdict {
  if (!isRunning(vm)) return offlineMethod(disk);
  const native = vm.backupConfig['MODE'] === 'INCREMENT';
  const choice = runningMethod(vm, disk, native);
  if (request.capture !== 'snapshot' || native) return choice;
  if ('refused' in choice && choice.refused.some((why) => why.code === 'REFUSE_DRIVER_NO_EXPORT')) return choice;
  return 'refused' in choice || choice.method !== 'snapshot' ? forcedSnapshot(vm, disk) : choice;
}

function verdictOf(reasons: readonly Reason[], disks: readonly DiskPlan[]): BackupPlan['verdict'] {
  const captured = disks.filter((disk) => disk.verdict === 'capture');
  if (reasons.length > 0 || captured.length === 0 || disks.some((disk) => disk.verdict === 'refuse')) return 'impossible';
  return captured.some((disk) => disk.degraded) ? 'degraded' : 'ok';
}

/** What will be captured. Refuses a plan that could not keep its promise, and one that has nothing to promise. */
export function promisedCaptures(plan: BackupPlan): DiskCapture[] {
  const refused = plan.disks.filter((disk) => disk.verdict === 'refuse');
  const why = [
    ...plan.reasons.map((reason) => reason.text),
    ...refused.map((disk) => `disk ${disk.disk.diskId}: ${disk.reasons.map((reason) => reason.text).join('; ')}`),
  ];
  if (why.length > 0) {
    throw new JobError({
      code: 'JOB_PLAN_REFUSED',
      message: `backup of VM ${plan.vmId} '${plan.vm.name}' is not possible: ${why.join('; ')}`,
      details: { vmId: plan.vmId, reasons: [...plan.reasons, ...refused.flatMap((disk) => disk.reasons)].map((reason) => reason.code) },
      hint: `onevault plan ${plan.vmId} shows the verdict for every disk; --exclude-disk leaves one out`,
    });
  }
  const captures = plan.disks.filter((disk) => disk.verdict === 'capture');
  if (captures.length > 0) return captures;
  throw new JobError({
    code: 'JOB_PLAN_EMPTY',
    message: `backup of VM ${plan.vmId} '${plan.vm.name}': none of its ${plan.disks.length} disks can be captured`,
    details: { vmId: plan.vmId, disks: plan.disks.map((disk) => ({ diskId: disk.disk.diskId, reasons: disk.reasons.map((reason) => reason.code) })) },
    hint: 'volatile disks and CD-ROMs have no image that OpenNebula could export',
  });
}
