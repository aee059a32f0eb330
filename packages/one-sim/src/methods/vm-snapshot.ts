import { copyHistory, setVmState } from '../lifecycle/vm-change.ts';
import { diskOf, imageIdOf, isPersistent, isReadonly, snapshotsOf } from '../model/disk-vector.ts';
import { createSnapshot, emptySnapshotTree, findSnapshot, resolveOrphans, totalSizeMiB, whyNotDeletable } from '../model/snapshot-tree.ts';
import { ACTION, LCM_STATE, VM_STATE, vmStateText } from '../model/states.ts';
import type { World } from '../model/world.ts';
import type { SnapshotTree, Vm } from '../model/world-schema.ts';
import type { Vector } from '../template/attributes.ts';
import { action } from '../wire/refusal.ts';
import { actor, authorizeAll, type Call, imageOf, type Method, onImage, vmNeed, vmOf } from './call.ts';
import { chargeGrowth, growsImage } from './disk-quota.ts';

/** The transient LCM state of an operation by the state it starts in; a missing one is a refusal. */
type Transients = Readonly<Partial<Record<number, number>>>;

const CREATE: Transients = {
  [VM_STATE.ACTIVE]: LCM_STATE.DISK_SNAPSHOT,
  [VM_STATE.POWEROFF]: LCM_STATE.DISK_SNAPSHOT_POWEROFF,
  [VM_STATE.SUSPENDED]: LCM_STATE.DISK_SNAPSHOT_SUSPENDED,
};
const DELETE: Transients = {
  [VM_STATE.ACTIVE]: LCM_STATE.DISK_SNAPSHOT_DELETE,
  [VM_STATE.POWEROFF]: LCM_STATE.DISK_SNAPSHOT_DELETE_POWEROFF,
  [VM_STATE.SUSPENDED]: LCM_STATE.DISK_SNAPSHOT_DELETE_SUSPENDED,
};
const REVERT: Transients = { [VM_STATE.POWEROFF]: LCM_STATE.DISK_SNAPSHOT_REVERT_POWEROFF };

function transientOf(vm: Vm, transients: Transients, refused: string): number {
  const stable = vm.state !== VM_STATE.ACTIVE || vm.lcmState === LCM_STATE.RUNNING;
  const transient = stable ? transients[vm.state] : undefined;
  if (transient === undefined) throw action(`${refused} VM ${vm.id}, wrong state ${vmStateText(vm)}.`);
  return transient;
}

const create: Method = (call) => {
  const { cloud, params } = call;
  const vm = vmOf(call, params.int(1));
  const diskId = params.int(2);
  const name = params.string(3);
  if (vm.backupConfig['MODE']?.toUpperCase() === 'INCREMENT') throw action('Action "disk-snapshot-create" is not compatible with incremental backups');
  const disk = diskOf(vm, diskId);
  if (!disk) throw action('VM disk does not exist');
  refuseUnsupported(cloud.world, disk);
  authorizeOnDisk(call, vm, disk, growsImage(disk));
  chargeGrowth(call, vm, disk, Number(disk['SIZE'] ?? 0));
  const transient = transientOf(vm, CREATE, 'Could not create a new snapshot for');
  const readonly = isReadonly(disk);
  if (readonly) throw action('Cannot make snapshots on readonly disks');

  let tree = snapshotsOf(vm, diskId);
  if (!tree) {
    tree = emptySnapshotTree(diskId, resolveOrphans(disk['ALLOW_ORPHANS'], disk['FORMAT'] ?? 'raw'));
    vm.snapshots.push(tree);
    vm.snapshots.sort((a, b) => (a.diskId ?? 0) - (b.diskId ?? 0));
  }
  const snapshot = createSnapshot(tree, name, Number(disk['SIZE'] ?? 0), cloud.now());
  disk['DISK_SNAPSHOT_TOTAL_SIZE'] = String(totalSizeMiB(tree));
  begin(call, vm, disk, snapshot.id, transient, 'snapshot-create');
  return snapshot.id;
};

