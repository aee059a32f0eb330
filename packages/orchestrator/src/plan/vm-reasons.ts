import { isDone, isPending, type Vm } from '@onevault/one-client';
import type { PlanRequest, Reason } from './plan-model.ts';
import { reason, said } from './reason.ts';
import { recoverHint, type Standing } from './resting-state.ts';

/** Why there can be no backup of this VM, whatever its disks are like. */
export function vmRefusals(vm: Vm, standing: Standing, request: PlanRequest): Reason[] {
  return said([otherHypervisor(vm), isProxy(vm, request), unusableState(vm, standing), locked(vm)]);
}

/** What is no obstacle, but good to know. */
export function vmNotes(vm: Vm, standing: Standing): Reason[] {
  if (standing.kind !== 'busy') return [];
  const since = vm.history.at(-1)?.startTime;
  const text = `somebody is at work on it: ${standing.name}${since ? `, begun ${new Date(since * 1000).toISOString()} or later` : ''}; a backup waits until it is ${standing.endsIn}`;
  return [reason('VM_BUSY', text, recoverHint(vm.id, standing.name))];
}

function otherHypervisor(vm: Vm): Reason | undefined {
  const hypervisor = vm.history.at(-1)?.vmMad;
  if (hypervisor === undefined || hypervisor === 'kvm') return undefined;
  return reason('REFUSE_VM_NOT_KVM', `its hypervisor is ${hypervisor}; only KVM is supported`, 'use what OpenNebula has for it (onevm backup)');
}

function isProxy(vm: Vm, request: PlanRequest): Reason | undefined {
  if (request.proxyVm !== vm.id) return undefined;
  return reason('REFUSE_VM_IS_PROXY', 'it is the proxy VM, in which disks are read', 'back it up from another proxy VM');
}

function unusableState(vm: Vm, standing: Standing): Reason | undefined {
  if (standing.kind !== 'stuck') return undefined;
  const { name } = standing;
  if (standing.failed) return reason('REFUSE_VM_FAILED', `it is ${name}`, failedRemedy(vm, name));
  return reason('REFUSE_VM_STATE', `it is ${name}; it must be RUNNING, POWEROFF, SUSPENDED, STOPPED or UNDEPLOYED`, stateRemedy(vm, name));
}

/** `retry` is for ACTIVE VMs alone (DispatchManagerActions.cc, retry). */
function failedRemedy(vm: Vm, name: string): string {
  const look = `see /var/log/one/${vm.id}.log on the front-end`;
  if (name === 'CLONING_FAILURE') return `${look}: an image it needs could not be copied; terminate the VM and instantiate it again`;
  return `${look}, put right what it says, and have an administrator call \`onevm recover --retry ${vm.id}\``;
}

function stateRemedy(vm: Vm, name: string): string {
  if (name === 'UNKNOWN') return `its host does not report: see \`onehost list\`; when the guest is gone, \`onevm resume ${vm.id}\` starts it again`;
  if (name === 'HOLD') return `\`onevm release ${vm.id}\` lets it start`;
  if (isPending(vm)) return vm.schedMessage === undefined ? 'wait until it is placed on a host' : `the scheduler says: ${vm.schedMessage}`;
  if (name === 'CLONING') return 'wait until its images are copied';
  if (isDone(vm)) return 'it is terminated: its earlier restore points are whole';
  return `wait until it is at rest; ${recoverHint(vm.id, name)}`;
}

/** Level 3 (ADMIN) blocks administration only; the others block MANAGE, which every step needs (AclManager.cc). */
function locked(vm: Vm): Reason | undefined {
  if (vm.lockLevel === undefined || vm.lockLevel === 3) return undefined;
  const text = `it is locked (level ${vm.lockLevel}): OpenNebula refuses snapshots and copies of locked VMs to everybody`;
  return reason('REFUSE_VM_LOCKED', text, `\`onevm unlock ${vm.id}\` for the time of the backup`);
}
