import { type CallOptions, errorCode } from '@onevault/base';
import { IMAGE_STATE, type Image, type ImageId, type OneApi } from '@onevault/one-client';
import type { CloudObject } from '../cloud-object.ts';
import { isMeantToStay, RUN_MARK } from '../names.ts';
import { type CloudDeps, copyPatienceMs } from './cloud-deps.ts';
import { objectChanged, unlessGone } from './gone.ts';
import { broken } from './image.ts';

type ImageObject = Extract<CloudObject, { readonly kind: 'image' }>;

/** The image that the run made, by id or else by name. Without an id it must say itself that the run made it: a foreign image of that name is not ours. */
export async function findOwnImage(
  cloud: OneApi,
  runId: string,
  object: ImageObject,
  id: ImageId | undefined,
  options: CallOptions = {},
): Promise<Image | undefined> {
  const { name } = object;
  if (id !== undefined) {
    const image = await unlessGone(cloud.image(id, options));
    if (image !== undefined && image.name !== name) throw objectChanged(`image ${id}, made as '${name}', is called '${image.name}' now`, { imageId: id });
    return image;
  }
  for await (const image of cloud.images(options)) {
    if (image.name === name && (name.includes(runId) || image.template[RUN_MARK] === runId || isSavedFrom(image, object))) return image;
  }
  return undefined;
}

/** Saved from a disk of our image, and not yet marked: disksaveas writes that, and nobody else. */
function isSavedFrom({ template }: Image, { savedFrom }: ImageObject): boolean {
  return savedFrom !== undefined && template['SAVED_IMAGE_ID'] === String(savedFrom);
}

/**
 * Removes the image that the run made; answers whether there was one. A copy that still runs cannot be cancelled and is waited for; one that never
 * ends, and a failed one whose file the driver cannot remove, is deleted by force: then, and only then (section f).
 */
export async function removeImage(deps: CloudDeps, runId: string, object: ImageObject, id: ImageId | undefined): Promise<boolean> {
  const image = await findOwnImage(deps.cloud, runId, object, id);
  // The copy that became a disk when an exchange was taken back.
  if (image === undefined || isMeantToStay(image.template)) return false;
  const stuck = await isStuck(deps, image);
  if (!stuck && (await deleted(deps, image.id, false)) === undefined) return true;
  const left = await deleted(deps, image.id, true);
  if (left !== undefined) throw broken(left, 'cannot be deleted, not even by force');
  return true;
}

/** How long the VM that used an image may take to let go of it after the detach, or after its own end, was reported. */
const RELEASE_MS = 30_000;

async function isStuck(deps: CloudDeps, image: Image): Promise<boolean> {
  const copied = await waitedFor(deps, image, copyPatienceMs(deps.patience, image.sizeMiB), LOCKED);
  if (copied) await waitedFor(deps, image, RELEASE_MS, USED); // still used: the refusal will say so
  return !copied;
}

const LOCKED: ReadonlySet<number> = new Set([IMAGE_STATE.INIT, IMAGE_STATE.LOCKED]);
const USED: ReadonlySet<number> = new Set([IMAGE_STATE.USED, IMAGE_STATE.USED_PERS, IMAGE_STATE.LOCKED_USED, IMAGE_STATE.LOCKED_USED_PERS]);

/** False when the image is in one of the states for longer than that. */
async function waitedFor(deps: CloudDeps, image: Image, timeoutMs: number, states: ReadonlySet<number>): Promise<boolean> {
  try {
    await deps.cloud.waitForImage(image.id, (now) => (now !== undefined && states.has(now.state) ? 'wait' : 'done'), {
      timeoutMs,
      what: `image ${image.id} to be free`,
    });
    return true;
  } catch (error) {
    if (errorCode(error) === 'ONE_WAIT_TIMEOUT') return false;
    throw error;
  }
}

/** Asks for the deletion and waits for it; answers what is left. */
async function deleted(deps: CloudDeps, id: ImageId, force: boolean): Promise<Image | undefined> {
  const now = await unlessGone(deps.cloud.image(id));
  if (now === undefined) return undefined;
  if (force || now.state !== IMAGE_STATE.DELETE) await unlessGone(deps.cloud.deleteImage(id, { force }));
  return deps.cloud.waitForImage(id, (seen) => (seen?.state === IMAGE_STATE.DELETE ? 'wait' : 'done'), {
    timeoutMs: deps.patience.actionMs,
    what: `image ${id} to be deleted`,
  });
}
