import { releaseImage } from '../lifecycle/image-use.ts';
import { adaptToSystem } from '../lifecycle/system-target.ts';
import { copyHistory, setVmState } from '../lifecycle/vm-change.ts';
import { diskOf, nextDiskId, usedTargets } from '../model/disk-vector.ts';
import { ACTION, LCM_STATE, VM_STATE, vmStateText } from '../model/states.ts';
import type { Vm } from '../model/world-schema.ts';
import { QuotaRequest } from '../quotas/quota-check.ts';
import { addDisk, Usage } from '../quotas/quota-usage.ts';
import { addVector, type Vector, vectorsOf } from '../template/attributes.ts';
import { action, internal } from '../wire/refusal.ts';
import { actor, attributesOf, authorizeAll, type Call, type Method, requireQuota, vmNeed, vmOf } from './call.ts';
import { chargeGrowth } from './disk-quota.ts';
import { acquireDisk, adoptSnapshots, assignTarget, describeDisk, useNeeds } from './disk-record.ts';
import { refuseRestricted } from './restricted.ts';

/** The transient of a hot-plug, or undefined when the VM is busy or not there. */
function hotplugState(vm: Vm, poweroff: number): number | undefined {
  if (vm.state === VM_STATE.ACTIVE && vm.lcmState === LCM_STATE.RUNNING) return LCM_STATE.HOTPLUG;
  return vm.state === VM_STATE.POWEROFF ? poweroff : undefined;
}

/** one.vm.attach: answers the VM's id, never the DISK_ID; only the first DISK counts. */
const attach: Method = (call) => {
  const { cloud, params } = call;
  const vm = vmOf(call, params.int(1));
  const template = attributesOf(params.string(2));
  const wanted = vectorsOf(template, 'DISK')[0];
  authorizeAll(call, [vmNeed(call, vm, 'disk-attach'), ...useNeeds(call, wanted ? { DISK: [wanted] } : {})]);
  if (wanted) {
    refuseRestricted(call, { DISK: [wanted] }, 'DISK');
    const described = describeDisk(call, wanted);
    if (described) requireQuota(call, vm, attachQuota(described));
  }
  const transient = hotplugState(vm, LCM_STATE.HOTPLUG_PROLOG_POWEROFF);
  if (transient === undefined) throw action(`Could not attach a new disk to VM ${vm.id}, wrong state ${vmStateText(vm)}.`);
  if (vm.history.length === 0) throw action('VM is not running in any host');
  if (!wanted) throw internal('Internal error parsing DISK attribute');
  const disk = setUpAttach(call, vm, wanted);
  const back: [number, number] = [vm.state, vm.lcmState];
  copyHistory(cloud, vm, ACTION.DISK_ATTACH, actor(call));
  setVmState(vm, VM_STATE.ACTIVE, transient);
  cloud.engine.submit({ kind: 'attach', vm: vm.id, disk: Number(disk['DISK_ID']), back });
  return vm.id;
};

function attachQuota(disk: Vector): QuotaRequest {
  const usage = new Usage();
  addDisk(usage, disk);
  return QuotaRequest.of(usage);
}

/** VirtualMachineDisks::set_up_attach: image first, then TARGET, then the cluster. */
function setUpAttach(call: Call, vm: Vm, wanted: Vector): Vector {
  const diskId = nextDiskId(vm);
  const acquired = acquireDisk(call, vm.id, wanted, diskId, true);
  if (typeof acquired === 'string') throw action(acquired);
  const { vector, image } = acquired;
  // set_up_attach leaves the image acquired here.
  if (vector['TYPE'] === 'FILESYSTEM') throw action(`Can not attach disks ${vector['TYPE']}`);
  const giveUp = (text: string): never => {
    if (image) releaseImage(call.cloud, vm, image.id);
    throw action(text);
  };
  if (!assignTarget(vector, usedTargets(vm))) giveUp(`Target ${vector['TARGET']} is already in use.`);
  const clusterId = vm.history.at(-1)?.clusterId ?? 0;
  const clusters = (vector['CLUSTER_ID'] ?? '').split(',').filter((id) => id !== '');
  if (image && clusters.length > 0 && !clusters.includes(String(clusterId))) giveUp(`Image [${image.id}] is not part of cluster [${clusterId}]`);
  adaptToSystem(call.cloud, vector, { tmMad: vm.history.at(-1)?.tmMad ?? '' });
  vector['TM_MAD_SYSTEM'] = vm.history.at(-1)?.tmMad ?? '';
  vector['ATTACH'] = 'YES';
  addVector(vm.template, 'DISK', vector);
  adoptSnapshots(vm, diskId, acquired.snapshots);
  return vector;
}

