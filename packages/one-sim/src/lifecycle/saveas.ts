import { mkdir, open, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Cloud } from '../cloud.ts';
import type { CaptureInstant } from '../disk/disk-file.ts';
import { copySparse } from '../disk/sparse-copy.ts';
import { diskOf, snapshotsOf } from '../model/disk-vector.ts';
import { findSnapshot } from '../model/snapshot-tree.ts';
import { IMAGE_STATE, VM_STATE } from '../model/states.ts';
import { diskDriver, hasOverlays, type TransferDriver } from '../model/transfer-driver.ts';
import type { Image, Operation, Snapshot, Vm } from '../model/world-schema.ts';
import { setText, type Vector } from '../template/attributes.ts';
import { quiesced } from './guest-pause.ts';
import { setImageState } from './image-use.ts';
import { DriverFailure, type OperationHandler } from './operation-handler.ts';
import { refuseFullDatastore } from './space.ts';
import { ctime, returnToStable, setVmError } from './vm-change.ts';

interface Saving {
  readonly cloud: Cloud;
  readonly vm: Vm;
  readonly disk: Vector;
  readonly image: Image;
  readonly driver: TransferDriver;
  readonly running: boolean;
  readonly bytes: number;
  readonly target: string;
  readonly signal: AbortSignal;
}

export const saveasHandler: OperationHandler = {
  step: 'saveas',
  async work(cloud, operation, signal) {
    const saving = savingOf(cloud, operation, signal);
    if (!saving) return;
    const { driver, disk, image, vm } = saving;
    refuseUnsupported(saving, operation);
    image.format = disk['FORMAT'] ?? 'raw';
    refuseFullDatastore(cloud, image);
    const snapshot = findSnapshot(snapshotsOf(vm, operation.disk ?? -1), operation.snapshot ?? -1);
    if (!snapshot || driver.saveOfSnapshot === 'ignores') return saveDisk(saving);
    await saveSnapshot(saving, snapshot);
  },
  /** The transfer breaks off: half a file is there. */
  async half(cloud, operation, signal) {
    await this.work(cloud, operation, signal);
    const saving = savingOf(cloud, operation, signal);
    if (!saving) return;
    const file = await open(saving.target, 'r+');
    try {
      await file.truncate(Math.floor(saving.bytes / 2));
    } finally {
      await file.close();
    }
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
    const early = operation.failPhase === 'mkfs';
    const format = vm && diskOf(vm, operation.disk ?? -1)?.['FORMAT'];
    if (vm && !early) setVmError(cloud, vm, `Error executing image transfer script: ${text}`);
    releaseVm(cloud, operation);
    if (!image || image.state !== IMAGE_STATE.LOCKED) return;
    setImageState(image, IMAGE_STATE.ERROR); // no message on the image when cpds fails (LifeCycleStates.cc trigger_saveas_failure)
    if (early) setText(image.template, 'ERROR', `${ctime(cloud.clock.now())} : Error creating datablock: ${text}`); // ImageManagerProtocol.cc, mkfs
    if (early) return;
    image.format = format ?? image.format; // mkfs, which went well, gave it
    delete image.template['SAVE_AS_HOT'];
  },
};

function savingOf(cloud: Cloud, operation: Operation, signal: AbortSignal): Saving | undefined {
  const vm = cloud.world.vms.get(operation.vm ?? -1);
  const disk = vm && diskOf(vm, operation.disk ?? -1);
  const image = cloud.world.images.get(operation.image ?? -1);
  if (!vm || !disk || !image) return undefined;
  const running = operation.back?.[0] === VM_STATE.ACTIVE;
  const bytes = Number(disk['SIZE'] ?? 0) * 2 ** 20;
  return { cloud, vm, disk, image, driver: diskDriver(cloud.world, disk), running, bytes, target: cloud.layout.image(image), signal };
}

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

