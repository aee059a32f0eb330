import { rename, rm } from 'node:fs/promises';
import type { Cloud } from '../cloud.ts';
import { copySparse } from '../disk/sparse-copy.ts';
import { diskIdOf, diskOf, snapshotsOf } from '../model/disk-vector.ts';
import { activateSnapshot, findSnapshot, removeSnapshot, totalSizeMiB } from '../model/snapshot-tree.ts';
import { VM_STATE } from '../model/states.ts';
import { diskDriver, hasOverlays, liveSnapshotAllowed, type SnapshotKind, snapshotKind, type TransferDriver } from '../model/transfer-driver.ts';
import type { Operation, Snapshot, SnapshotTree, Vm } from '../model/world-schema.ts';
import type { Vector } from '../template/attributes.ts';
import { quiesced } from './guest-pause.ts';
import { giveBackSnapshots } from './image-use.ts';
import { DriverFailure, type OperationHandler } from './operation-handler.ts';
import { beginOverlay, deleteOverlay, keepLinkedBytes } from './overlay-chain.ts';
import { returnToStable, setVmError } from './vm-change.ts';

interface Target {
  readonly vm: Vm;
  readonly disk: Vector;
  readonly tree: SnapshotTree;
  readonly snapshot: Snapshot | undefined;
  readonly diskPath: string;
  readonly driver: TransferDriver;
  readonly live: boolean;
}

function targetOf(cloud: Cloud, operation: Operation): Target | undefined {
  const vm = cloud.world.vms.get(operation.vm ?? -1);
  const disk = vm && diskOf(vm, operation.disk ?? -1);
  const tree = vm && snapshotsOf(vm, operation.disk ?? -1);
  if (!vm || !disk || !tree) return undefined;
  const live = operation.back?.[0] === VM_STATE.ACTIVE;
  const diskPath = cloud.layout.disk(cloud.world, vm, disk);
  return { vm, disk, tree, snapshot: findSnapshot(tree, operation.snapshot ?? -1), diskPath, driver: diskDriver(cloud.world, disk), live };
}

const TRANSFER_FAILED = 'Error executing image transfer script: ';
/** What a failing script of driver local prints first (measured on 7.0.2 and 7.4.0); oned drops the line breaks. */
const scriptHead = (cloud: Cloud): string =>
  `Command failed:export LANG=Cexport LC_ALL=C${cloud.world.atLeast(7, 4) ? 'export PATH=$PATH:/sbin:/usr/sbin' : ''}set -e -o pipefailvirsh --connect qemu:///system blockpull --wait`;

/** Scripts in shell name the file, those in Ruby (local) the command. */
const complaint = (cloud: Cloud, target: Target, what: string, path: string): string =>
  target.driver.relativeOverlays ? scriptHead(cloud) : `Error ${what} ${path}`;

export const snapshotCreateHandler: OperationHandler = {
  step: 'snapshot',
  async work(cloud, operation, signal) {
    const target = targetOf(cloud, operation);
    if (!target?.snapshot) return;
    const { vm, disk, driver, live, snapshot, tree } = target;
    refuseCreation(cloud, target);
    const kind = live ? snapshotKind(driver, disk) : offlineKind(snapshotKind(driver, disk));
    const bytes = kind === 'copy' || kind === 'block-copy' ? Number(disk['SIZE'] ?? 0) * 2 ** 20 : 0;
    const volume = `lv-one-${vm.id}-${diskIdOf(disk)}_s${snapshot.id}`;
    const facts = { why: 'snapshot', disk, bytes, refusal: `Error creating snapshot ${volume}` } as const;
    await quiesced(cloud, vm, live ? driver.quiesce : 'none', facts, () => copyInto(cloud, target, snapshot, { kind, bytes, signal }));
    if (kind === 'overlay') beginOverlay(tree, snapshot, live ? 'running' : operation.back?.[0] === VM_STATE.SUSPENDED ? 'suspended' : 'off');
  },
  succeed(cloud, operation) {
    const target = targetOf(cloud, operation);
    if (!target) return;
    activateSnapshot(target.tree, operation.snapshot ?? -1, false);
    settle(cloud, target, operation);
  },
  fail(cloud, operation, text) {
    const target = targetOf(cloud, operation);
    if (!target) return;
    removeSnapshot(target.tree, operation.snapshot ?? -1);
    setVmError(cloud, target.vm, (target.live ? 'DISKSNAPSHOTCREATE: ' : TRANSFER_FAILED) + text);
    settle(cloud, target, operation);
  },
};

/** The gate of one_vmm_exec.rb first, then what the script itself refuses. */
function refuseCreation(cloud: Cloud, { vm, disk, driver, live }: Target): void {
  const vmMad = vm.history.at(-1)?.vmMad ?? '';
  if (live && !liveSnapshotAllowed(cloud.world, vmMad, disk)) throw new DriverFailure('Cannot perform a live DISKSNAPSHOTCREATE operation');
  const kind = snapshotKind(driver, disk);
  if (kind === 'none') {
    // TM/ceph/snap_create on a system datastore of driver ssh; TM/common/not_supported.sh elsewhere.
    const why = disk['TM_MAD'] === 'ceph' ? `Operation not supported on disk type ${disk['TYPE'] ?? 'FILE'}` : 'Operation not supported';
    throw new DriverFailure(`${live ? 'snap_create_live' : 'snap_create'}: ${why}`);
  }
  if (live && kind === 'overlay' && vmMad === 'lxc') throw new DriverFailure('LXC driver does not support live qcow2 snapshots');
}

