import type { Cloud } from '../cloud.ts';
import { acquireImage } from '../lifecycle/image-use.ts';
import { freeTarget, snapshotsOf } from '../model/disk-vector.ts';
import { totalSizeMiB } from '../model/snapshot-tree.ts';
import { IMAGE_STATE, IMAGE_TYPE } from '../model/states.ts';
import type { Image, SnapshotTree, Vm } from '../model/world-schema.ts';
import { type Need, ownedObject } from '../rights/authorization.ts';
import { type Attributes, isYes, textOf, type Vector, vectorsOf } from '../template/attributes.ts';
import type { Call } from './call.ts';

const INHERITED = [
  'ALLOW_ORPHANS',
  'CLONE_TARGET',
  'DISK_TYPE',
  'LN_TARGET',
  'LVM_THIN_ENABLE',
  'PERSISTENT_SNAPSHOTS',
  'QCOW2_STANDALONE',
  'SPARSE',
  'POOL_NAME',
  'CEPH_HOST',
  'CEPH_SECRET',
  'CEPH_USER',
];

export interface AcquiredDisk {
  readonly vector: Vector;
  readonly image: Image | undefined;
  readonly snapshots: SnapshotTree | undefined;
}

/** The image a DISK names, by id or by name and owner, to be read only; a text is the refusal. */
export function namedImage(call: Call, disk: Vector): Image | string | undefined {
  const { images, users } = call.cloud.world;
  if (disk['IMAGE_ID'] !== undefined) return images.peek(Number(disk['IMAGE_ID'])) ?? `Image with ID: ${disk['IMAGE_ID']} does not exist`;
  const name = disk['IMAGE'];
  if (name === undefined) return undefined;
  const uname = disk['IMAGE_UNAME'];
  const uid = disk['IMAGE_UID'];
  const named = uname === undefined ? call.caller.id : [...users.values()].find((user) => user.name === uname)?.id;
  const owner = uid === undefined ? named : Number(uid);
  const found = [...images.values()].find((image) => image.name === name && image.uid === owner);
  return found ?? `User ${owner ?? -1} does not own an image with name: ${name} . Set IMAGE_UNAME or IMAGE_UID of owner in DISK.`;
}

/** ImagePool::acquire_disk and Image::disk_attribute: fills a DISK vector from its image and datastore and counts the image in. A text is the refusal. */
export function acquireDisk(call: Call, vmId: number, wanted: Vector, diskId: number, attach: boolean): AcquiredDisk | string {
  const { cloud } = call;
  const named = namedImage(call, wanted);
  if (typeof named === 'string') return named;
  const image = named && cloud.world.images.get(named.id);
  if (!image) return volatileDisk(wanted, diskId);
  const sizeProblem = whyWrongSize(wanted, image);
  if (sizeProblem !== undefined) return sizeProblem;
  const refused = acquireImage(image, vmId, attach);
  if (refused !== undefined) return refused;
  const vector = imageDisk(cloud, wanted, image, diskId);
  const snapshots = image.snapshots.snapshots.length > 0 && image.persistent ? { ...structuredClone(image.snapshots), diskId } : undefined;
  vector['DISK_SNAPSHOT_TOTAL_SIZE'] = String(totalSizeMiB(snapshots));
  return { vector, image, snapshots };
}

/** VirtualMachineDisks::extended_info: the vector a DISK would become, with nothing taken; undefined for one that cannot be. */
export function describeDisk(call: Call, wanted: Vector): Vector | undefined {
  const image = namedImage(call, wanted);
  if (typeof image === 'string') return undefined;
  if (!image) {
    const volatile = volatileDisk(wanted, 0);
    return typeof volatile === 'string' ? undefined : volatile.vector;
  }
  const vector = imageDisk(call.cloud, wanted, image, 0);
  return image.persistent ? { ...vector, DISK_SNAPSHOT_TOTAL_SIZE: String(totalSizeMiB(image.snapshots)) } : vector;
}

function whyWrongSize(wanted: Vector, image: Image): string | undefined {
  if (wanted['SIZE'] === undefined) return undefined;
  const size = Number(wanted['SIZE']);
  if (image.persistent && size !== image.sizeMiB) return `SIZE attribute is not supported for persistent image [${image.id}].`;
  return size < image.sizeMiB ? `SIZE of ${size}MB is less than the image [${image.id}] size of ${image.sizeMiB}MB.` : undefined;
}

function volatileDisk(wanted: Vector, diskId: number): AcquiredDisk | string {
  const type = (wanted['TYPE'] ?? '').toLowerCase();
  if (type !== 'fs' && type !== 'swap') return `Unknown disk type ${wanted['TYPE'] ?? ''}`;
  if (!/^\d+$/.test(wanted['SIZE'] ?? '')) return 'Wrong size in disk';
  const format = wanted['FORMAT'] ?? 'raw';
  return { vector: { DEV_PREFIX: 'sd', ...wanted, DISK_ID: String(diskId), DRIVER: format, FORMAT: format }, image: undefined, snapshots: undefined };
}

