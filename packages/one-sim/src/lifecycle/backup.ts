import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Cloud } from '../cloud.ts';
import { disksOf, imageIdOf } from '../model/disk-vector.ts';
import { emptySnapshotTree } from '../model/snapshot-tree.ts';
import { IMAGE_STATE, IMAGE_TYPE } from '../model/states.ts';
import type { Image, Operation, Vm } from '../model/world-schema.ts';
import type { OperationHandler } from './operation-handler.ts';
import { ctime, returnToStable, setVmError } from './vm-change.ts';

/** A native backup as others see it: the VM is in BACKUP for as long as its disks take, then there is an image of type BACKUP (LifeCycleStates.cc trigger_backup_success). */
export const backupHandler: OperationHandler = {
  step: 'saveas',
  async work(cloud, operation, signal) {
    const vm = cloud.world.vms.get(operation.vm ?? -1);
    if (!vm) return;
    await cloud.pace.pass('saveas', { signal, bytesCopied: sizeMiB(vm) * 2 ** 20 });
  },
  succeed(cloud, operation) {
    const vm = cloud.world.vms.get(operation.vm ?? -1);
    if (!vm) return;
    returnToStable(vm, operation);
    const incremental = vm.backupConfig['MODE']?.toUpperCase() === 'INCREMENT';
    if (incremental && (vm.backupIds ?? []).length > 0) return; // an increment of the image that is there
    vm.backupIds = [...(vm.backupIds ?? []), recordBackup(cloud, vm, operation).id];
  },
  fail(cloud, operation, text) {
    const vm = cloud.world.vms.get(operation.vm ?? -1);
    if (!vm) return;
    setVmError(cloud, vm, `BACKUP: ${text}`);
    returnToStable(vm, operation);
  },
};

/** What is copied: image disks; swap and CD never, volatile ones unless asked for. */
function sizeMiB(vm: Vm): number {
  return disksOf(vm)
    .filter((disk) => imageIdOf(disk) !== undefined && disk['TYPE'] !== 'CDROM')
    .reduce((sum, disk) => sum + Number(disk['SIZE'] ?? 0), 0);
}

function recordBackup(cloud: Cloud, vm: Vm, operation: Operation): Image {
  const now = cloud.now();
  const image: Image = {
    id: cloud.world.nextId('image'),
    name: `${vm.id} ${ctime(cloud.clock.now()).replaceAll(':', '.')}`,
    uid: vm.uid,
    gid: vm.gid,
    permissions: [...vm.permissions],
    type: IMAGE_TYPE.BACKUP,
    persistent: true,
    regtime: now,
    modtime: now,
    source: randomBytes(6).toString('hex'),
    path: '',
    format: 'raw',
    fs: '',
    sizeMiB: sizeMiB(vm),
    state: IMAGE_STATE.READY,
    prevState: IMAGE_STATE.READY,
    cloningOps: 0,
    cloningId: -1,
    datastoreId: operation.datastore ?? -1,
    vmIds: [vm.id],
    cloneIds: [],
    template: { VM_ID: [String(vm.id)] },
    snapshots: emptySnapshotTree(undefined, 'NO'),
    broken: false,
  };
  cloud.world.images.set(image.id, image);
  cloud.engine.submit({ kind: 'backup-store', image: image.id });
  return image;
}

/** The file that deleting the backup removes again. */
export const backupStoreHandler: OperationHandler = {
  step: 'saveasReady',
  async work(cloud, operation) {
    const image = cloud.world.images.get(operation.image ?? -1);
    if (!image) return;
    const path = cloud.layout.image(image);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, '');
  },
  succeed: () => undefined,
  fail: () => undefined,
};
