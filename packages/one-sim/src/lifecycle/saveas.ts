import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Cloud } from '../cloud.ts';
import { copySparse } from '../disk/sparse-copy.ts';
import { diskOf, snapshotsOf } from '../model/disk-vector.ts';
import { findSnapshot } from '../model/snapshot-tree.ts';
import { IMAGE_STATE, VM_STATE } from '../model/states.ts';
import { transferDriver } from '../model/transfer-driver.ts';
import type { Image, Operation, Vm } from '../model/world-schema.ts';
import type { Vector } from '../template/attributes.ts';
import { setImageState } from './image-use.ts';
import { DriverFailure, type OperationHandler } from './operation-handler.ts';
import { returnToStable, setVmError } from './vm-change.ts';

export const saveasHandler: OperationHandler = {
  step: 'saveas',
  async work(cloud, operation, signal) {
    const vm = cloud.world.vms.get(operation.vm ?? -1);
    const disk = vm && diskOf(vm, operation.disk ?? -1);
    const image = cloud.world.images.get(operation.image ?? -1);
    if (!vm || !disk || !image) return;
    refuseUnsupported(vm, disk, operation);
    image.format = disk['FORMAT'] ?? 'raw';
    const driver = transferDriver(disk['TM_MAD']);
    const snapshot = findSnapshot(snapshotsOf(vm, operation.disk ?? -1), operation.snapshot ?? -1);
    if (!snapshot || driver.saveIgnoresSnapshot) return saveLive(cloud, vm, disk, image, operation, signal);
    await cloud.pace.pass('saveas', { signal });
    const target = cloud.layout.image(image);
    await mkdir(dirname(target), { recursive: true });
    if (driver.childSaveIsBroken && image.format === 'qcow2' && snapshot.parent !== -1) {
      image.broken = true;
      await writeFile(target, danglingOverlay(Number(disk['SIZE'] ?? 0) * 2 ** 20, String(snapshot.parent)));
      return;
    }
    await copySparse(cloud.layout.snapshot(cloud.layout.disk(cloud.world, vm, disk), snapshot.id), target, { signal });
  },
  succeed(cloud, operation) {
    const image = cloud.world.images.get(operation.image ?? -1);
    releaseVm(cloud, operation);
    if (!image || image.state !== IMAGE_STATE.LOCKED) return; // deleted by force meanwhile: oned only logs the late answer
    delete image.template['SAVE_AS_HOT'];
    cloud.engine.submit({ kind: 'image-ready', image: image.id });
  },
  fail(cloud, operation, text) {
    const vm = cloud.world.vms.get(operation.vm ?? -1);
    const image = cloud.world.images.get(operation.image ?? -1);
    if (vm) setVmError(cloud, vm, `Error executing image transfer script: ${text}`);
    releaseVm(cloud, operation);
    if (image && image.state === IMAGE_STATE.LOCKED) setImageState(image, IMAGE_STATE.ERROR); // no message on the image when cpds fails
  },
};

/** Gives the VM back, unless somebody already did by deleting the image. */
function releaseVm(cloud: Cloud, operation: Operation): void {
  const vm = cloud.world.vms.get(operation.vm ?? -1);
  const disk = vm && diskOf(vm, operation.disk ?? -1);
  if (!vm || disk?.['HOTPLUG_SAVE_AS'] !== String(operation.image)) return;
  clearSaveAs(disk);
  returnToStable(vm, operation);
}

export function clearSaveAs(disk: Vector): void {
  for (const name of ['HOTPLUG_SAVE_AS_ACTIVE', 'HOTPLUG_SAVE_AS', 'HOTPLUG_SAVE_AS_SOURCE', 'HOTPLUG_SAVE_AS_SNAPSHOT_ID']) delete disk[name];
}

async function saveLive(cloud: Cloud, vm: Vm, disk: Vector, image: Image, operation: Operation, signal: AbortSignal): Promise<void> {
  const running = operation.back?.[0] === VM_STATE.ACTIVE;
  const fuzzy = running && transferDriver(disk['TM_MAD']).liveSaveIsFuzzy;
  const source = cloud.disk(cloud.layout.disk(cloud.world, vm, disk));
  const capture = source.capture(cloud.layout.image(image), fuzzy ? 'fuzzy' : 'end', { signal });
  try {
    await cloud.pace.pass('saveas', { signal });
    await capture.copied();
  } finally {
    await capture.finish();
  }
}

/** The qcow2 family of scripts saves live on kvm only (TM/qcow2/cpds). */
function refuseUnsupported(vm: Vm, disk: Vector, operation: Operation): void {
  const vmMad = vm.history.at(-1)?.vmMad ?? 'kvm';
  const fileDriver = ['qcow2', 'shared', 'ssh', 'local'].includes(disk['TM_MAD'] ?? '');
  if (operation.back?.[0] === VM_STATE.ACTIVE && vmMad !== 'kvm' && fileDriver) throw new DriverFailure(`cpds: Live operation not supported on ${vmMad}`);
  if (disk['TM_MAD'] === 'dev') throw new DriverFailure('Operation not supported');
}

/** A qcow2 header (version 3, nothing allocated) that names a backing file which is not beside it. */
function danglingOverlay(virtualBytes: number, backingName: string): Buffer {
  const header = Buffer.alloc(512);
  header.write('QFI\xfb', 0, 'latin1');
  header.writeUInt32BE(3, 4);
  header.writeBigUInt64BE(256n, 8);
  header.writeUInt32BE(backingName.length, 16);
  header.writeUInt32BE(16, 20);
  header.writeBigUInt64BE(BigInt(virtualBytes), 24);
  header.writeUInt32BE(104, 100);
  header.write(backingName, 256, 'latin1');
  return header;
}
