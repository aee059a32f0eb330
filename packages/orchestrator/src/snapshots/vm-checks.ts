import { isPoweredOff, isRunning, isSuspended, type Vm, vmStateName } from '@onevault/one-client';
import type { SnapshotRefusal } from './refusal.ts';
import { isAtLeast } from './snapshot-driver.ts';

/** What must be so of the VM itself, whatever is done to its snapshots. */
export function vmRefusals(vm: Vm, version: string): SnapshotRefusal[] {
  const refusals: SnapshotRefusal[] = [];
  const hypervisor = vm.history.at(-1)?.vmMad;
  if (hypervisor !== undefined && hypervisor !== 'kvm')
    refusals.push({ code: 'SNAPSHOT_VM_NOT_KVM', text: `its hypervisor is ${hypervisor}`, remedy: 'only KVM is supported' });
  // Level 3 (ADMIN) blocks administration only; 1, 2 and 4 block MANAGE, which every step needs (AclManager.cc).
  if (vm.lockLevel !== undefined && vm.lockLevel !== 3)
    refusals.push({ code: 'SNAPSHOT_VM_LOCKED', text: `it is locked (level ${vm.lockLevel})`, remedy: `onevm unlock ${vm.id}` });
  // Before 6.8 a revert wanted the VM SUSPENDED, and other rules held for deleting.
  if (!isAtLeast(version, 6, 8))
    refusals.push({ code: 'SNAPSHOT_VERSION', text: `OpenNebula ${version} has other rules for snapshots`, remedy: 'OpenNebula 6.10 to 7.4 is supported' });
  if (!isRunning(vm) && !isPoweredOff(vm)) refusals.push(wrongState(vm));
  return refusals;
}

function wrongState(vm: Vm): SnapshotRefusal {
  if (!isSuspended(vm)) {
    const text = `it is ${vmStateName(vm)}; it must be RUNNING or POWEROFF`;
    return { code: 'SNAPSHOT_VM_STATE', text, remedy: `bring VM ${vm.id} to RUNNING or POWEROFF first` };
  }
  return {
    code: 'SNAPSHOT_VM_SUSPENDED',
    text: 'it is SUSPENDED: its saved memory holds the paths and the state of its disks as they were, and would not match them any more',
    remedy: `give the memory up first: onevm resume ${vm.id}, then onevm poweroff ${vm.id}`,
  };
}
