import { vmStateName } from '@onevault/one-client';
import type { BackupPlan, DiskPlan } from '@onevault/orchestrator';
import { printable } from './table.ts';
import { formatBytes } from './units.ts';

const MIB = 1024 * 1024;

/** A plan in a few lines, one a disk, reasons in words: `disk 0 vda 10.0 GiB: snapshot, crash-consistent (…)`. */
export function planLines(plan: BackupPlan): string[] {
  return [...plan.reasons.map((reason) => `not possible: ${reason.text} (${reason.code})`), ...plan.disks.flatMap(diskLines)].map(printable);
}

function diskLines(plan: DiskPlan): string[] {
  const { disk } = plan;
  const head = `disk ${disk.diskId} ${disk.target} ${formatBytes(disk.sizeMiB * MIB)}`;
  const why = plan.reasons.map((reason) => `${reason.text} (${reason.code})`).join('; ');
  switch (plan.verdict) {
    case 'capture':
      return [
        `${head}: ${plan.method}, ${plan.consistency}${why === '' ? '' : `: ${why}`}`,
        ...plan.residue.map((residue) => `disk ${disk.diskId} leaves behind: ${residue}`),
      ];
    case 'skip':
      return [`${head}: skipped: ${why}`];
    case 'refuse':
      return [`${head}: refused: ${why}`];
  }
}

/** A plan as data: what is decided and why, without the VM's body, which may hold other people's secrets. */
export function planDocument(plan: BackupPlan): object {
  const { vm } = plan;
  return {
    vm: { id: vm.id, name: vm.name, state: vmStateName(vm), hypervisor: vm.history.at(-1)?.vmMad ?? null },
    verdict: plan.verdict,
    reasons: plan.reasons,
    disks: plan.disks.map(diskDocument),
  };
}

function diskDocument(plan: DiskPlan): object {
  const { disk, verdict, reasons } = plan;
  return {
    diskId: disk.diskId,
    target: disk.target,
    sizeBytes: disk.sizeMiB * MIB,
    imageId: disk.imageId ?? null,
    driver: disk.tmMad ?? null,
    format: disk.format ?? null,
    verdict,
    reasons,
    ...(plan.verdict === 'capture' && { method: plan.method, consistency: plan.consistency, degraded: plan.degraded, residue: plan.residue }),
  };
}
