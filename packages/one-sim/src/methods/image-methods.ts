import { stat } from 'node:fs/promises';
import { imageBody } from '../bodies/image-body.ts';
import { setImageState } from '../lifecycle/image-use.ts';
import { clearSaveAs } from '../lifecycle/saveas.ts';
import { setVmState } from '../lifecycle/vm-change.ts';
import { disksOf } from '../model/disk-vector.ts';
import { DATASTORE_TYPE, IMAGE_STATE, IMAGE_TYPE, imageStateText } from '../model/states.ts';
import { transferDriver } from '../model/transfer-driver.ts';
import type { Image } from '../model/world-schema.ts';
import { QuotaRequest } from '../quotas/quota-check.ts';
import { newObject } from '../rights/authorization.ts';
import { isYes, mergeAttributes, setText, takeText, textOf } from '../template/attributes.ts';
import { action, allocate, ERROR_CODE, internal, Refusal } from '../wire/refusal.ts';
import { attributesOf, authorize, authorizeAll, type Call, datastoreOf, imageOf, type Method, onDatastore, onImage, readImage, requireQuota } from './call.ts';
import { cloneImage } from './image-clone.ts';
import { recordImage } from './image-record.ts';
import { selectPool } from './pool-filter.ts';
import { refuseRestrictedImage } from './restricted.ts';

const info: Method = (call) => {
  const image = readImage(call, call.params.int(1));
  authorize(call, 'USE', onImage(image), { ignoreLock: true });
  return imageBody(call.cloud.world, image, call.cloud.layout.image(image));
};

const poolInfo: Method = (call) => {
  const images = selectPool(call, 'IMAGE', call.cloud.world.images.values());
  return `<IMAGE_POOL>${images.map((image) => imageBody(call.cloud.world, image, call.cloud.layout.image(image))).join('')}</IMAGE_POOL>`;
};

/** one.image.allocate: an empty datablock from SIZE, or a copy of the file PATH names (ImageAllocate::request_execute). */
const allocateImage: Method = async (call) => {
  const { cloud, params } = call;
  const template = attributesOf(params.string(1));
  const datastore = datastoreOf(call, params.int(2));
  const unchecked = call.isAdmin && params.boolean(3, false);
  if (datastore.type !== DATASTORE_TYPE.IMAGE && datastore.type !== DATASTORE_TYPE.FILE) {
    throw allocate('image', 'New images can only be allocated in a files or image datastore.');
  }
  const path = textOf(template, 'PATH');
  if (path !== undefined) setText(template, 'SIZE', String(await sizeOfFile(path)));
  if (!/^\d+$/.test(textOf(template, 'SIZE') ?? '')) throw internal('Cannot parse image SIZE: Wrong number or missing SIZE attribute.');
  const sizeMiB = Number(textOf(template, 'SIZE'));
  if (!unchecked && sizeMiB > cloud.usage(datastore).freeMiB) throw action('Not enough space in datastore');
  refuseRestrictedImage(call, template);
  authorizeAll(call, [
    { operation: 'CREATE', object: newObject('IMAGE') },
    { operation: 'USE', object: onDatastore(datastore) },
  ]);
  requireQuota(call, { uid: call.caller.id, gid: call.subject.gid }, new QuotaRequest().want('DATASTORE', datastore.id, { SIZE: sizeMiB, IMAGES: 1 }));
  const image = recordImage(call, datastore, template, 'new');
  cloud.engine.submit({ kind: 'image-create', image: image.id });
  return image.id;
};

/** The datastore driver's `stat`: whole MiB, rounded up. */
async function sizeOfFile(path: string): Promise<number> {
  const facts = await stat(path).catch(() => undefined);
  if (!facts?.isFile()) throw internal(`Cannot determine Image SIZE. Error getting file size: ${path}`);
  return Math.ceil(facts.size / 2 ** 20);
}

const LOCKED_ADVICE = 'Image locked, use --force flag to remove the image. Force delete may leave some files on Datastore';

/** ImageDelete: `force` is written on the image before anybody asked whether the caller may, and counts for every later deletion too. */
const deleteImage: Method = (call) => {
  const { cloud, params } = call;
  const image = imageOf(call, params.int(1));
  const force = params.boolean(2, false);
  const locked = LOCKED_STATES.includes(image.state);
  if (locked && !force) throw internal(LOCKED_ADVICE);
  if (force) setText(image.template, 'FORCE_DELETE', 'YES');
  authorize(call, locked ? 'ADMIN' : 'MANAGE', onImage(image));
  if (image.state === IMAGE_STATE.CLONE) throw action(`Cannot delete image. There are ${image.cloningOps} active clone operations.`);
  if (IN_USE.includes(image.state)) throw action(`Cannot delete image. There are ${image.vmIds.length} VMs using it.`);
  if (locked) releaseSavingVm(call, image);
  setImageState(image, IMAGE_STATE.DELETE);
  for (const operation of [...cloud.world.operations.values()]) {
    const superseded = operation.image === image.id && (operation.kind === 'image-ready' || operation.kind === 'image-create');
    if (superseded) cloud.engine.abandon(operation.id);
  }
  cloud.engine.submit({ kind: 'image-delete', image: image.id, force: isYes(textOf(image.template, 'FORCE_DELETE')) });
  return image.id;
};

