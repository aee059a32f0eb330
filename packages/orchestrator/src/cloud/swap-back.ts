import type { CallOptions } from '@onevault/base';
import { imageId, isDone, isPoweredOff, type OneApi, type Vm, vmId } from '@onevault/one-client';
import type { SwapObject } from '../cloud-object.ts';
import { madeForMark, removeSuperseded } from '../in-place/superseded.ts';
import { standFor } from '../in-place/undo-marks.ts';
import { hasOldBytes, whereItStands } from '../in-place/where-it-stands.ts';
import { PRODUCT_MARKS } from '../names.ts';
import { settleBootOrder } from './boot-order.ts';
import type { CloudDeps } from './cloud-deps.ts';
import { unlessGone } from './gone.ts';
import { placeDisk, swapBlocked } from './place-disk.ts';
import { settled } from './when-free.ts';

/**
 * Brings every disk of an exchange back to its old bytes, whatever was done of it: by the VM's body alone, without any memory of the run. Answers whether
 * there was anything to do. JOB_SWAP_BLOCKED when it must be done and the VM is not in POWEROFF: somebody started it, half old and half new as it was.
 */
export async function swapBack(deps: CloudDeps, object: SwapObject): Promise<boolean> {
  const id = vmId(object.vmId);
  const vm = await unlessGone(settled(deps, id, `exchange of disks of VM ${object.vmId}`, { timeoutMs: deps.patience.copyMs, mayBeDone: true }));
  if (vm === undefined || isDone(vm)) return false;
  const away = object.disks.filter((disk) => !hasOldBytes(vm, disk));
  if (away.length > 0 && !isPoweredOff(vm)) throw swapBlocked(vm);
  for (const disk of away.toReversed()) await placeDisk(deps, id, disk, 'back');
  await settleBootOrder(deps, id, object.boot);
  await keepCopiesInUse(deps.cloud, object);
  return away.length > 0;
}

/** The copy of a disk that was not persistent now is the disk: it stays. */
async function keepCopiesInUse(cloud: OneApi, object: SwapObject): Promise<void> {
  const vm = await cloud.vm(vmId(object.vmId));
  for (const disk of object.disks) {
    if (disk.back.imageId === disk.imageId || whereItStands(vm, disk).standing !== 'back') continue;
    const copy = await cloud.image(imageId(disk.back.imageId));
    await cloud.updateImage(copy.id, { ...PRODUCT_MARKS, ...madeForMark(vm.id, disk.target, copy.name) });
    await standFor(cloud, vm.id, disk);
    await removeSuperseded(cloud, vm.id, disk);
  }
}

/** A VM some of whose disks are not what they were. */
export async function isHalfSwapped(cloud: OneApi, object: SwapObject, options: CallOptions): Promise<boolean> {
  const vm: Vm | undefined = await unlessGone(cloud.vm(vmId(object.vmId), options));
  return vm !== undefined && !isDone(vm) && object.disks.some((disk) => !hasOldBytes(vm, disk));
}
