import { rename, rm } from 'node:fs/promises';
import type { Cloud } from '../cloud.ts';
import { copySparse } from '../disk/sparse-copy.ts';
import { diskOf, snapshotsOf } from '../model/disk-vector.ts';
import { activateSnapshot, findSnapshot, removeSnapshot, totalSizeMiB } from '../model/snapshot-tree.ts';
import { VM_STATE } from '../model/states.ts';
import { liveSnapshotAllowed, transferDriver } from '../model/transfer-driver.ts';
import type { Operation, Snapshot, SnapshotTree, Vm } from '../model/world-schema.ts';
import type { Vector } from '../template/attributes.ts';
import { giveBackSnapshots } from './image-use.ts';
import { DriverFailure, type OperationHandler } from './operation-handler.ts';
import { returnToStable, setVmError } from './vm-change.ts';

interface Target {
  readonly vm: Vm;
  readonly disk: Vector;
  readonly tree: SnapshotTree;
  readonly snapshot: Snapshot | undefined;
  readonly diskPath: string;
  readonly live: boolean;
}

function targetOf(cloud: Cloud, operation: Operation): Target | undefined {
  const vm = cloud.world.vms.get(operation.vm ?? -1);
  const disk = vm && diskOf(vm, operation.disk ?? -1);
  const tree = vm && snapshotsOf(vm, operation.disk ?? -1);
  if (!vm || !disk || !tree) return undefined;
  const live = operation.back?.[0] === VM_STATE.ACTIVE;
  return { vm, disk, tree, snapshot: findSnapshot(tree, operation.snapshot ?? -1), diskPath: cloud.layout.disk(cloud.world, vm, disk), live };
}

const TRANSFER_FAILED = 'Error executing image transfer script: ';
/** What a failing transfer script of 7.x prints first; oned drops the line breaks. */
const SCRIPT_HEAD = 'Command failed:export LANG=Cexport LC_ALL=Cset -e -o pipefailvirsh --connect qemu:///system blockpull --wait';

export const snapshotCreateHandler: OperationHandler = {
  step: 'snapshot',
  async work(cloud, operation, signal) {
    const target = targetOf(cloud, operation);
    if (!target) return;
    const { vm, disk, diskPath, live } = target;
    if (live && !liveSnapshotAllowed(cloud.world, vm.history.at(-1)?.vmMad ?? '', disk['TM_MAD'])) {
      throw new DriverFailure('Cannot perform a live DISKSNAPSHOTCREATE operation');
    }
    if (!transferDriver(disk['TM_MAD']).snapshots) throw new DriverFailure(`Operation not supported on disk type ${disk['DISK_TYPE'] ?? 'FILE'}`);
    const capture = cloud.disk(diskPath).capture(cloud.layout.snapshot(diskPath, operation.snapshot ?? -1), 'start', { signal });
    try {
      await cloud.pace.pass('snapshot', { signal, bytesCopied: copiedBytes(disk) });
    } finally {
      await capture.finish();
    }
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

export const snapshotDeleteHandler: OperationHandler = {
  step: 'snapshotDelete',
  async work(cloud, operation, signal) {
    const target = targetOf(cloud, operation);
    if (!target?.snapshot) return;
    await cloud.pace.pass('snapshotDelete', { signal });
    const onlyBase = target.tree.snapshots.length === 1 && target.snapshot.active && target.snapshot.parent === -1;
    const stays = transferDriver(target.disk['TM_MAD']).baseSnapshotStays && target.disk['FORMAT'] === 'qcow2';
    if (target.live && onlyBase && stays) throw new DriverFailure(SCRIPT_HEAD);
    await rm(cloud.layout.snapshot(target.diskPath, target.snapshot.id), { force: true });
  },
  succeed(cloud, operation) {
    const target = targetOf(cloud, operation);
    if (!target) return;
    removeSnapshot(target.tree, operation.snapshot ?? -1);
    settle(cloud, target, operation);
  },
  fail: failTransfer,
};

export const snapshotRevertHandler: OperationHandler = {
  step: 'revert',
  async work(cloud, operation, signal) {
    const target = targetOf(cloud, operation);
    if (!target?.snapshot) return;
    await cloud.pace.pass('revert', { signal });
    await copySparse(cloud.layout.snapshot(target.diskPath, target.snapshot.id), `${target.diskPath}.revert`, { signal });
    await rename(`${target.diskPath}.revert`, target.diskPath);
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
  if (transferDriver(target.disk['TM_MAD']).lnTarget === 'NONE') giveBackSnapshots(cloud, target.vm, target.disk);
  returnToStable(target.vm, operation);
}

/** A raw file, and anything on ssh, is snapshotted by copying it whole. */
function copiedBytes(disk: Vector): number {
  const whole = disk['TM_MAD'] === 'ssh' || (disk['FORMAT'] === 'raw' && disk['DISK_TYPE'] !== 'RBD');
  return whole ? Number(disk['SIZE'] ?? 0) * 2 ** 20 : 0;
}
