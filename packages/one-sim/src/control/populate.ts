import { mkdir } from 'node:fs/promises';
import type { Cloud } from '../cloud.ts';
import { createSparse } from '../disk/sparse-copy.ts';
import { SimError } from '../errors.ts';
import { imageDisk } from '../methods/disk-record.ts';
import { disksOf, imageIdOf } from '../model/disk-vector.ts';
import { emptySnapshotTree } from '../model/snapshot-tree.ts';
import { DATASTORE_TYPE, IMAGE_STATE, IMAGE_TYPE, LCM_STATE, VM_STATE } from '../model/states.ts';
import type { Datastore, HistoryRecord, Image, User, Vm } from '../model/world-schema.ts';
import { textOf, type Vector } from '../template/attributes.ts';
import type { ControlInput, ControlOutput } from './control-schemas.ts';
import { userNamed } from './create-user.ts';

type Spec = ControlInput<'populate'>;

const refused = (message: string): SimError => new SimError({ code: 'SIM_CONTROL_REFUSED', message });

/**
 * Fills the world with VMs and images that look as if they had come about in the ordinary way, in a fraction of the time: no operation runs.
 * Then all of it is laid to rest, so that later changes write what they touch and not the whole cloud.
 */
export async function populate(cloud: Cloud, spec: Spec): Promise<ControlOutput<'populate'>> {
  await cloud.engine.idle();
  if (spec.images < spec.vms * spec.disksPerVm) throw refused(`${spec.vms} VMs with ${spec.disksPerVm} disks each need ${spec.vms * spec.disksPerVm} images`);
  if ([...cloud.world.images.values()].some((image) => image.name.startsWith(`${spec.prefix}-`))) throw refused(`something is named ${spec.prefix}-… already`);
  const owners = spec.owners.map((name) => userNamed(cloud, name));
  const datastores = spec.datastores.map((id) => imageDatastore(cloud, id));
  const images = Array.from({ length: spec.images }, (_, at) => addImage(cloud, spec, at, inTurn(datastores, Math.floor(at / spec.disksPerVm)), owners));
  const vms = Array.from({ length: spec.vms }, (_, at) => addVm(cloud, spec, at, images.slice(at * spec.disksPerVm, (at + 1) * spec.disksPerVm), owners));
  const backups = addBackups(cloud, spec, vms, owners);
  for (const vm of vms.slice(0, spec.withFiles)) await makeFiles(cloud, vm);
  await cloud.store.layToRest();
  return { vmIds: vms.map((vm) => vm.id), imageIds: [...images, ...backups].map((image) => image.id) };
}

function imageDatastore(cloud: Cloud, id: number): Datastore {
  const datastore = cloud.world.datastores.get(id);
  if (datastore?.type !== DATASTORE_TYPE.IMAGE) throw refused(`there is no image datastore ${id}`);
  return datastore;
}

function inTurn<T>(list: readonly T[], at: number): T {
  const item = list[at % list.length];
  if (item === undefined) throw refused('an empty list');
  return item;
}

const numbered = (spec: Spec, kind: string, at: number): string => `${spec.prefix}-${kind}-${String(at).padStart(5, '0')}`;
const permissions = [1, 1, 0, 0, 0, 0, 0, 0, 0];
const ownedBy = (user: User): { uid: number; gid: number; permissions: number[] } => ({ uid: user.id, gid: user.gid, permissions: [...permissions] });

function addImage(cloud: Cloud, spec: Spec, at: number, datastore: Datastore, owners: readonly User[]): Image {
  const format = textOf(datastore.template, 'DRIVER') ?? 'raw';
  const id = cloud.world.nextId('image');
  const image: Image = {
    id,
    name: numbered(spec, 'image', at),
    ...ownedBy(inTurn(owners, Math.floor(at / spec.disksPerVm))),
    type: at % spec.disksPerVm === 0 ? IMAGE_TYPE.OS : IMAGE_TYPE.DATABLOCK,
    persistent: at % 4 === 3,
    regtime: cloud.now(),
    modtime: cloud.now(),
    source: id.toString(16).padStart(32, '0'),
    path: '',
    format,
    fs: '',
    sizeMiB: spec.sizeMiB,
    state: IMAGE_STATE.READY,
    prevState: IMAGE_STATE.READY,
    cloningOps: 0,
    cloningId: -1,
    datastoreId: datastore.id,
    vmIds: [],
    cloneIds: [],
    template: { DEV_PREFIX: ['vd'], ...(textOf(datastore.template, 'DRIVER') === undefined ? {} : { DRIVER: [format] }) },
    snapshots: emptySnapshotTree(undefined, 'NO'),
    broken: false,
  };
  cloud.world.images.set(image.id, image);
  return image;
}

/** Most VMs run; of twenty one is suspended and one powered off. */
function stateOf(at: number): number {
  if (at % 20 === 19) return VM_STATE.SUSPENDED;
  return at % 20 === 9 ? VM_STATE.POWEROFF : VM_STATE.ACTIVE;
}

