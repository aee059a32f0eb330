import { type CallOptions, errorCode } from '@onevault/base';
import { type Disk, type ImageId, isDone, isPoweredOff, isRunning, type OneApi, type Vm, type VmId, vmId, vmStateName } from '@onevault/one-client';
import type { CloudObject } from '../cloud-object.ts';
import { JobError } from '../errors.ts';
import { type CloudDeps, copyPatienceMs } from './cloud-deps.ts';
import { effectMissing } from './disk-snapshot.ts';
import { unlessGone } from './gone.ts';
import type { Send } from './send.ts';
import { settled, whenFree } from './when-free.ts';

export type DiskObject = Extract<CloudObject, { readonly kind: 'disk' }>;

/** An image to be a disk of somebody's VM, which runs or is powered off. */
export interface DiskOfVm {
  readonly vmId: VmId;
  readonly imageId: ImageId;
  readonly sizeMiB: number;
  readonly target: string | undefined;
}

/** Asks for the attach, when nobody else is at work on the VM. */
export function requestDiskOfVm(deps: CloudDeps, { vmId: id, imageId, target }: DiskOfVm, send: Send, options: CallOptions): Promise<void> {
  const disk = { IMAGE_ID: String(imageId), ...(target !== undefined && { TARGET: target, DEV_PREFIX: target.slice(0, 2) }) };
  const attach = (vm: Vm): Promise<void> => {
    assertTakesDisk(vm, target);
    return send(() => deps.cloud.attachDisk(vm.id, disk));
  };
  return whenFree(deps, id, `attach of image ${imageId}`, attach, options);
}

/** Accepted proves nothing: the disk is in the VM's body once it is idle again, under the target that was asked for, or the attach failed. */
export async function awaitDiskOfVm(deps: CloudDeps, wanted: DiskOfVm, before: Vm, options: CallOptions): Promise<Disk> {
  const { vmId: id, imageId, target, sizeMiB } = wanted;
  const what = `attach of image ${imageId} to VM ${id}`;
  const after = await settled(deps, id, what, { ...options, timeoutMs: copyPatienceMs(deps.patience, sizeMiB) });
  const disk = diskWithImage(after, imageId);
  if (disk === undefined) throw effectMissing(before, after, `${what} was accepted, but the VM has no such disk`);
  if (target !== undefined && disk.target !== target) throw effectMissing(before, after, `${what} made it ${disk.target}, and ${target} was asked for`);
  return disk;
}

/** The VM can take a disk now, under that target. OpenNebula attaches to nothing but RUNNING and POWEROFF (opennebula.md g.2). */
export function assertTakesDisk(vm: Vm, target: string | undefined): void {
  const refuse = (why: string, hint: string): JobError =>
    new JobError({
      code: 'JOB_ATTACH_REFUSED',
      message: `VM ${vm.id} '${vm.name}' cannot take a disk: ${why}`,
      details: { vmId: vm.id, state: vmStateName(vm), ...(target !== undefined && { target }) },
      hint,
    });
  if (!isRunning(vm) && !isPoweredOff(vm)) throw refuse(`it is ${vmStateName(vm)}`, 'start it, or power it off, and restore again');
  const targets = [...vm.disks.map((disk) => disk.target), vm.contextDisk?.target].filter((one) => one !== undefined);
  if (target !== undefined && targets.includes(target)) throw refuse(`${target} is taken`, `choose another --target; taken are ${targets.join(', ')}`);
}

function diskWithImage(vm: Vm, imageId: number): Disk | undefined {
  return vm.disks.find((disk) => disk.imageId === imageId);
}

/** The image is the run's own, fresh from its making: a disk that has it is the one that the run attached. */
export async function findDiskOfVm(cloud: OneApi, { vmId: id, imageId }: DiskObject, options: CallOptions = {}): Promise<{ readonly id: number } | undefined> {
  const vm = await unlessGone(cloud.vm(vmId(id), options));
  const disk = vm === undefined || isDone(vm) ? undefined : diskWithImage(vm, imageId);
  return disk && { id: disk.diskId };
}

/** Detaches it; answers whether it was there. */
export async function removeDiskOfVm(deps: CloudDeps, object: DiskObject): Promise<boolean> {
  if ((await findDiskOfVm(deps.cloud, object)) === undefined) return false;
  const what = `detach of image ${object.imageId} from VM ${object.vmId}`;
  let before: Vm | undefined;
  try {
    await whenFree(deps, vmId(object.vmId), what, async (vm) => {
      before = vm;
      const disk = diskWithImage(vm, object.imageId);
      if (disk !== undefined) await deps.cloud.detachDisk(vm.id, disk.diskId);
    });
    const after = await settled(deps, vmId(object.vmId), what, { timeoutMs: copyPatienceMs(deps.patience, object.sizeMiB) });
    if (diskWithImage(after, object.imageId) !== undefined) throw effectMissing(before ?? after, after, `${what} was accepted, but the disk is still there`);
  } catch (error) {
    if (errorCode(error) !== 'JOB_VM_GONE') throw error;
  }
  return true;
}
