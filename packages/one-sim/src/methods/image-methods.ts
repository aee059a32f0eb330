import { stat } from 'node:fs/promises';
import { imageBody } from '../bodies/image-body.ts';
import { setImageState } from '../lifecycle/image-use.ts';
import { clearSaveAs } from '../lifecycle/saveas.ts';
import { setVmState } from '../lifecycle/vm-change.ts';
import { disksOf } from '../model/disk-vector.ts';
import { DATASTORE_TYPE, IMAGE_STATE, IMAGE_TYPE, imageStateText } from '../model/states.ts';
import { transferDriver } from '../model/transfer-driver.ts';
import type { Image } from '../model/world-schema.ts';
import { mergeAttributes, setText, takeText, textOf } from '../template/attributes.ts';
import { action, allocate, internal, noExists } from '../wire/refusal.ts';
import { attributesOf, authorize, type Call, imageOf, type Method, RIGHT } from './call.ts';
import { recordImage } from './image-record.ts';
import { selectPool } from './pool-filter.ts';

const info: Method = (call) => {
  const image = imageOf(call, call.params.int(1));
  authorize(call, image, 'IMAGE', RIGHT.USE, { ignoreLock: true });
  return imageBody(call.cloud.world, image, call.cloud.layout.image(image));
};

const poolInfo: Method = (call) => {
  const images = selectPool(call, call.cloud.world.images.values());
  return `<IMAGE_POOL>${images.map((image) => imageBody(call.cloud.world, image, call.cloud.layout.image(image))).join('')}</IMAGE_POOL>`;
};

