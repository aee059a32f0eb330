import { clearSaveAs } from '../lifecycle/saveas.ts';
import { setVmState } from '../lifecycle/vm-change.ts';
import { diskOf, imageIdOf, snapshotsOf } from '../model/disk-vector.ts';
import { findSnapshot } from '../model/snapshot-tree.ts';
import { IMAGE_TYPE, imageTypeText, LCM_STATE, VM_STATE } from '../model/states.ts';
import type { Image, Vm } from '../model/world-schema.ts';
import { QuotaRequest } from '../quotas/quota-check.ts';
import { newObject } from '../rights/authorization.ts';
import { type Attributes, setText, textOf, type Vector } from '../template/attributes.ts';
import { action, internal } from '../wire/refusal.ts';
import { authorizeAll, type Call, imageOf, type Method, onDatastore, requireQuota, vmNeed, vmOf } from './call.ts';
import { recordImage } from './image-record.ts';

const TRANSIENT: Readonly<Partial<Record<number, number>>> = {
  [VM_STATE.POWEROFF]: LCM_STATE.HOTPLUG_SAVEAS_POWEROFF,
  [VM_STATE.SUSPENDED]: LCM_STATE.HOTPLUG_SAVEAS_SUSPENDED,
  [VM_STATE.UNDEPLOYED]: LCM_STATE.HOTPLUG_SAVEAS_UNDEPLOYED,
  [VM_STATE.STOPPED]: LCM_STATE.HOTPLUG_SAVEAS_STOPPED,
};

/** one.vm.disksaveas (VirtualMachineAPI::disk_save_as): the state is toggled first and toggled back by any refusal. */
const saveAs: Method = (call) => {
  const { cloud, params } = call;
  const vm = vmOf(call, params.int(1));
  const diskId = params.int(2);
  const name = params.string(3);
  const type = params.string(4, '');
  const snapshotId = params.int(5, -1);
  const back: [number, number] = [vm.state, vm.lcmState];
  const running = vm.state === VM_STATE.ACTIVE && vm.lcmState === LCM_STATE.RUNNING;
  const transient = running ? LCM_STATE.HOTPLUG_SAVEAS : vm.lcmState === 0 ? TRANSIENT[vm.state] : undefined;
  if (transient === undefined) throw internal('VM has to be RUNNING, POWEROFF or SUSPENDED to save disks.');
  setVmState(vm, VM_STATE.ACTIVE, transient);
  try {
    const disk = savableDisk(vm, diskId, snapshotId);
    const image = newImage(call, vm, disk, name, type);
    disk['HOTPLUG_SAVE_AS_ACTIVE'] = 'YES';
    disk['HOTPLUG_SAVE_AS'] = String(image.id);
    disk['HOTPLUG_SAVE_AS_SOURCE'] = cloud.layout.image(image);
    disk['HOTPLUG_SAVE_AS_SNAPSHOT_ID'] = String(snapshotId);
    cloud.engine.submit({ kind: 'saveas', vm: vm.id, disk: diskId, snapshot: snapshotId, image: image.id, back });
    return image.id;
  } catch (error) {
    const disk = diskOf(vm, diskId);
    if (disk) clearSaveAs(disk);
    setVmState(vm, back[0], back[1]);
    throw error;
  }
};

function savableDisk(vm: Vm, diskId: number, snapshotId: number): Vector {
  const disk = diskOf(vm, diskId);
  if (!disk) throw internal('Cannot use DISK. DISK does not exist.');
  if (imageIdOf(disk) === undefined) throw internal('Cannot use DISK. DISK does not have a valid IMAGE_ID.');
  if (snapshotId !== -1 && !findSnapshot(snapshotsOf(vm, diskId), snapshotId)) throw internal('Cannot use DISK. Snapshot does not exist.');
  return disk;
}

function newImage(call: Call, vm: Vm, disk: Vector, name: string, type: string): Image {
  const { cloud } = call;
  const source = imageOf(call, imageIdOf(disk) ?? -1);
  const savable: readonly number[] = [IMAGE_TYPE.OS, IMAGE_TYPE.DATABLOCK, IMAGE_TYPE.CDROM];
  if (!savable.includes(source.type)) {
    throw internal(`Cannot ${cloud.world.atLeast(7, 2) ? 'save an' : 'save_as'} image of type ${imageTypeText(source.type)}`);
  }
  const datastore = cloud.world.datastores.get(source.datastoreId);
  if (!datastore) throw internal('Datastore no longer exists');
  if (Number(disk['SIZE'] ?? 0) > cloud.usage(datastore).freeMiB) throw action('Not enough space in datastore');
  authorizeAll(call, [
    vmNeed(call, vm, 'disk-saveas'),
    { operation: 'CREATE', object: newObject('IMAGE') },
    { operation: 'USE', object: onDatastore(datastore) },
  ]);
  const request = new QuotaRequest().want('DATASTORE', datastore.id, { SIZE: Number(disk['SIZE'] ?? 0), IMAGES: 1 });
  requireQuota(call, { uid: call.caller.id, gid: call.subject.gid }, request);
  const template: Attributes = {
    SAVED_IMAGE_ID: [String(source.id)],
    SAVED_DISK_ID: [disk['DISK_ID'] ?? ''],
    SAVED_VM_ID: [String(vm.id)],
    SAVE_AS_HOT: ['YES'],
  };
  setText(template, 'NAME', name);
  setText(template, 'SIZE', disk['SIZE'] ?? '0');
  setText(template, 'TYPE', type === '' ? imageTypeText(source.type) : type);
  for (const copied of ['TARGET', 'DEV_PREFIX']) {
    const value = textOf(source.template, copied);
    if (value !== undefined) setText(template, copied, value);
  }
  return recordImage(call, datastore, template, 'save_as');
}

export const vmSaveAsMethods: Readonly<Record<string, Method>> = { 'one.vm.disksaveas': saveAs };