async function saveSnapshot({ cloud, vm, disk, image, driver, bytes, target, signal }: Saving, snapshot: Snapshot): Promise<void> {
  await cloud.pace.pass('saveas', { signal, bytesCopied: bytes });
  const chained = hasOverlays(driver, disk);
  // TM/local/cpds knows no .current pointer: a snapshot that was committed into its neighbour's file is not where it looks.
  if (snapshot.file === 'missing' || (snapshot.file === 'moved' && driver.relativeOverlays)) throw new DriverFailure(`Could not move image ${target}`);
  await mkdir(dirname(target), { recursive: true });
  // TM/local/cpds converts links only, and a snapshot's file is none: the overlay is copied as it is.
  if (chained && driver.relativeOverlays && snapshot.parent !== -1) {
    image.broken = true;
    await writeFile(target, danglingOverlay(bytes, String(snapshot.parent)));
    return;
  }
  await copySparse(cloud.layout.snapshot(cloud.layout.disk(cloud.world, vm, disk), snapshot.id), target, { signal });
}

/** saveas -1, or of a driver that copies the current volume whatever it is asked for (TM/fs_lvm/cpds). */
async function saveDisk(saving: Saving): Promise<void> {
  const { cloud, vm, disk, driver, running, bytes } = saving;
  if (!running) return capture(saving, 'end');
  const facts = { why: 'saveas', disk, bytes, refusal: 'Could not domfsfreeze or suspend domain' } as const;
  switch (driver.liveSave) {
    case 'block-copy':
      if (!cloud.faults.takeForBlockCopy()) return capture(saving, 'end');
      return quiesced(cloud, vm, 'freeze-or-suspend', facts, () => capture(saving, 'start')); // TM/qcow2/cpds: then frozen or suspended for the whole copy
    case 'frozen-copy':
      return quiesced(cloud, vm, 'freeze-or-suspend', facts, () => capture(saving, 'start'));
    case 'temporary-snapshot':
      return capture(saving, 'start');
    case 'fuzzy':
      return capture(saving, 'fuzzy');
    case 'none':
      throw new DriverFailure('cpds: Operation not supported');
  }
}

async function capture({ cloud, vm, disk, bytes, target, signal }: Saving, instant: CaptureInstant): Promise<void> {
  const copy = cloud.disk(cloud.layout.disk(cloud.world, vm, disk)).capture(target, instant, { signal });
  try {
    await copy.copied();
    await cloud.pace.pass('saveas', { signal, bytesCopied: bytes });
  } finally {
    await copy.finish();
  }
}

const KVM_ONLY = new Set(['qcow2', 'shared', 'ssh', 'local']);

function refuseUnsupported({ vm, disk, driver, running }: Saving, operation: Operation): void {
  const vmMad = vm.history.at(-1)?.vmMad ?? 'kvm';
  const onSsh = disk['TM_MAD'] === 'ceph' && disk['TM_MAD_SYSTEM'] === 'ssh';
  const script = onSsh ? 'cpds.ssh' : 'cpds';
  if (driver.liveSave === 'none') throw new DriverFailure('cpds: Operation not supported');
  // LCM_STATE 26 and VM_MAD other than kvm: also with a snapshot (TM/qcow2/cpds, TM/ssh/cpds, TM/local/cpds, TM/ceph/cpds.ssh).
  if (running && vmMad !== 'kvm' && (onSsh || KVM_ONLY.has(disk['TM_MAD'] ?? '')))
    throw new DriverFailure(`${script}: Live operation not supported on ${vmMad}`);
  const placeless = operation.back?.[0] === VM_STATE.UNDEPLOYED || operation.back?.[0] === VM_STATE.STOPPED;
  if (placeless && !driver.savesUndeployed) throw new DriverFailure('cpds.ssh: Operation not supported on undeployed/stopped');
  if (operation.snapshot !== -1 && driver.saveOfSnapshot === 'fails') {
    throw new DriverFailure(`cpds.ssh: Operation not supported on disk type ${disk['TYPE'] ?? 'FILE'} with snapshots`);
  }
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
