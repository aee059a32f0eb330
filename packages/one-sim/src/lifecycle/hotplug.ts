import { mkdir, rm, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Cloud } from '../cloud.ts';
import { copySparse } from '../disk/sparse-copy.ts';
import { diskIdOf, diskOf, imageIdOf, isPersistent, isReadonly } from '../model/disk-vector.ts';
import { VM_STATE } from '../model/states.ts';
import { transferDriver } from '../model/transfer-driver.ts';
import type { Operation, Vm } from '../model/world-schema.ts';
import type { Vector } from '../template/attributes.ts';
import { dropDisk } from './image-use.ts';
import type { OperationHandler } from './operation-handler.ts';
import { returnToStable, setVmError } from './vm-change.ts';

export const attachHandler: OperationHandler = {
  step: 'attach',
  async work(cloud, operation, signal) {
    const found = diskOfOperation(cloud, operation);
    if (!found) return;
    const { vm, disk } = found;
    await cloud.pace.pass('attach', { signal, bytesCopied: movedBytes(disk) });
    await provideDisk(cloud, vm, disk, signal);
    if (operation.back?.[0] === VM_STATE.ACTIVE) await plugDisk(cloud, vm, disk, true);
  },
  succeed(cloud, operation) {
    const found = diskOfOperation(cloud, operation);
    if (!found) return;
    delete found.disk['ATTACH'];
    returnToStable(found.vm, operation);
  },
  fail(cloud, operation, text) {
    const found = diskOfOperation(cloud, operation);
    if (!found) return;
    dropDisk(cloud, found.vm, diskIdOf(found.disk));
    setVmError(cloud, found.vm, failureText(operation, 'ATTACHDISK', text));
    returnToStable(found.vm, operation);
  },
};

export const detachHandler: OperationHandler = {
  step: 'detach',
  async work(cloud, operation, signal) {
    const found = diskOfOperation(cloud, operation);
    if (!found) return;
    const { vm, disk } = found;
    await cloud.guest(vm)?.unplug(diskIdOf(disk));
    await cloud.pace.pass('detach', { signal, bytesCopied: isPersistent(disk) ? movedBytes(disk) : 0 });
    if (!isPersistent(disk)) await removeDiskFiles(cloud, vm, disk);
  },
  succeed(cloud, operation) {
    const found = diskOfOperation(cloud, operation);
    if (!found) return;
    dropDisk(cloud, found.vm, diskIdOf(found.disk));
    returnToStable(found.vm, operation);
  },
  fail(cloud, operation, text) {
    const found = diskOfOperation(cloud, operation);
    if (!found) return;
    delete found.disk['ATTACH'];
    setVmError(cloud, found.vm, failureText(operation, 'DETACHDISK', text));
    returnToStable(found.vm, operation);
  },
};

function diskOfOperation(cloud: Cloud, operation: Operation): { readonly vm: Vm; readonly disk: Vector } | undefined {
  const vm = cloud.world.vms.get(operation.vm ?? -1);
  const disk = vm && diskOf(vm, operation.disk ?? -1);
  return vm && disk ? { vm, disk } : undefined;
}

/** The hypervisor driver speaks for a running VM, the transfer script for a stopped one. */
function failureText(operation: Operation, driverAction: string, text: string): string {
  return operation.back?.[0] === VM_STATE.ACTIVE ? `${driverAction}: ${text}` : `Error executing image transfer script: ${text}`;
}

/** Makes the file the guest will have: a copy of a non-persistent image; a persistent one is used itself. */
export async function provideDisk(cloud: Cloud, vm: Vm, disk: Vector, signal: AbortSignal): Promise<void> {
  const imageId = imageIdOf(disk);
  const image = imageId === undefined ? undefined : cloud.world.images.get(imageId);
  if (!image || isPersistent(disk)) return;
  const target = cloud.layout.disk(cloud.world, vm, disk);
  await mkdir(dirname(target), { recursive: true });
  await rm(target, { force: true }); // a read-only leftover of a killed attempt
  await copySparse(cloud.layout.image(image), target, { signal });
}

async function removeDiskFiles(cloud: Cloud, vm: Vm, disk: Vector): Promise<void> {
  const path = cloud.layout.disk(cloud.world, vm, disk);
  await rm(path, { force: true });
  await rm(cloud.layout.snapshotDir(path), { recursive: true, force: true });
}

/** Shows the disk to a proxy's guest. `faulty`: a device fault rule may change what appears. */
export async function plugDisk(cloud: Cloud, vm: Vm, disk: Vector, faulty: boolean): Promise<void> {
  const guest = cloud.guest(vm);
  if (!guest) return;
  const fault = faulty ? cloud.faults.takeForDevice() : undefined;
  const file = cloud.layout.disk(cloud.world, vm, disk);
  if (fault?.sizeBytes !== undefined && !isPersistent(disk)) await truncate(file, fault.sizeBytes);
  const serial = fault?.serial ?? guestSerial(cloud, vm, disk);
  await guest.plug({ diskId: diskIdOf(disk), target: disk['TARGET'] ?? '', file, readOnly: isReadonly(disk), serial });
}

/** Hot-attached SERIAL reaches libvirt from 7.0.2 on, without characters outside `[0-9A-Za-z-._]` (attach_disk:172). */
function guestSerial(cloud: Cloud, vm: Vm, disk: Vector): string | undefined {
  const wanted = disk['SERIAL'];
  if (wanted === undefined || wanted === '' || !cloud.world.atLeast(7, 0, 2)) return undefined;
  return wanted.toLowerCase() === 'auto' ? `${vm.id}-${diskIdOf(disk)}` : wanted.replace(/[^0-9A-Za-z\-._]/g, '');
}

function movedBytes(disk: Vector): number {
  return transferDriver(disk['TM_MAD']).copiesOnAttach ? Number(disk['SIZE'] ?? 0) * 2 ** 20 : 0;
}
