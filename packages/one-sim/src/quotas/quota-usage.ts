import { disksOf, imageIdOf, isPersistent, numberOf, snapshotsOf } from '../model/disk-vector.ts';
import { totalSizeMiB } from '../model/snapshot-tree.ts';
import { LCM_STATE, VM_STATE } from '../model/states.ts';
import type { World } from '../model/world.ts';
import type { Image, Vm } from '../model/world-schema.ts';
import { type Vector, vectorsOf } from '../template/attributes.ts';
import type { QuotaSection } from './quota-limits.ts';

/** Used amounts by section, quota ID and metric. */
export class Usage {
  readonly #amounts = new Map<QuotaSection, Map<string, Map<string, number>>>();

  add(section: QuotaSection, id: string, metric: string, amount: number): void {
    if (amount === 0) return;
    const ids = getOrMake(this.#amounts, section);
    const metrics = getOrMake(ids, id);
    metrics.set(metric, (metrics.get(metric) ?? 0) + amount);
  }

  amount(section: QuotaSection, id: string, metric: string): number {
    return this.#amounts.get(section)?.get(id)?.get(metric) ?? 0;
  }

  ids(section: QuotaSection): string[] {
    return [...(this.#amounts.get(section)?.keys() ?? [])];
  }

  metrics(section: QuotaSection, id: string): Record<string, number> {
    return Object.fromEntries(this.#amounts.get(section)?.get(id) ?? []);
  }
}

function getOrMake<K, V>(map: Map<K, Map<string, V>>, key: K): Map<string, V> {
  const found = map.get(key);
  if (found) return found;
  const made = new Map<string, V>();
  map.set(key, made);
  return made;
}

/** Whose usage: a user's or a group's. */
export type Owner = { readonly uid: number } | { readonly gid: number };

const isOf = (owner: Owner, object: { readonly uid: number; readonly gid: number }): boolean =>
  'uid' in owner ? object.uid === owner.uid : object.gid === owner.gid;

/** What an owner's objects use, counted as OpenNebula charges it. Here it is counted anew each time, so that it never drifts. */
export function usageOf(world: World, owner: Owner): Usage {
  const usage = new Usage();
  for (const image of world.images.values()) if (isOf(owner, image)) addImage(world, usage, image);
  for (const vm of world.vms.values()) if (vm.state !== VM_STATE.DONE && isOf(owner, vm)) addVm(usage, vm);
  return usage;
}

/** What one VM takes of its owner's quotas. */
export function usageOfVm(vm: Vm): Usage {
  const usage = new Usage();
  addVm(usage, vm);
  return usage;
}

export function usageOfImage(world: World, image: Image): Usage {
  const usage = new Usage();
  addImage(world, usage, image);
  return usage;
}

/** An image and its snapshots count in its datastore; while a VM has it persistently the VM's tree is the newer one (VirtualMachineDisk::resize_quotas). */
function addImage(world: World, usage: Usage, image: Image): void {
  const id = String(image.datastoreId);
  usage.add('DATASTORE', id, 'IMAGES', 1);
  usage.add('DATASTORE', id, 'SIZE', image.sizeMiB + totalSizeMiB(treeInUse(world, image) ?? image.snapshots));
}

function treeInUse(world: World, image: Image): ReturnType<typeof snapshotsOf> {
  if (!image.persistent) return undefined;
  for (const vmId of image.vmIds) {
    const vm = world.vms.peek(vmId);
    const disk = vm && disksOf(vm).find((candidate) => imageIdOf(candidate) === image.id && isPersistent(candidate));
    const tree = disk && snapshotsOf(vm, Number(disk['DISK_ID']));
    if (tree) return tree;
  }
  return undefined;
}

function addVm(usage: Usage, vm: Vm): void {
  const cpu = numberOf(vm, 'CPU');
  const memory = numberOf(vm, 'MEMORY');
  for (const [metric, amount] of [['VMS', 1] as const, ['CPU', cpu] as const, ['MEMORY', memory] as const]) {
    usage.add('VM', '', metric, amount);
    if (countsAsRunning(vm)) usage.add('VM', '', `RUNNING_${metric}`, amount);
  }
  for (const nic of vectorsOf(vm.template, 'NIC')) if (nic['NETWORK_ID'] !== undefined) usage.add('NETWORK', nic['NETWORK_ID'], 'LEASES', 1);
  for (const disk of disksOf(vm)) addDisk(usage, disk);
}

/** Where a copy of an image, or the image itself, is kept while a VM has it: LN_TARGET for a persistent one (VirtualMachineDisk::get_tm_target). */
export function diskTarget(disk: Vector): string {
  if (imageIdOf(disk) === undefined) return 'SYSTEM';
  return (disk['CLONE'] === 'YES' ? disk['CLONE_TARGET'] : disk['LN_TARGET'])?.toUpperCase() ?? '';
}

/** Adds what one disk takes: a use of its image, and its size where the copy is kept. */
export function addDisk(usage: Usage, disk: Vector): void {
  const imageId = imageIdOf(disk);
  if (imageId !== undefined) usage.add('IMAGE', String(imageId), 'RVMS', 1);
  const size = Number(disk['SIZE'] ?? 0) + Number(disk['DISK_SNAPSHOT_TOTAL_SIZE'] ?? 0);
  const target = diskTarget(disk);
  if (target === 'SYSTEM') usage.add('VM', '', 'SYSTEM_DISK_SIZE', size);
  if (target === 'SELF') usage.add('DATASTORE', disk['DATASTORE_ID'] ?? '', 'SIZE', size);
}

const STOPPED_LCM: readonly number[] = [
  LCM_STATE.HOTPLUG_SAVEAS_POWEROFF,
  LCM_STATE.HOTPLUG_SAVEAS_SUSPENDED,
  LCM_STATE.DISK_SNAPSHOT_POWEROFF,
  LCM_STATE.DISK_SNAPSHOT_REVERT_POWEROFF,
  LCM_STATE.DISK_SNAPSHOT_DELETE_POWEROFF,
  LCM_STATE.DISK_SNAPSHOT_SUSPENDED,
  LCM_STATE.DISK_SNAPSHOT_DELETE_SUSPENDED,
  LCM_STATE.DISK_RESIZE_POWEROFF,
  LCM_STATE.HOTPLUG_SAVEAS_UNDEPLOYED,
  LCM_STATE.HOTPLUG_SAVEAS_STOPPED,
  LCM_STATE.HOTPLUG_PROLOG_POWEROFF,
  LCM_STATE.HOTPLUG_EPILOG_POWEROFF,
];
const WAITING: readonly number[] = [VM_STATE.PENDING, VM_STATE.CLONING, VM_STATE.CLONING_FAILURE, VM_STATE.HOLD];

/** VirtualMachine::is_running_quota. */
function countsAsRunning(vm: Vm): boolean {
  return WAITING.includes(vm.state) || (vm.state === VM_STATE.ACTIVE && !STOPPED_LCM.includes(vm.lcmState));
}
