import { setImageState } from '../lifecycle/image-use.ts';
import { DATASTORE_TYPE, IMAGE_STATE, IMAGE_TYPE, imageStateText, imageTypeText } from '../model/states.ts';
import type { Datastore, Image } from '../model/world-schema.ts';
import { QuotaRequest } from '../quotas/quota-check.ts';
import { newObject } from '../rights/authorization.ts';
import { action, allocate } from '../wire/refusal.ts';
import { authorizeAll, type Call, datastoreOf, onDatastore, onImage, requireQuota } from './call.ts';
import { recordImage } from './image-record.ts';

const CLONEABLE_TYPES: readonly number[] = [IMAGE_TYPE.OS, IMAGE_TYPE.DATABLOCK, IMAGE_TYPE.CDROM];
const CLONEABLE_STATES: readonly number[] = [IMAGE_STATE.READY, IMAGE_STATE.CLONE, IMAGE_STATE.USED];

/** ImageClone::request_execute (src/rm/RequestManagerImage.cc). Returns the new image's id; it is LOCKED until the copy is done. */
export function cloneImage(call: Call, source: Image, name: string, options: { readonly datastoreId: number; readonly persistent: boolean }): number {
  const { cloud } = call;
  if (!CLONEABLE_TYPES.includes(source.type)) throw action('KERNEL, RAMDISK, BACKUP and CONTEXT cannot be cloned.');
  if (source.snapshots.snapshots.length > 0) throw action('Cannot clone images with snapshots');
  const datastore = datastoreOf(call, options.datastoreId === -1 ? source.datastoreId : options.datastoreId);
  const original = datastoreOf(call, source.datastoreId);
  refuseDatastore(datastore, original);
  if (source.sizeMiB > cloud.usage(datastore).freeMiB) throw action('Not enough space in datastore');
  authorizeAll(call, [
    { operation: 'CREATE', object: newObject('IMAGE') },
    { operation: 'USE', object: onImage(source) },
    { operation: 'USE', object: onDatastore(datastore) },
    ...(original.id === datastore.id ? [] : [{ operation: 'USE', object: onDatastore(original) } as const]),
  ]);
  const request = new QuotaRequest().want('DATASTORE', datastore.id, { SIZE: source.sizeMiB, IMAGES: 1 });
  requireQuota(call, { uid: call.caller.id, gid: call.subject.gid }, request);
  const template = structuredClone(source.template);
  Object.assign(template, { NAME: [name], SIZE: [String(source.sizeMiB)], TYPE: [imageTypeText(source.type)] });
  if (options.persistent) template['PERSISTENT'] = ['YES'];
  const image = recordImage(call, datastore, template, 'clone', () => {
    if (!CLONEABLE_STATES.includes(source.state)) throw allocate('image', `Cannot clone image in state: ${imageStateText(source.state)}`);
  });
  image.format = source.format;
  image.cloningId = source.id;
  source.cloneIds.push(image.id);
  source.cloningOps = source.cloneIds.length;
  if (source.state === IMAGE_STATE.READY) setImageState(source, source.persistent ? IMAGE_STATE.CLONE : IMAGE_STATE.USED);
  cloud.engine.submit({ kind: 'image-clone', image: image.id, sourceImage: source.id });
  return image.id;
}

function refuseDatastore(target: Datastore, original: Datastore): void {
  if (target.type !== DATASTORE_TYPE.IMAGE) throw action('Clone only supported for IMAGE_DS Datastores');
  if (target.id !== original.id && target.dsMad !== original.dsMad) throw action('Clone only supported to same DS_MAD Datastores');
}
