import type { CallOptions } from '@onevault/base';
import { type Image, imageId, type OneApi } from '@onevault/one-client';
import type { CloudObject } from '../cloud-object.ts';
import { OVERWRITING_STATE, STATE_MARK } from '../names.ts';
import type { CloudDeps } from './cloud-deps.ts';
import { unlessGone } from './gone.ts';
import { setPersistence } from './image.ts';

type OverwriteObject = Extract<CloudObject, { readonly kind: 'overwrite' }>;

export function findOverwritten(cloud: OneApi, object: OverwriteObject, options: CallOptions): Promise<Image | undefined> {
  return unlessGone(cloud.image(imageId(object.imageId), options));
}

/**
 * An image that was made persistent so that what is written stays becomes what it was. What it holds cannot be taken back: it keeps the mark that says so
 * until somebody writes it to its end. Answers whether its persistence had to change.
 */
export async function giveBackPersistence(deps: CloudDeps, object: OverwriteObject): Promise<boolean> {
  const image = await findOverwritten(deps.cloud, object, {});
  if (image === undefined || image.name !== object.name || image.persistent === object.persistent) return false;
  await setPersistence(deps, image.id, object.persistent, {});
  return true;
}

/** Neither what it was nor what it shall be. */
export function isHalfWritten(image: Pick<Image, 'template'>): boolean {
  return image.template[STATE_MARK] === OVERWRITING_STATE;
}
