import { truncate } from 'node:fs/promises';
import type { Cloud } from '../cloud.ts';
import { diskIdOf, diskOf, imageIdOf, isReadonly, snapshotsOf } from '../model/disk-vector.ts';
import { VM_STATE } from '../model/states.ts';
import { bytesToProvide, diskDriver } from '../model/transfer-driver.ts';
import { noteHarm } from '../model/vm-history.ts';
import type { Operation, Vm } from '../model/world-schema.ts';
import { type Vector, vectorsOf } from '../template/attributes.ts';
import { mustReturn, provideDisk, removeDisk, returnDisk } from './disk-transfer.ts';
import { dropDisk } from './image-use.ts';
import { DriverFailure, type OperationHandler } from './operation-handler.ts';
import { returnToStable, setVmError } from './vm-change.ts';

export const attachHandler: OperationHandler = {
  step: 'attach',
  async work(cloud, operation, signal) {
    const found = diskOfOperation(cloud, operation);
    if (!found) return;
    const { vm, disk } = found;
    const live = operation.back?.[0] === VM_STATE.ACTIVE;
    await cloud.pace.pass('attach', { signal, bytesCopied: bytesToProvide(diskDriver(cloud.world, disk), disk) });
    await provideDisk(cloud, vm, disk, signal);
    if (!live) return;
    refuseHotplug(cloud, vm, disk);
    await plugDisk(cloud, vm, disk, 'hot');
    const tree = snapshotsOf(vm, diskIdOf(disk));
    if (tree) tree.direct = true; // attach_disk resolves the disk.N link before it names the source
  },
  /** The files are made, the domain is not told. */
  async half(cloud, operation, signal) {
    const found = diskOfOperation(cloud, operation);
    if (found) await provideDisk(cloud, found.vm, found.disk, signal);
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
    if (operation.back?.[0] === VM_STATE.ACTIVE) await unplugDisk(cloud, vm, disk, operation);
    const back = mustReturn(cloud, vm, disk) ? Number(disk['SIZE'] ?? 0) * 2 ** 20 : 0;
    await cloud.pace.pass('detach', { signal, bytesCopied: back });
    await returnDisk(cloud, vm, disk, signal);
    await removeDisk(cloud, vm, disk);
  },
  /** The domain let go, what follows did not work: the bytes written since are on the host only. */
  async half(cloud, operation) {
    const found = diskOfOperation(cloud, operation);
    if (found && operation.back?.[0] === VM_STATE.ACTIVE) await unplugDisk(cloud, found.vm, found.disk, operation);
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

/** A saved overlay whose backing file is not there (opennebula.md M.1). */
export function isBroken(cloud: Cloud, disk: Vector): boolean {
  return cloud.world.images.get(imageIdOf(disk) ?? -1)?.broken === true;
}

const PC_SLOTS = 25;
const Q35_ROOT_PORTS = 16;

/** What libvirt refuses; attach_disk says no more than that it could not (src/vmm_mad/remotes/kvm/attach_disk). */
function refuseHotplug(cloud: Cloud, vm: Vm, disk: Vector): void {
  const target = disk['TARGET'] ?? '';
  const others = vectorsOf(vm.template, 'DISK').filter((candidate) => candidate !== disk);
  const refusal = new DriverFailure(`Could not attach ${cloud.layout.disk(cloud.world, vm, disk)} (${target}) to ${vm.deployId}`);
  if (isBroken(cloud, disk)) throw refusal; // QEMU cannot open the chain
  if (target.startsWith('hd')) throw refusal; // an IDE bus takes no hot-plug
  if (target.startsWith('sd')) {
    const taken = others.filter((candidate) => (candidate['TARGET'] ?? '').startsWith('sd')).map((candidate) => scsiTargetOf(cloud, candidate['TARGET'] ?? ''));
    if (taken.includes(scsiTargetOf(cloud, target))) throw refusal; // a drive address is given once
    return;
  }
  const machine = vectorsOf(vm.template, 'OS')[0]?.['MACHINE'] ?? 'pc';
  const slots = machine.includes('q35') ? Q35_ROOT_PORTS : PC_SLOTS;
  const used = others.filter((candidate) => !/^[sh]d/.test(candidate['TARGET'] ?? '')).length + vectorsOf(vm.template, 'NIC').length;
  if (used >= slots) throw refusal;
}

/** attach_disk, disk_target_number: before 7.4 only the first letter counted, so that sdaa met sda. A boot counts all of them. */
function scsiTargetOf(cloud: Cloud, target: string, how: 'hot' | 'boot' = 'hot'): number {
  const letters = [...target.slice(2)].map((c) => c.charCodeAt(0) - 97);
  const [first = 0] = letters;
  return how === 'boot' || cloud.world.atLeast(7, 4) ? letters.reduce((index, value) => (index + 1) * 26 + value, -1) : first;
}

/** detach_disk: virsh knows no such disk, or the guest holds it. A run that goes on after a kill finds its device gone. */
async function unplugDisk(cloud: Cloud, vm: Vm, disk: Vector, operation: Operation): Promise<void> {
  const guest = cloud.guest(vm);
  if (!guest) return;
  const gone = guest.nameOf(diskIdOf(disk)) === undefined;
  if ((gone && operation.force !== true) || guest.isHeld(diskIdOf(disk)))
    throw new DriverFailure(`Could not detach ${disk['TARGET'] ?? ''} from ${vm.deployId}`);
  if (await guest.wasAbused(diskIdOf(disk))) noteHarm(vm, `disk ${diskIdOf(disk)} was attached read-only and has been written to`);
  await guest.unplug(diskIdOf(disk));
}

/** Shows the disk to a proxy's guest. A hot-plugged one may be changed by a device fault rule. */
export async function plugDisk(cloud: Cloud, vm: Vm, disk: Vector, how: 'hot' | 'boot'): Promise<void> {
  const guest = cloud.guest(vm);
  if (!guest) return;
  const fault = how === 'hot' ? cloud.faults.takeForDevice() : undefined;
  const file = cloud.layout.disk(cloud.world, vm, disk);
  if (fault?.sizeBytes !== undefined && disk['PERSISTENT'] !== 'YES') await truncate(file, fault.sizeBytes);
  const serial = fault?.serial ?? guestSerial(cloud, vm, disk, how);
  const target = disk['TARGET'] ?? '';
  await guest.plug({ diskId: diskIdOf(disk), target, scsiTarget: scsiTargetOf(cloud, target, how), file, readOnly: isReadonly(disk), serial });
  if (fault?.unseen) await guest.vanish(diskIdOf(disk));
}

/**
 * SERIAL reaches libvirt from 7.0 on at boot (LibVirtDriverKVM.cc; not for block devices on a SCSI bus) and from 7.0.2 on at hot-attach
 * (attach_disk), there without characters outside `[0-9A-Za-z-._]`.
 */
function guestSerial(cloud: Cloud, vm: Vm, disk: Vector, how: 'hot' | 'boot'): string | undefined {
  const wanted = disk['SERIAL'];
  if (wanted === undefined || wanted === '' || !cloud.world.atLeast(7, 0, how === 'hot' ? 2 : 0)) return undefined;
  if (how === 'boot' && disk['DISK_TYPE'] === 'BLOCK' && (disk['TARGET'] ?? '').startsWith('sd')) return undefined;
  return wanted.toLowerCase() === 'auto' ? `${vm.id}-${diskIdOf(disk)}` : wanted.replace(/[^0-9A-Za-z\-._]/g, '');
}