/** one.image.allocate: an empty datablock from SIZE, or a copy of the file PATH names. */
const allocateImage: Method = async (call) => {
  const { cloud, params } = call;
  const template = attributesOf(params.string(1));
  const datastoreId = params.int(2);
  const unchecked = params.boolean(3, false) && call.isAdmin;
  const datastore = cloud.world.datastores.get(datastoreId);
  if (!datastore) throw noExists('datastore', datastoreId);
  if (datastore.type !== DATASTORE_TYPE.IMAGE && datastore.type !== DATASTORE_TYPE.FILE) {
    throw internal('New images can only be allocated in a files or image datastore.');
  }
  const path = textOf(template, 'PATH');
  if (path !== undefined) setText(template, 'SIZE', String(await sizeOfFile(path)));
  if (!/^\d+$/.test(textOf(template, 'SIZE') ?? '')) throw internal('Cannot parse image SIZE: Wrong number or missing SIZE attribute.');
  if (!unchecked && Number(textOf(template, 'SIZE')) > cloud.usage(datastore).freeMiB) throw action('Not enough space in datastore');
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

const deleteImage: Method = (call) => {
  const { cloud, params } = call;
  const image = imageOf(call, params.int(1));
  const force = params.boolean(2, false);
  const locked = image.state === IMAGE_STATE.LOCKED;
  authorize(call, image, 'IMAGE', locked ? RIGHT.ADMIN : RIGHT.MANAGE);
  if (locked && !force) throw internal(LOCKED_ADVICE);
  if (image.state === IMAGE_STATE.CLONE) throw action(`Cannot delete image. There are ${image.cloningOps} active clone operations.`);
  if (IN_USE.includes(image.state)) throw action(`Cannot delete image. There are ${image.vmIds.length} VMs using it.`);
  if (locked) releaseSavingVm(call, image);
  setImageState(image, IMAGE_STATE.DELETE);
  for (const operation of [...cloud.world.operations.values()]) {
    const superseded = operation.image === image.id && (operation.kind === 'image-ready' || operation.kind === 'image-create');
    if (superseded) cloud.engine.abandon(operation.id);
  }
  cloud.engine.submit({ kind: 'image-delete', image: image.id, force });
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

const IN_USE: readonly number[] = [IMAGE_STATE.USED, IMAGE_STATE.CLONE, IMAGE_STATE.USED_PERS, IMAGE_STATE.LOCKED_USED, IMAGE_STATE.LOCKED_USED_PERS];

const persistent: Method = (call) => {
  const image = imageOf(call, call.params.int(1));
  const wanted = call.params.boolean(2);
  authorize(call, image, 'IMAGE', RIGHT.MANAGE);
  if (image.type === IMAGE_TYPE.KERNEL || image.type === IMAGE_TYPE.RAMDISK || image.type === IMAGE_TYPE.CONTEXT) {
    throw action('KERNEL, RAMDISK and CONTEXT must be non-persistent');
  }
  const datastore = call.cloud.world.datastores.get(image.datastoreId);
  if (datastore?.dsMad === 'lvm' && image.persistent !== wanted) throw internal("lvm datastores doesn't support change of image persistency.");
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
  authorize(call, image, 'IMAGE', RIGHT.MANAGE);
  const from: readonly number[] = [IMAGE_STATE.READY, IMAGE_STATE.DISABLED, IMAGE_STATE.ERROR];
  if (!from.includes(image.state)) throw internal(`Could not ${wanted ? 'enable' : 'disable'} image: Image cannot be in state ${imageStateText(image.state)}.`);
  setImageState(image, wanted ? IMAGE_STATE.READY : IMAGE_STATE.DISABLED);
  return image.id;
};

const chtype: Method = (call) => {
  const image = imageOf(call, call.params.int(1));
  const type = Object.entries(IMAGE_TYPE).find(([name]) => name === call.params.string(2).toUpperCase())?.[1];
  authorize(call, image, 'IMAGE', RIGHT.MANAGE);
  const exchangeable: readonly (number | undefined)[] = [IMAGE_TYPE.OS, IMAGE_TYPE.CDROM, IMAGE_TYPE.DATABLOCK];
  if (type === undefined || !exchangeable.includes(type) || !exchangeable.includes(image.type)) {
    throw action('Cannot change image type to an incompatible type for the current datastore.');
  }
  image.type = type;
  return image.id;
};

const update: Method = (call) => {
  const image = imageOf(call, call.params.int(1));
  const attributes = attributesOf(call.params.string(2));
  authorize(call, image, 'IMAGE', RIGHT.MANAGE);
  for (const fixed of ['NAME', 'SIZE', 'SOURCE', 'FORMAT', 'TYPE']) takeText(attributes, fixed);
  image.template = call.params.int(3, 0) === 1 ? mergeAttributes(image.template, attributes) : attributes;
  return image.id;
};

const clone: Method = (call) => {
  const { cloud, params } = call;
  const source = imageOf(call, params.int(1));
  const name = params.string(2);
  const wanted = params.int(3, -1);
  authorize(call, source, 'IMAGE', RIGHT.USE);
  const datastore = cloud.world.datastores.get(wanted === -1 ? source.datastoreId : wanted);
  if (!datastore) throw noExists('datastore', wanted);
  if (datastore.dsMad !== cloud.world.datastores.get(source.datastoreId)?.dsMad) throw action('Clone only supported to same DS_MAD');
  if (source.snapshots.snapshots.length > 0) throw action('Cannot clone images with snapshots');
  const cloneable: readonly number[] = [IMAGE_STATE.READY, IMAGE_STATE.CLONE, IMAGE_STATE.USED];
  if (!cloneable.includes(source.state)) throw allocate('image', `Cannot clone image in state: ${imageStateText(source.state)}`);
  if (source.sizeMiB > cloud.usage(datastore).freeMiB) throw action('Not enough space in datastore');
  const template = structuredClone(source.template);
  const type = Object.entries(IMAGE_TYPE).find(([, number]) => number === source.type)?.[0] ?? 'OS';
  Object.assign(template, { NAME: [name], SIZE: [String(source.sizeMiB)], TYPE: [type] });
  const image = recordImage(call, datastore, template, 'clone');
  image.format = source.format;
  image.cloningId = source.id;
  source.cloneIds.push(image.id);
  source.cloningOps = source.cloneIds.length;
  if (source.state === IMAGE_STATE.READY) setImageState(source, source.persistent ? IMAGE_STATE.CLONE : IMAGE_STATE.USED);
  cloud.engine.submit({ kind: 'image-clone', image: image.id, sourceImage: source.id });
  return image.id;
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