/** Without a running domain there is no blockcopy: the scripts `cp` (TM/ssh/snap_create, TM/local/snap_create). */
const offlineKind = (kind: SnapshotKind): SnapshotKind => (kind === 'block-copy' ? 'copy' : kind);

interface Copying {
  readonly kind: SnapshotKind;
  readonly bytes: number;
  readonly signal: AbortSignal;
}

async function copyInto(cloud: Cloud, target: Target, snapshot: Snapshot, { kind, bytes, signal }: Copying): Promise<void> {
  const instant = kind === 'block-copy' ? 'end' : 'start';
  const capture = cloud.disk(target.diskPath).capture(cloud.layout.snapshot(target.diskPath, snapshot.id), instant, { signal });
  try {
    await capture.copied();
    await cloud.pace.pass('snapshot', { signal, bytesCopied: bytes });
  } finally {
    await capture.finish();
  }
}

export const snapshotDeleteHandler: OperationHandler = {
  step: 'snapshotDelete',
  async work(cloud, operation, signal) {
    const target = targetOf(cloud, operation);
    if (!target?.snapshot) return;
    const { vm, disk, tree, snapshot, driver, live, diskPath } = target;
    const path = cloud.layout.snapshot(diskPath, snapshot.id);
    await cloud.pace.pass('snapshotDelete', { signal, bytesCopied: pulledBytes(target) });
    if (hasOverlays(driver, disk) && operation.force !== true) {
      deleteOverlay({ vm, tree, snapshot, live, relative: driver.relativeOverlays, refusal: complaint(cloud, target, 'deleting snapshot', path) });
      if (live && tree.stray === snapshot.id) await keepLinkedBytes(tree, diskPath);
    }
    await rm(path, { force: true });
    snapshot.file = 'missing'; // if the driver now fails, oned lists what is not there
  },
  succeed(cloud, operation) {
    const target = targetOf(cloud, operation);
    if (!target) return;
    removeSnapshot(target.tree, operation.snapshot ?? -1);
    settle(cloud, target, operation);
  },
  fail: failTransfer,
};

/** blockpull rewrites the whole layer of an active snapshot; here every byte of the disk, the worst there is. */
function pulledBytes({ driver, disk, snapshot }: Target): number {
  return snapshot?.active && hasOverlays(driver, disk) ? Number(disk['SIZE'] ?? 0) * 2 ** 20 : 0;
}

export const snapshotRevertHandler: OperationHandler = {
  step: 'revert',
  async work(cloud, operation, signal) {
    const target = targetOf(cloud, operation);
    if (!target?.snapshot) return;
    const { snapshot, diskPath, driver, disk } = target;
    const path = cloud.layout.snapshot(diskPath, snapshot.id);
    const overlay = hasOverlays(driver, disk);
    const whole = overlay || driver.diskType === 'RBD' ? 0 : Number(disk['SIZE'] ?? 0) * 2 ** 20;
    await cloud.pace.pass('revert', { signal, bytesCopied: whole });
    if (snapshot.file === 'missing') throw new DriverFailure(complaint(cloud, target, 'reverting snapshot to', path));
    await copySparse(path, `${diskPath}.revert`, { signal });
    await rename(`${diskPath}.revert`, diskPath);
  },
  succeed(cloud, operation) {
    const target = targetOf(cloud, operation);
    if (!target) return;
    if (target.tree.allowOrphans === 'LINEAR') {
      target.tree.snapshots = target.tree.snapshots.filter((snapshot) => snapshot.id <= (operation.snapshot ?? -1));
    }
    activateSnapshot(target.tree, operation.snapshot ?? -1, true);
    if (target.snapshot) target.disk['SIZE'] = String(target.snapshot.sizeMiB);
    settle(cloud, target, operation);
  },
  fail: failTransfer,
};

function failTransfer(cloud: Cloud, operation: Operation, text: string): void {
  const target = targetOf(cloud, operation);
  if (!target) return;
  setVmError(cloud, target.vm, TRANSFER_FAILED + text);
  settle(cloud, target, operation);
}

function settle(cloud: Cloud, target: Target, operation: Operation): void {
  delete target.disk['DISK_SNAPSHOT_ACTIVE'];
  delete target.disk['DISK_SNAPSHOT_ID'];
  target.disk['DISK_SNAPSHOT_TOTAL_SIZE'] = String(totalSizeMiB(target.tree));
  if (target.driver.lnTarget === 'NONE') giveBackSnapshots(cloud, target.vm, target.disk);
  returnToStable(target.vm, operation);
}