const detach: Method = (call) => {
  const { cloud, params } = call;
  const vm = vmOf(call, params.int(1));
  const diskId = params.int(2);
  authorizeAll(call, [vmNeed(call, vm, 'disk-attach')]);
  const disk = diskOf(vm, diskId);
  if (!disk) {
    throw action(cloud.world.atLeast(7, 2) ? 'VM disk does not exist' : `Could not detach disk with DISK_ID ${diskId}, it does not exist.`);
  }
  const transient = hotplugState(vm, LCM_STATE.HOTPLUG_EPILOG_POWEROFF);
  if (transient === undefined) throw action(`Could not detach disk from VM ${vm.id}, wrong state ${vmStateText(vm)}.`);
  if (disk['TYPE'] === 'FILESYSTEM') throw action('FILESYSTEM disks can not be detached');
  const back: [number, number] = [vm.state, vm.lcmState];
  disk['ATTACH'] = 'YES';
  copyHistory(cloud, vm, ACTION.DISK_DETACH, actor(call));
  setVmState(vm, VM_STATE.ACTIVE, transient);
  cloud.engine.submit({ kind: 'detach', vm: vm.id, disk: diskId, back });
  return vm.id;
};

const RESIZING: Readonly<Record<number, number>> = {
  [VM_STATE.POWEROFF]: LCM_STATE.DISK_RESIZE_POWEROFF,
  [VM_STATE.UNDEPLOYED]: LCM_STATE.DISK_RESIZE_UNDEPLOYED,
};

/** one.vm.diskresize: grows only; the size comes as text, in MiB (VirtualMachineAPI::disk_resize, DispatchManager::disk_resize). */
const resize: Method = (call) => {
  const { cloud, params } = call;
  const vm = vmOf(call, params.int(1));
  const diskId = params.int(2);
  const text = params.string(3);
  authorizeAll(call, [vmNeed(call, vm, 'disk-resize')]);
  const disk = diskOf(vm, diskId);
  if (!disk) throw action('VM disk does not exist');
  if (!/^\d+$/.test(text)) throw action('Disk SIZE is not a valid integer');
  if (Number(text) <= Number(disk['SIZE'] ?? 0)) throw action('New disk size has to be greater than current one');
  const transient = vm.state === VM_STATE.ACTIVE ? (vm.lcmState === LCM_STATE.RUNNING ? LCM_STATE.DISK_RESIZE : undefined) : RESIZING[vm.state];
  if (transient === undefined) throw action(`Could not resize disk for VM ${vm.id}, wrong state ${vmStateText(vm)}.`);
  chargeGrowth(call, vm, disk, Number(text) - Number(disk['SIZE'] ?? 0));
  const back: [number, number] = [vm.state, vm.lcmState];
  Object.assign(disk, { RESIZE: 'YES', SIZE_PREV: disk['SIZE'] ?? '0', SIZE: text });
  copyHistory(cloud, vm, ACTION.DISK_RESIZE, actor(call));
  setVmState(vm, VM_STATE.ACTIVE, transient);
  cloud.engine.submit({ kind: 'resize', vm: vm.id, disk: diskId, sizeMiB: Number(text), back });
  return vm.id;
};

export const vmHotplugMethods: Readonly<Record<string, Method>> = { 'one.vm.attach': attach, 'one.vm.detach': detach, 'one.vm.diskresize': resize };