function addVm(cloud: Cloud, spec: Spec, at: number, images: readonly Image[], owners: readonly User[]): Vm {
  const id = cloud.world.nextId('vm');
  const state = stateOf(at);
  const lcmState = state === VM_STATE.ACTIVE ? LCM_STATE.RUNNING : LCM_STATE.LCM_INIT;
  const disks = images.map((image, diskId) => attach(cloud, image, id, diskId));
  const uuid = `00000000-0000-4000-8000-${id.toString(16).padStart(12, '0')}`;
  const vm: Vm = {
    id,
    name: numbered(spec, 'vm', at),
    ...ownedBy(inTurn(owners, at)),
    state,
    lcmState,
    prevState: state,
    prevLcmState: lcmState,
    stime: cloud.now(),
    etime: 0,
    deployId: uuid,
    template: {
      AUTOMATIC_DS_REQUIREMENTS: ['("CLUSTERS/ID" @> 0)'],
      AUTOMATIC_NIC_REQUIREMENTS: ['("CLUSTERS/ID" @> 0)'],
      AUTOMATIC_REQUIREMENTS: ['(CLUSTER_ID = 0) & !(PIN_POLICY = PINNED)'],
      CONTEXT: [{ DISK_ID: String(disks.length), NETWORK: 'NO', SET_HOSTNAME: numbered(spec, 'vm', at), TARGET: 'hda', TOKEN: 'NO' }],
      CPU: ['0.01'],
      DISK: disks,
      GRAPHICS: [{ LISTEN: '127.0.0.1', PORT: String(5900 + id), TYPE: 'VNC' }],
      MEMORY: ['16'],
      OS: [{ ARCH: 'x86_64', ...(cloud.world.atLeast(7, 2) ? { MACHINE: 'q35' } : {}), UUID: uuid }],
      TEMPLATE_ID: ['0'],
      TM_MAD_SYSTEM: [disks[0]?.['TM_MAD'] ?? ''],
      VCPU: ['1'],
      VMID: [String(id)],
    },
    userTemplate: {},
    history: [placed(cloud, disks[0]?.['TM_MAD'])],
    snapshots: [],
    backupConfig: {},
    guestTree: false,
  };
  cloud.world.vms.set(id, vm);
  return vm;
}

function attach(cloud: Cloud, image: Image, vmId: number, diskId: number): Vector {
  image.vmIds = [vmId];
  image.state = image.prevState = image.persistent ? IMAGE_STATE.USED_PERS : IMAGE_STATE.USED;
  const vector = imageDisk(cloud, { TARGET: `vd${String.fromCharCode(97 + diskId)}` }, image, diskId);
  return { ...vector, DISK_SNAPSHOT_TOTAL_SIZE: '0' };
}

function placed(cloud: Cloud, tmMad: string | undefined): HistoryRecord {
  const now = cloud.now();
  const host = [...cloud.world.hosts.values()][0];
  const system = [...cloud.world.datastores.values()].find((datastore) => datastore.type === DATASTORE_TYPE.SYSTEM && datastore.tmMad === tmMad);
  if (!host || !system) throw refused(`no host or system datastore of driver ${tmMad}`);
  return {
    seq: 0,
    hostName: host.name,
    hostId: host.id,
    clusterId: host.clusterId,
    stime: now,
    etime: 0,
    vmMad: host.vmMad,
    tmMad: system.tmMad,
    datastoreId: system.id,
    pstime: now,
    petime: now,
    rstime: now,
    retime: 0,
    estime: 0,
    eetime: 0,
    action: 0,
    uid: -1,
    gid: -1,
    requestId: -1,
  };
}

/** Native backups lie in the image pool too: TYPE 6, READY, counted for the VM they are of. */
function addBackups(cloud: Cloud, spec: Spec, vms: readonly Vm[], owners: readonly User[]): Image[] {
  if (spec.backupImages === 0) return [];
  const datastore = backupDatastore(cloud);
  return Array.from({ length: spec.backupImages }, (_, at) => {
    const image = addImage(cloud, spec, at, datastore, owners);
    const vm = vms.length === 0 ? undefined : inTurn(vms, at);
    image.name = numbered(spec, 'backup', at);
    Object.assign(image, { type: IMAGE_TYPE.BACKUP, persistent: true, format: 'raw', template: {}, vmIds: vm ? [vm.id] : [] });
    return image;
  });
}

function backupDatastore(cloud: Cloud): Datastore {
  const found = [...cloud.world.datastores.values()].find((datastore) => datastore.type === DATASTORE_TYPE.BACKUP);
  if (!found) throw refused('there is no datastore for backups');
  return found;
}

async function makeFiles(cloud: Cloud, vm: Vm): Promise<void> {
  await mkdir(cloud.layout.vm(vm), { recursive: true });
  for (const disk of disksOf(vm)) {
    const image = cloud.world.images.peek(imageIdOf(disk) ?? -1);
    if (!image) continue;
    await mkdir(cloud.layout.datastore(image.datastoreId), { recursive: true });
    await createSparse(cloud.layout.image(image), image.sizeMiB * 2 ** 20);
    const path = cloud.layout.disk(cloud.world, vm, disk);
    if (path !== cloud.layout.image(image)) await createSparse(path, image.sizeMiB * 2 ** 20);
  }
}
