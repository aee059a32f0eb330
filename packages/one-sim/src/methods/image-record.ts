import { randomBytes } from 'node:crypto';
import { emptySnapshotTree } from '../model/snapshot-tree.ts';
import { DATASTORE_TYPE, IMAGE_STATE, IMAGE_TYPE } from '../model/states.ts';
import { transferDriver } from '../model/transfer-driver.ts';
import type { VersionGate } from '../model/version.ts';
import type { Datastore, Image } from '../model/world-schema.ts';
import { type Attributes, isYes, takeText, textOf } from '../template/attributes.ts';
import { allocate } from '../wire/refusal.ts';
import { type Call, ownedBy, whyInvalidName } from './call.ts';

/** How the bytes of a new image come about; decides its FORMAT. */
export type ImageOrigin = 'save_as' | 'clone' | 'new';

/** ImagePool::allocate and Image::insert: checks the template and records a LOCKED image. `check` comes after the name's uniqueness. */
export function recordImage(call: Call, datastore: Datastore, template: Attributes, origin: ImageOrigin, check?: () => void): Image {
  const { cloud } = call;
  if (!isYes(textOf(template, 'PERSISTENT')) && origin === 'new' && transferDriver(cloud.world, datastore.tmMad).persistentOnly) {
    throw allocate('image', 'This Datastore only accepts persistent images.');
  }
  const name = takeText(template, 'NAME') ?? '';
  const invalid = whyInvalidName(name);
  if (invalid !== undefined) throw allocate('image', invalid);
  const taken = [...cloud.world.images.values()].find((image) => image.uid === call.caller.id && image.name === name);
  const type = imageType(cloud.world, takeText(template, 'TYPE') || 'OS');
  refuseWrongDatastore(datastore, type);
  if (taken) throw allocate('image', `NAME is already taken by IMAGE ${taken.id}.`);
  check?.();
  const disk = DISK_TYPES.includes(type);
  const persistent = isYes(takeText(template, 'PERSISTENT')) && disk;
  if (disk) template['DEV_PREFIX'] ??= [type === IMAGE_TYPE.CDROM ? 'hd' : 'sd'];
  else delete template['DEV_PREFIX'];
  const sizeMiB = Number(takeText(template, 'SIZE') ?? 0);
  const path = takeText(template, 'PATH') ?? '';
  const fs = takeText(template, 'FS') ?? '';
  const format = imageFormat(template, datastore, type, path, origin);
  const now = cloud.now();
  const image: Image = {
    id: cloud.world.nextId('image'),
    name,
    ...ownedBy(call),
    type,
    persistent,
    regtime: now,
    modtime: now,
    source: randomBytes(16).toString('hex'),
    path,
    format,
    fs,
    sizeMiB,
    state: IMAGE_STATE.LOCKED,
    prevState: IMAGE_STATE.LOCKED,
    cloningOps: 0,
    cloningId: -1,
    datastoreId: datastore.id,
    vmIds: [],
    cloneIds: [],
    template,
    snapshots: emptySnapshotTree(undefined, 'NO'), // whatever the datastore says: a VM's disk brings its own mode back (Image.cc)
    broken: false,
  };
  cloud.world.images.set(image.id, image);
  return image;
}

const DISK_TYPES: readonly number[] = [IMAGE_TYPE.OS, IMAGE_TYPE.DATABLOCK, IMAGE_TYPE.CDROM];

/** Which types a datastore takes (ImagePool::allocate). */
function refuseWrongDatastore(datastore: Datastore, type: number): void {
  const isDisk = DISK_TYPES.includes(type) || type === IMAGE_TYPE.FILESYSTEM;
  if (isDisk && datastore.type !== DATASTORE_TYPE.IMAGE) {
    throw allocate('image', 'Only IMAGES of type KERNEL, RAMDISK and CONTEXT can be registered in a FILE_DS datastore');
  }
  if (!isDisk && datastore.type !== DATASTORE_TYPE.FILE) {
    throw allocate('image', 'IMAGES of type KERNEL, RAMDISK and CONTEXT cannot be registered in an IMAGE_DS datastore');
  }
}

function imageType(world: VersionGate, text: string): number {
  const type = Object.entries(IMAGE_TYPE).find(([name]) => name === text.toUpperCase());
  if (!type || (type[1] === IMAGE_TYPE.FILESYSTEM && !world.atLeast(7, 2))) throw allocate('image', `Unknown type ${text}`);
  return type[1];
}

/** MKFS precedence: datastore DRIVER, image FORMAT, raw. The driver tells the format of a copied file: here always raw unless the datastore converts. */
function imageFormat(template: Attributes, datastore: Datastore, type: number, path: string, origin: ImageOrigin): string {
  const wanted = takeText(template, 'FORMAT');
  delete template['DRIVER'];
  delete template['TM_MAD'];
  if (origin !== 'new') return 'save_as';
  const driver = textOf(datastore.template, 'DRIVER');
  if (path !== '') return driver ?? (wanted ?? 'raw').toLowerCase();
  const empty: readonly number[] = [IMAGE_TYPE.OS, IMAGE_TYPE.DATABLOCK, IMAGE_TYPE.FILESYSTEM];
  if (!empty.includes(type)) throw allocate('image', 'No PATH nor SOURCE in template.');
  if (driver === undefined) return (wanted ?? 'raw').toLowerCase();
  template['DRIVER'] = [driver];
  return driver;
}
