import type { Cloud } from '../cloud.ts';
import { diskOf, disksOf, imageIdOf, isPersistent, snapshotsOf } from '../model/disk-vector.ts';
import { IMAGE_STATE, IMAGE_TYPE, imageStateText, imageTypeText } from '../model/states.ts';
import type { Image, Vm } from '../model/world-schema.ts';
import { textOf, type Vector } from '../template/attributes.ts';

const DISK_TYPES: readonly number[] = [IMAGE_TYPE.OS, IMAGE_TYPE.DATABLOCK, IMAGE_TYPE.CDROM, IMAGE_TYPE.FILESYSTEM];

/** ImageManager::acquire_image: counts the VM in, or says why not. */
export function acquireImage(image: Image, vmId: number, attach: boolean): string | undefined {
  if (!DISK_TYPES.includes(image.type)) return `Image ${image.id} (${image.name}) of type ${imageTypeText(image.type)} cannot be used as DISK.`;
  const refused = whyNotAcquirable(image, attach);
  if (refused !== undefined) return `Cannot acquire image ${image.id}, ${refused}`;
  if (!image.vmIds.includes(vmId)) image.vmIds.push(vmId);
  if (image.state === IMAGE_STATE.READY) setImageState(image, image.persistent ? IMAGE_STATE.USED_PERS : IMAGE_STATE.USED);
  if (image.state === IMAGE_STATE.LOCKED) setImageState(image, image.persistent ? IMAGE_STATE.LOCKED_USED_PERS : IMAGE_STATE.LOCKED_USED);
  return undefined;
}

function whyNotAcquirable(image: Image, attach: boolean): string | undefined {
  const shareable = textOf(image.template, 'PERSISTENT_TYPE')?.toUpperCase() === 'SHAREABLE';
  switch (image.state) {
    case IMAGE_STATE.READY:
    case IMAGE_STATE.USED:
      return undefined;
    case IMAGE_STATE.USED_PERS:
      return shareable ? undefined : 'it is persistent and already in use';
    case IMAGE_STATE.LOCKED_USED_PERS:
      if (!shareable) return 'it is persistent and already in use';
      return attach ? 'it is locked' : undefined;
    case IMAGE_STATE.LOCKED:
    case IMAGE_STATE.LOCKED_USED:
      return attach ? 'it is locked' : undefined;
    default:
      return `it is in state: ${imageStateText(image.state)}`;
  }
}

export function setImageState(image: Image, state: number): void {
  image.state = state;
  image.prevState = state;
}

/** Counts the VM out, unless another of its disks uses the same image. */
export function releaseImage(cloud: Cloud, vm: Vm, imageId: number): void {
  const image = cloud.world.images.get(imageId);
  if (!image || disksOf(vm).some((disk) => imageIdOf(disk) === imageId)) return;
  image.vmIds = image.vmIds.filter((id) => id !== vm.id);
  if (image.vmIds.length > 0 || image.cloningOps > 0) return;
  if (image.state === IMAGE_STATE.USED || image.state === IMAGE_STATE.USED_PERS) setImageState(image, IMAGE_STATE.READY);
  if (image.state === IMAGE_STATE.LOCKED_USED || image.state === IMAGE_STATE.LOCKED_USED_PERS) setImageState(image, IMAGE_STATE.LOCKED);
}

/** Takes a disk out of the VM: snapshots of a persistent one go back to the image, those of a copy vanish with it. */
export function dropDisk(cloud: Cloud, vm: Vm, diskId: number): void {
  const disk = diskOf(vm, diskId);
  if (!disk) return;
  giveBackSnapshots(cloud, vm, disk);
  vm.snapshots = vm.snapshots.filter((tree) => tree.diskId !== diskId);
  vm.template['DISK'] = (vm.template['DISK'] ?? []).filter((candidate) => candidate !== disk);
  if (vm.template['DISK'].length === 0) delete vm.template['DISK'];
  const imageId = imageIdOf(disk);
  if (imageId !== undefined) releaseImage(cloud, vm, imageId);
}

/** IMAGE/SNAPSHOTS of a persistent disk is what VM/SNAPSHOTS was. */
export function giveBackSnapshots(cloud: Cloud, vm: Vm, disk: Vector): void {
  const imageId = imageIdOf(disk);
  const tree = snapshotsOf(vm, Number(disk['DISK_ID']));
  const image = imageId === undefined ? undefined : cloud.world.images.get(imageId);
  if (!image || !tree || !isPersistent(disk)) return;
  if (disk['PERSISTENT_SNAPSHOTS'] === 'NO') return; // fs_lvm_ssh: they go with the volume
  const { diskId: _, direct: _direct, stray: _stray, lost: _lost, ...rest } = structuredClone(tree); // what only the domain knew goes with it
  image.snapshots = rest;
}
