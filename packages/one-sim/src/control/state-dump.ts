import type { Cloud } from '../cloud.ts';
import { diskIdOf, disksOf, imageIdOf, isPersistent } from '../model/disk-vector.ts';
import { imageStateText, VM_STATE, vmStateText } from '../model/states.ts';
import type { Vm } from '../model/world-schema.ts';
import { textOf } from '../template/attributes.ts';
import type { Leftover, SimState } from './control.ts';

/** Everything a test may want to look at, without XML. */
export function stateOf(cloud: Cloud): SimState {
  const { world, layout } = cloud;
  return {
    version: world.version,
    vms: [...world.vms.values()].map((vm) => ({
      id: vm.id,
      name: vm.name,
      state: vm.state,
      lcmState: vm.lcmState,
      stateText: vmStateText(vm),
      disks: vm.state === VM_STATE.DONE ? [] : diskStates(cloud, vm),
      snapshots: vm.snapshots.flatMap((tree) =>
        tree.snapshots.map(({ id, name, active, parent }) => ({ diskId: tree.diskId ?? -1, id, name, active, parent })),
      ),
      error: textOf(vm.userTemplate, 'ERROR'),
      schedMessage: textOf(vm.userTemplate, 'SCHED_MESSAGE'),
      proxy: vm.guestTree,
    })),
    images: [...world.images.values()].map((image) => ({
      id: image.id,
      name: image.name,
      state: image.state,
      stateText: imageStateText(image.state),
      persistent: image.persistent,
      sizeMiB: image.sizeMiB,
      datastoreId: image.datastoreId,
      vmIds: image.vmIds,
      snapshotIds: image.snapshots.snapshots.map((snapshot) => snapshot.id),
      broken: image.broken,
      path: layout.image(image),
    })),
    templates: [...world.templates.values()].map(({ id, name }) => ({ id, name })),
    operations: [...world.operations.values()].map(({ kind, vm, image }) => ({ kind, vm, image })),
    waiting: [...cloud.pace.waiting],
  };
}

function diskStates(cloud: Cloud, vm: Vm): SimState['vms'][number]['disks'] {
  return disksOf(vm).map((disk) => ({
    diskId: diskIdOf(disk),
    imageId: imageIdOf(disk),
    imageName: disk['IMAGE'],
    target: disk['TARGET'] ?? '',
    serial: disk['SERIAL'],
    persistent: isPersistent(disk),
    path: cloud.layout.disk(cloud.world, vm, disk),
    guestDevice: cloud.guest(vm)?.nameOf(diskIdOf(disk)),
  }));
}

/** What of ours is still in the cloud: objects by name, attached disks by serial or image name, snapshots by name. */
export function listLeftovers(cloud: Cloud, prefix: string): Leftover[] {
  const ours = (name: string | undefined): name is string => name?.startsWith(prefix) ?? false;
  const { world } = cloud;
  const living = [...world.vms.values()].filter((vm) => vm.state !== VM_STATE.DONE);
  const named = (kind: Leftover['kind'], objects: Iterable<{ readonly id: number; readonly name: string }>): Leftover[] =>
    [...objects].filter((object) => ours(object.name)).map(({ id, name }) => ({ kind, id, name }));
  const snapshots = living.flatMap((vm) =>
    vm.snapshots
      .flatMap((tree) => tree.snapshots)
      .filter((snapshot) => ours(snapshot.name))
      .map(({ id, name }): Leftover => ({ kind: 'snapshot', id, name, vm: vm.id })),
  );
  const disks = living.flatMap((vm) =>
    disksOf(vm)
      .filter((disk) => ours(disk['SERIAL']) || ours(disk['IMAGE']))
      .map((disk): Leftover => ({ kind: 'disk', id: diskIdOf(disk), name: disk['SERIAL'] ?? disk['IMAGE'] ?? '', vm: vm.id })),
  );
  return [...named('vm', living), ...named('image', world.images.values()), ...named('template', world.templates.values()), ...snapshots, ...disks];
}
