import { stat, truncate } from 'node:fs/promises';
import type { Cloud } from '../cloud.ts';
import { diskOf, imageIdOf, isPersistent } from '../model/disk-vector.ts';
import type { Operation, Vm } from '../model/world-schema.ts';
import type { Vector } from '../template/attributes.ts';
import type { OperationHandler } from './operation-handler.ts';
import { returnToStable, setVmError } from './vm-change.ts';

/** Grows a disk: its file, DISK/SIZE, and IMAGE/SIZE of a persistent one. */
export const resizeHandler: OperationHandler = {
  step: 'resize',
  async work(cloud, operation, signal) {
    const found = targetOf(cloud, operation);
    if (!found) return;
    await cloud.pace.pass('resize', { signal });
    const path = cloud.layout.disk(cloud.world, found.vm, found.disk);
    const bytes = (operation.sizeMiB ?? 0) * 2 ** 20;
    if ((await stat(path)).size < bytes) await truncate(path, bytes);
  },
  succeed(cloud, operation) {
    const found = targetOf(cloud, operation);
    if (!found) return;
    const image = cloud.world.images.get(imageIdOf(found.disk) ?? -1);
    if (image && isPersistent(found.disk)) image.sizeMiB = operation.sizeMiB ?? image.sizeMiB;
    settle(found.vm, found.disk, operation);
  },
  fail(cloud, operation, text) {
    const found = targetOf(cloud, operation);
    if (!found) return;
    found.disk['SIZE'] = found.disk['SIZE_PREV'] ?? found.disk['SIZE'] ?? '0';
    setVmError(cloud, found.vm, `RESIZEDISK: ${text}`);
    settle(found.vm, found.disk, operation);
  },
};

function targetOf(cloud: Cloud, operation: Operation): { readonly vm: Vm; readonly disk: Vector } | undefined {
  const vm = cloud.world.vms.get(operation.vm ?? -1);
  const disk = vm && diskOf(vm, operation.disk ?? -1);
  return vm && disk ? { vm, disk } : undefined;
}

function settle(vm: Vm, disk: Vector, operation: Operation): void {
  delete disk['RESIZE'];
  delete disk['SIZE_PREV'];
  returnToStable(vm, operation);
}

/** CPU and MEMORY of a running VM; what was asked for is in its template already. */
export const capacityHandler: OperationHandler = {
  step: 'resize',
  work: (cloud, _operation, signal) => cloud.pace.pass('resize', { signal }),
  succeed(cloud, operation) {
    const vm = cloud.world.vms.get(operation.vm ?? -1);
    if (vm) returnToStable(vm, operation);
  },
  fail(cloud, operation, text) {
    const vm = cloud.world.vms.get(operation.vm ?? -1);
    if (!vm) return;
    setVmError(cloud, vm, `RESIZE: ${text}`);
    returnToStable(vm, operation);
  },
};
