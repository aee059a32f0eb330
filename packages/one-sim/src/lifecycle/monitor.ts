import type { Cloud } from '../cloud.ts';
import { LCM_STATE, VM_STATE } from '../model/states.ts';
import type { Vm } from '../model/world-schema.ts';
import { isYes, vectorsOf } from '../template/attributes.ts';
import { bootGuest } from './deploy.ts';
import { beginGuest, endGuest } from './overlay-chain.ts';
import { setVmState } from './vm-change.ts';

export type Monitored = 'UNKNOWN' | 'RUNNING' | 'POWEROFF' | 'SUSPENDED';

/** What a poll of the hypervisor does to a VM that is in no operation (LifeCycleStates.cc trigger_monitor_*); nothing in any other state. */
export async function monitorVm(cloud: Cloud, vm: Vm, found: Monitored): Promise<void> {
  const runs = vm.state === VM_STATE.ACTIVE && (vm.lcmState === LCM_STATE.RUNNING || vm.lcmState === LCM_STATE.UNKNOWN);
  const rests = vm.state === VM_STATE.POWEROFF || vm.state === VM_STATE.SUSPENDED;
  if (found === 'RUNNING' && rests) await comeBack(cloud, vm);
  if (runs && found === 'RUNNING') pollGuest(cloud, vm);
  if (runs) await pollRunning(cloud, vm, found);
  await cloud.store.commit();
}

/** What the probes of a host measure of a VM (im_mad/remotes/lib/kvm.rb): its last values are the body's MONITORING. */
export function pollGuest(cloud: Cloud, vm: Vm): void {
  vm.monitoring = {
    CPU: '1.0',
    DISKRDBYTES: '0',
    DISKRDIOPS: '0',
    DISKWRBYTES: '0',
    DISKWRIOPS: '0',
    ID: String(vm.id),
    MEMORY: '131072',
    NETRX: '0',
    NETTX: '0',
    TIMESTAMP: String(cloud.now()),
    VM_QEMU_PING: agentAnswer(cloud, vm),
  };
}

/** As shipped, hosts do not ask (guestagent.conf, `:enabled: false`); otherwise what libvirt answers to guest-ping. */
function agentAnswer(cloud: Cloud, vm: Vm): string {
  if (!cloud.agentMonitoring) return 'QEMU Guest Agent monitoring disabled';
  if (!isYes(vectorsOf(vm.template, 'FEATURES')[0]?.['GUEST_AGENT'])) return 'error: argument unsupported: QEMU guest agent is not configured';
  return vm.guestAgent === 'works' ? '{}' : 'error: Guest agent is not responding: QEMU guest agent is not connected';
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