/** Deleting the LOCKED target of a saveas gives the VM back at once (ImageManagerActions.cc, delete_image). */
function releaseSavingVm(call: Call, image: Image): void {
  const { world } = call.cloud;
  const saving = [...world.operations.values()].find((operation) => operation.kind === 'saveas' && operation.image === image.id);
  const vm = saving && world.vms.get(saving.vm ?? -1);
  if (!vm || !saving.back) return;
  for (const disk of disksOf(vm)) if (disk['HOTPLUG_SAVE_AS'] === String(image.id)) clearSaveAs(disk);
  setVmState(vm, saving.back[0], saving.back[1]);
}

const LOCKED_STATES: readonly number[] = [IMAGE_STATE.LOCKED, IMAGE_STATE.LOCKED_USED, IMAGE_STATE.LOCKED_USED_PERS];
const IN_USE: readonly number[] = [IMAGE_STATE.USED, IMAGE_STATE.CLONE, IMAGE_STATE.USED_PERS, IMAGE_STATE.LOCKED_USED, IMAGE_STATE.LOCKED_USED_PERS];

const persistent: Method = (call) => {
  const image = imageOf(call, call.params.int(1));
  const wanted = call.params.boolean(2);
  authorize(call, 'MANAGE', onImage(image));
  if (image.persistent === wanted) return image.id;
  const datastore = call.cloud.world.datastores.get(image.datastoreId);
  if (datastore?.dsMad === 'lvm') throw internal("lvm datastores doesn't support change of image persistency.");
  if (image.type === IMAGE_TYPE.KERNEL || image.type === IMAGE_TYPE.RAMDISK || image.type === IMAGE_TYPE.CONTEXT) {
    throw action('KERNEL, RAMDISK and CONTEXT must be non-persistent');
  }
  if (image.type === IMAGE_TYPE.BACKUP) throw action('BACKUP images must be persistent');
  if (!wanted && transferDriver(call.cloud.world, datastore?.tmMad).persistentOnly) throw internal('This Datastore only accepts persistent images.');
  const refused = `Could not make image ${wanted ? 'persistent' : 'non-persistent'}:`;
  if (!wanted && image.snapshots.snapshots.length > 0) throw internal(`${refused} Image has snapshots.`);
  if (IN_USE.includes(image.state)) throw internal(`${refused} Image cannot be in state ${imageStateText(image.state)}.`);
  image.persistent = wanted;
  return image.id;
};

const enable: Method = (call) => {
  const image = imageOf(call, call.params.int(1));
  const wanted = call.params.boolean(2);
  authorize(call, 'MANAGE', onImage(image));
  const refused = `Could not ${wanted ? 'enable' : 'disable'} image:`;
  if (image.type === IMAGE_TYPE.BACKUP) throw internal(`${refused} Backup images cannot be enabled or disabled.`);
  const from: readonly number[] = [IMAGE_STATE.READY, IMAGE_STATE.DISABLED, IMAGE_STATE.ERROR];
  if (!from.includes(image.state)) throw internal(`${refused} Image cannot be in state ${imageStateText(image.state)}.`);
  setImageState(image, wanted ? IMAGE_STATE.READY : IMAGE_STATE.DISABLED);
  return image.id;
};

const chtype: Method = (call) => {
  const image = imageOf(call, call.params.int(1));
  const type = Object.entries(IMAGE_TYPE).find(([name]) => name === call.params.string(2).toUpperCase())?.[1];
  authorize(call, 'MANAGE', onImage(image));
  if (image.type === IMAGE_TYPE.BACKUP) throw action('Cannot change type for BACKUP images.');
  const exchangeable: readonly (number | undefined)[] = [IMAGE_TYPE.OS, IMAGE_TYPE.CDROM, IMAGE_TYPE.DATABLOCK];
  if (type === undefined || exchangeable.includes(type) !== exchangeable.includes(image.type)) {
    throw action('Cannot change image type to an incompatible type for the current datastore.');
  }
  if (type === IMAGE_TYPE.CDROM && image.snapshots.snapshots.length > 0) throw internal('Image with snapshots can be only of type OS or DATABLOCK');
  image.type = type;
  return image.id;
};

const update: Method = (call) => {
  const image = imageOf(call, call.params.int(1));
  const text = call.params.string(2);
  const append = call.params.int(3, 0);
  authorize(call, 'MANAGE', onImage(image));
  if (append < 0 || append > 1) throw new Refusal(ERROR_CODE.XML_RPC_API, 'Wrong update type');
  const attributes = attributesOf(text);
  if (!call.isAdmin && 'SOURCE' in attributes) throw internal('Cannot update template. Tried to change restricted attribute: SOURCE');
  for (const fixed of ['NAME', 'SIZE', 'SOURCE', 'FORMAT', 'TYPE']) takeText(attributes, fixed);
  image.template = append === 1 ? mergeAttributes(image.template, attributes) : attributes;
  return image.id;
};

const clone: Method = (call) => {
  const { params } = call;
  const source = imageOf(call, params.int(1));
  const name = params.string(2);
  return cloneImage(call, source, name, { datastoreId: params.int(3, -1), persistent: false });
};

export const imageMethods: Readonly<Record<string, Method>> = {
  'one.image.info': info,
  'one.imagepool.info': poolInfo,
  'one.image.allocate': allocateImage,
  'one.image.delete': deleteImage,
  'one.image.persistent': persistent,
  'one.image.enable': enable,
  'one.image.chtype': chtype,
  'one.image.update': update,
  'one.image.clone': clone,
};
