import type { Cloud } from '../cloud.ts';
import { LCM_STATE, VM_STATE } from '../model/states.ts';
import type { Vm } from '../model/world-schema.ts';
import { bootGuest } from './deploy.ts';
import { beginGuest, endGuest } from './overlay-chain.ts';
import { setVmState } from './vm-change.ts';

export type Monitored = 'UNKNOWN' | 'RUNNING' | 'POWEROFF' | 'SUSPENDED';

/** What a poll of the hypervisor does to a VM that is in no operation (LifeCycleStates.cc trigger_monitor_*); nothing in any other state. */
export async function monitorVm(cloud: Cloud, vm: Vm, found: Monitored): Promise<void> {
  const runs = vm.state === VM_STATE.ACTIVE && (vm.lcmState === LCM_STATE.RUNNING || vm.lcmState === LCM_STATE.UNKNOWN);
  const rests = vm.state === VM_STATE.POWEROFF || vm.state === VM_STATE.SUSPENDED;
  if (found === 'RUNNING' && rests) await comeBack(cloud, vm);
  if (runs) await pollRunning(cloud, vm, found);
  await cloud.store.commit();
}

async function comeBack(cloud: Cloud, vm: Vm): Promise<void> {
  beginGuest(vm, vm.state === VM_STATE.SUSPENDED);
  await bootGuest(cloud, vm);
  setVmState(vm, VM_STATE.ACTIVE, LCM_STATE.RUNNING);
}

async function pollRunning(cloud: Cloud, vm: Vm, found: Monitored): Promise<void> {
  if (found === 'UNKNOWN' || found === 'RUNNING') return setVmState(vm, VM_STATE.ACTIVE, LCM_STATE[found]);
  setVmState(vm, VM_STATE.ACTIVE, found === 'POWEROFF' ? LCM_STATE.SHUTDOWN_POWEROFF : LCM_STATE.SAVE_SUSPEND);
  await cloud.guest(vm)?.shutDown();
  await endGuest(cloud, vm);
  setVmState(vm, VM_STATE[found]);
}