/** 7.2 and later name the type, earlier ones the kind (VirtualMachineDisk.cc:269, VirtualMachineAPI.cc@7.4.0). */
function refuseUnsupported(world: World, disk: Vector): void {
  if (imageIdOf(disk) !== undefined && disk['TYPE'] !== 'FILESYSTEM') return;
  throw action(world.atLeast(7, 2) ? `Cannot make snapshots on disks of type: ${disk['TYPE'] ?? ''}` : 'Cannot make snapshots on volatile disks');
}

const remove: Method = (call) => {
  const { params } = call;
  const vm = vmOf(call, params.int(1));
  const diskId = params.int(2);
  const snapshotId = params.int(3);
  const disk = diskOf(vm, diskId);
  if (!disk) throw action('VM disk does not exist');
  authorizeOnDisk(call, vm, disk, isPersistent(disk));
  const transient = transientOf(vm, DELETE, 'Could not delete disk snapshot from');
  const reason = whyNotDeletable(treeOf(vm, diskId), snapshotId, isPersistent(disk));
  if (reason !== undefined) throw action(reason);
  begin(call, vm, disk, snapshotId, transient, 'snapshot-delete');
  return vm.id;
};

const revert: Method = (call) => {
  const { params } = call;
  const vm = vmOf(call, params.int(1));
  const diskId = params.int(2);
  const snapshotId = params.int(3);
  authorizeAll(call, [vmNeed(call, vm, 'disk-snapshot')]);
  const transient = transientOf(vm, REVERT, 'Could not revert to disk snapshot for');
  const disk = diskOf(vm, diskId);
  if (!disk) throw action('VM disk does not exist');
  if (!findSnapshot(treeOf(vm, diskId), snapshotId)) throw action(`Disk id (${diskId}) or snapshot id (${snapshotId}) is not valid.`);
  begin(call, vm, disk, snapshotId, transient, 'snapshot-revert');
  return vm.id;
};

const rename: Method = (call) => {
  const { params } = call;
  const vm = vmOf(call, params.int(1));
  const diskId = params.int(2);
  authorizeAll(call, [vmNeed(call, vm, 'disk-snapshot')]);
  if (!diskOf(vm, diskId)) throw action('VM disk does not exist');
  const snapshot = findSnapshot(treeOf(vm, diskId), params.int(3));
  if (!snapshot) throw action('Snapshot does not exist');
  snapshot.name = params.string(4);
  return vm.id;
};

function treeOf(vm: Vm, diskId: number): SnapshotTree {
  const tree = snapshotsOf(vm, diskId);
  if (!tree) throw action('Snapshot does not exist');
  return tree;
}

/** MANAGE on the VM, and on the image when the operation concerns it. */
function authorizeOnDisk(call: Call, vm: Vm, disk: Vector, withImage: boolean): void {
  const imageId = imageIdOf(disk);
  const image = withImage && imageId !== undefined ? imageOf(call, imageId) : undefined;
  authorizeAll(call, [vmNeed(call, vm, 'disk-snapshot'), ...(image ? [{ operation: 'MANAGE', object: onImage(image) } as const] : [])]);
}

const HISTORY_ACTION = {
  'snapshot-create': ACTION.DISK_SNAPSHOT_CREATE,
  'snapshot-delete': ACTION.DISK_SNAPSHOT_DELETE,
  'snapshot-revert': ACTION.DISK_SNAPSHOT_REVERT,
} as const;

function begin(call: Call, vm: Vm, disk: Vector, snapshotId: number, transient: number, kind: keyof typeof HISTORY_ACTION): void {
  const back: [number, number] = [vm.state, vm.lcmState];
  disk['DISK_SNAPSHOT_ACTIVE'] = 'YES';
  disk['DISK_SNAPSHOT_ID'] = String(snapshotId);
  copyHistory(call.cloud, vm, HISTORY_ACTION[kind], actor(call));
  setVmState(vm, VM_STATE.ACTIVE, transient);
  call.cloud.engine.submit({ kind, vm: vm.id, disk: Number(disk['DISK_ID']), snapshot: snapshotId, back });
}

export const vmSnapshotMethods: Readonly<Record<string, Method>> = {
  'one.vm.disksnapshotcreate': create,
  'one.vm.disksnapshotdelete': remove,
  'one.vm.disksnapshotrevert': revert,
  'one.vm.disksnapshotrename': rename,
};
