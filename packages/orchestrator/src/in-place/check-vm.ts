import { type Disk, IMAGE_STATE, type Image, isCloudAdmin, isPoweredOff, isRunning, mayDo, type Vm, type VmId, vmStateName } from '@onevault/one-client';
import { vectors } from '../attributes.ts';
import type { Caller } from '../plan/surroundings.ts';
import { keptAttributes, restrictedAttributes } from './kept-attributes.ts';
import type { SwapNote, SwapRefusal } from './refusal.ts';

/** What must be so of the VM itself before its disks are exchanged. */
export function vmRefusals(vm: Vm, ownVm: VmId | undefined): SwapRefusal[] {
  const refusals: SwapRefusal[] = [];
  const vmMad = vm.history.at(-1)?.vmMad;
  if (vm.id === ownVm)
    refusals.push({ code: 'RESTORE_VM_IS_PROXY', text: 'onevault runs in it: it cannot be stopped from inside', remedy: 'run onevault in another proxy VM' });
  if (vmMad !== undefined && vmMad !== 'kvm')
    refusals.push({ code: 'RESTORE_VM_NOT_KVM', text: `its hypervisor is ${vmMad}`, remedy: 'only KVM is supported' });
  // Level 3 (ADMIN) blocks administration only; 1, 2 and 4 block MANAGE, which every step needs (AclManager.cc).
  if (vm.lockLevel !== undefined && vm.lockLevel !== 3)
    refusals.push({ code: 'RESTORE_VM_LOCKED', text: `it is locked (level ${vm.lockLevel})`, remedy: `onevm unlock ${vm.id}` });
  if (!isRunning(vm) && !isPoweredOff(vm))
    refusals.push({
      code: 'RESTORE_VM_STATE',
      text: `it is ${vmStateName(vm)}; disks are exchanged in POWEROFF, and saved memory would not match them`,
      remedy: `bring VM ${vm.id} to RUNNING or POWEROFF first`,
    });
  const system = vectors(vm.template['SNAPSHOT']).length;
  if (system > 0)
    refusals.push({
      code: 'RESTORE_SYSTEM_SNAPSHOTS',
      text: `it has ${system} system snapshots, which lie in its disks and know their memory`,
      remedy: `onevm snapshot-delete ${vm.id} <id>`,
    });
  return refusals;
}

/** What must be so of one disk that is going to be replaced. `image`: the one it has now. */
export function diskRefusals(vm: Vm, disk: Disk, image: Image | undefined, caller: Caller | undefined): SwapRefusal[] {
  const { target } = disk;
  const refusals: SwapRefusal[] = [];
  const restricted = caller === undefined || isCloudAdmin(caller.user) ? [] : restrictedAttributes(keptAttributes(vm.id, disk));
  if (restricted.length > 0)
    refusals.push({
      code: 'RESTORE_ATTRIBUTE_RESTRICTED',
      target,
      text: `it has ${restricted.join(', ')}, which user ${caller?.user.name} may not give a disk: once detached it could not be attached again as it was`,
      remedy: 'run this as a user of the group oneadmin',
    });
  if (!disk.persistent) return refusals;
  const others = (image?.vmIds ?? []).filter((id) => id !== vm.id);
  if (others.length > 0)
    refusals.push({
      code: 'RESTORE_IMAGE_SHARED',
      target,
      text: `its image ${disk.imageId} is used by VM ${others.join(', ')} too, whose disk it would be no longer`,
      remedy: 'detach it there first, or restore the disk to a new image',
    });
  if (image !== undefined && caller !== undefined && mayDo(caller.user, 'manage', { ...image, kind: 'IMAGE' }, caller.rules).may === 'no')
    refusals.push({
      code: 'RESTORE_RIGHTS',
      target,
      text: `user ${caller.user.name} may not MANAGE its image ${image.id}, which must be marked as the way back`,
      remedy: image.lock === undefined ? `oneimage chmod ${image.id} 660 and the group, or an access rule` : `oneimage unlock ${image.id}`,
    });
  return refusals;
}

export interface SnapshotFate {
  readonly id: number;
  readonly name: string;
  /** lost: with the disk. with-undo: they go to the image of the disk, and come back with it (VirtualMachinePool::delete_attach_disk). */
  readonly fate: 'lost' | 'with-undo';
}

/**
 * What a detach does to the snapshots of a disk. Those of a persistent one become its image's; those of any other are deleted with it, and so are those of
 * a persistent one whose driver keeps them in the VM (PERSISTENT_SNAPSHOTS=NO: fs_lvm_ssh).
 */
export function snapshotFates(vm: Vm, disk: Disk): SnapshotFate[] {
  const stay = disk.persistent && disk.attributes['PERSISTENT_SNAPSHOTS']?.toUpperCase() !== 'NO';
  const snapshots = vm.snapshots.find((entry) => entry.diskId === disk.diskId)?.snapshots ?? [];
  return snapshots.map(({ id, name }) => ({ id, name: name ?? '', fate: stay ? 'with-undo' : 'lost' }));
}

/** Never in silence: refused, or with leave named one by one. */
export function judgeSnapshots(disk: Disk, fates: readonly SnapshotFate[], allowed: boolean): { readonly refusals: SwapRefusal[]; readonly notes: SwapNote[] } {
  if (fates.length === 0) return { refusals: [], notes: [] };
  const names = fates.map(({ id, name }) => (name === '' ? `${id}` : `${id} '${name}'`)).join(', ');
  const lost = fates.some(({ fate }) => fate === 'lost');
  const text = lost
    ? `its snapshots ${names} would be lost for ever: ${disk.persistent ? 'its storage driver keeps them with the VM' : 'the disk is not persistent, and they end with it'}`
    : `its snapshots ${names} would go with the image that is replaced: back only with onevault undo, gone when that expires`;
  const remedy = 'leave the disk out, delete the snapshots first, or say --allow-snapshot-loss';
  if (!allowed) return { refusals: [{ code: 'RESTORE_SNAPSHOTS_LOST', target: disk.target, text, remedy }], notes: [] };
  return {
    refusals: [],
    notes: [{ code: lost ? 'SNAPSHOTS_LOST' : 'SNAPSHOTS_PARKED', message: `${disk.target}: ${text.replace('would be', 'are').replace('would go', 'go')}` }],
  };
}

/** In a state in which it can be attached. */
export function isReady(image: Image): boolean {
  return image.state === IMAGE_STATE.READY;
}