/** What the image and its datastore decide, whatever the caller asked for. */
const DECIDED = ['PERSISTENT', 'CLONE', 'SAVE', 'SOURCE', 'FORMAT', 'DRIVER', 'TM_MAD', 'CLONING'];
const STILL_LOCKED: readonly number[] = [IMAGE_STATE.LOCKED_USED, IMAGE_STATE.LOCKED_USED_PERS];
/** What the image says, with INHERIT_IMAGE_ATTR of the version. */
function inheritedFromImage({ world }: Cloud): string[] {
  const since70 = world.atLeast(7, 0) ? ['SERIAL'] : [];
  const since72 = world.atLeast(7, 2) ? ['MOUNT_POINT', 'MOUNT_TAG'] : [];
  return ['TARGET', 'DEV_PREFIX', 'DISK_TYPE', ...since70, ...since72];
}

/** TYPE of a DISK by the image's type; the others' is where they lie. */
const DISK_TYPE_OF: Readonly<Record<number, string>> = { [IMAGE_TYPE.CDROM]: 'CDROM', [IMAGE_TYPE.FILESYSTEM]: 'FILESYSTEM' };

/** Image::disk_attribute: what a DISK of that image becomes. */
export function imageDisk(cloud: Cloud, wanted: Vector, image: Image, diskId: number): Vector {
  const datastore = cloud.world.datastores.get(image.datastoreId);
  const cdrom = image.type === IMAGE_TYPE.CDROM;
  const readonly = cdrom || textOf(image.template, 'PERSISTENT_TYPE')?.toUpperCase() === 'IMMUTABLE';
  const vector: Vector = { ...wanted };
  for (const name of DECIDED) delete vector[name];
  inherit(vector, datastore?.template ?? {}, INHERITED);
  inherit(vector, image.template, inheritedFromImage(cloud));
  vector['DISK_TYPE'] ??= 'FILE';
  vector['DEV_PREFIX'] ??= cdrom ? 'hd' : 'sd';
  Object.assign(vector, {
    CLONE: image.persistent || readonly ? 'NO' : 'YES',
    DATASTORE_ID: String(image.datastoreId),
    DISK_ID: String(diskId),
    DRIVER: image.format,
    FORMAT: image.format,
    IMAGE: image.name,
    IMAGE_ID: String(image.id),
    IMAGE_STATE: String(image.state),
    ORIGINAL_SIZE: String(image.sizeMiB),
    READONLY: readonly || isYes(vector['READONLY']) ? 'YES' : 'NO',
    SAVE: image.persistent ? 'YES' : 'NO',
    SIZE: wanted['SIZE'] ?? String(image.sizeMiB),
    SOURCE: cloud.layout.image(image),
    TYPE: DISK_TYPE_OF[image.type] ?? vector['DISK_TYPE'],
  });
  if (datastore) Object.assign(vector, { CLUSTER_ID: datastore.clusterIds.join(','), DATASTORE: datastore.name, TM_MAD: datastore.tmMad });
  if (image.persistent) vector['PERSISTENT'] = 'YES';
  if (STILL_LOCKED.includes(image.state)) vector['CLONING'] = 'YES';
  return vector;
}

/** Keeps what the vector already says. */
function inherit(vector: Vector, template: Attributes, names: readonly string[]): void {
  for (const name of names) {
    const value = textOf(template, name);
    if (value !== undefined) vector[name] ??= value;
  }
}

/** TARGET as given, or the first free one of the prefix; undefined when it is taken. */
export function assignTarget(vector: Vector, used: Set<string>): boolean {
  const target = vector['TARGET'];
  if (target !== undefined && target !== '') {
    if (used.has(target)) return false;
    used.add(target);
    return true;
  }
  const free = freeTarget(vector['DEV_PREFIX'] ?? 'sd', used);
  vector['TARGET'] = free;
  used.add(free);
  return true;
}

/** VirtualMachine::set_auth_request: USE on every image the disks name, and on every network and security group of the NICs. */
export function useNeeds(call: Call, attributes: Attributes): Need[] {
  const { world } = call.cloud;
  const images = vectorsOf(attributes, 'DISK').flatMap((disk) => {
    const image = namedImage(call, disk);
    return typeof image === 'object' ? [ownedObject('IMAGE', image)] : [];
  });
  const nics = [...vectorsOf(attributes, 'NIC'), ...vectorsOf(attributes, 'NIC_ALIAS')].flatMap((nic) => {
    const network = [...world.networks.values()].find((candidate) =>
      nic['NETWORK_ID'] === undefined ? candidate.name === nic['NETWORK'] : candidate.id === Number(nic['NETWORK_ID']),
    );
    const groups = (nic['SECURITY_GROUPS'] ?? '').split(',').map((id) => world.securityGroups.get(Number(id || -1)));
    return [...(network ? [ownedObject('NET', network)] : []), ...groups.filter((group) => group !== undefined).map((group) => ownedObject('SECGROUP', group))];
  });
  return [...images, ...nics].map((object) => ({ operation: 'USE', object }));
}

export function adoptSnapshots(vm: Vm, diskId: number, tree: SnapshotTree | undefined): void {
  if (tree && !snapshotsOf(vm, diskId)) vm.snapshots.push(tree);
}
