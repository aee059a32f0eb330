import { join } from 'node:path';
import { diskIdOf, imageIdOf, isPersistent } from './model/disk-vector.ts';
import type { World } from './model/world.ts';
import type { Image, Vm } from './model/world-schema.ts';
import type { Vector } from './template/attributes.ts';

/** The only place that knows a path under the state directory. */
export class Layout {
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  datastore(id: number): string {
    return join(this.dir, 'datastores', String(id));
  }

  image(image: Image): string {
    return image.source === '' ? '' : join(this.datastore(image.datastoreId), image.source);
  }

  vm(vm: Vm): string {
    return join(this.datastore(vm.history.at(-1)?.datastoreId ?? 0), String(vm.id));
  }

  /** The file the guest has: the image's own when persistent and linked to (LN_TARGET NONE), the VM's copy otherwise. */
  disk(world: World, vm: Vm, disk: Vector): string {
    const imageId = imageIdOf(disk);
    const image = imageId === undefined ? undefined : world.images.peek(imageId);
    const linked = image !== undefined && isPersistent(disk) && disk['LN_TARGET'] !== 'SYSTEM';
    return linked ? this.image(image) : join(this.vm(vm), `disk.${diskIdOf(disk)}`);
  }

  snapshot(diskPath: string, snapshotId: number): string {
    return join(`${diskPath}.snap`, String(snapshotId));
  }

  snapshotDir(diskPath: string): string {
    return `${diskPath}.snap`;
  }

  /** The root directory of a proxy VM's guest. */
  guest(vmId: number): string {
    return join(this.dir, 'proxy', String(vmId));
  }

  /** Devices are built here and renamed into the guest's tree whole. */
  guestStaging(vmId: number): string {
    return join(this.dir, 'proxy', `.staging-${vmId}`);
  }
}
