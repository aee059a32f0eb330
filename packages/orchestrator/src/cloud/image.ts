import type { CallOptions } from '@onevault/base';
import { type DatastoreId, IMAGE_STATE, type Image, type ImageId, imageStateName } from '@onevault/one-client';
import { JobError } from '../errors.ts';
import { unfinishedMarks } from '../names.ts';
import type { CloudDeps } from './cloud-deps.ts';

/** Waits until an image is READY. Throws JOB_IMAGE_BROKEN when it ends in another state or disappears. */
export async function awaitReady(deps: CloudDeps, id: ImageId, options: CallOptions & { readonly timeoutMs?: number } = {}): Promise<Image> {
  const image = await deps.cloud.waitForImage(id, (now) => (now !== undefined && ON_THE_WAY.has(now.state) ? 'wait' : 'done'), {
    timeoutMs: options.timeoutMs ?? deps.patience.actionMs,
    what: `image ${id} to be READY`,
    ...(options.signal && { signal: options.signal }),
  });
  if (image === undefined) throw new JobError({ code: 'JOB_IMAGE_BROKEN', message: `image ${id} disappeared before it was READY`, details: { imageId: id } });
  if (image.state !== IMAGE_STATE.READY) throw broken(image, `is in ${imageStateName(image.state)}${image.error === undefined ? '' : `: ${image.error}`}`);
  return image;
}

/** LOCKED while a driver works on it; USED_PERS for a moment after its disk was detached. */
const ON_THE_WAY: ReadonlySet<number> = new Set([
  IMAGE_STATE.INIT,
  IMAGE_STATE.LOCKED,
  IMAGE_STATE.USED_PERS,
  IMAGE_STATE.LOCKED_USED,
  IMAGE_STATE.LOCKED_USED_PERS,
]);

export interface NewImage {
  readonly name: string;
  readonly type: 'OS' | 'DATABLOCK';
  readonly sizeMiB: number;
  readonly format: string | undefined;
  readonly persistent: boolean;
  readonly fs?: string | undefined;
  /** Of its template, beside what is above. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly datastore: DatastoreId;
}

/** An empty image. Persistent, attached, written and detached it holds the data without a second copy (opennebula.md g.4). */
export function requestEmptyImage(deps: CloudDeps, runId: string, image: NewImage): Promise<ImageId> {
  const attributes = {
    ...image.attributes,
    NAME: image.name,
    TYPE: image.type,
    SIZE: String(image.sizeMiB),
    PERSISTENT: image.persistent ? 'YES' : 'NO',
    ...unfinishedMarks(runId, image.name),
    ...(image.format !== undefined && { FORMAT: image.format }),
    ...(image.fs !== undefined && { FS: image.fs }),
  };
  return deps.cloud.allocateImage(attributes, image.datastore);
}

/** Makes an image (not) persistent and looks whether it is: that decides whether the VM that gets it writes to it or to a copy. */
export async function setPersistence(deps: CloudDeps, id: ImageId, persistent: boolean, options: CallOptions): Promise<void> {
  await awaitReady(deps, id, options);
  options.signal?.throwIfAborted();
  await deps.cloud.setImagePersistent(id, persistent);
  const image = await deps.cloud.image(id, options);
  if (image.persistent !== persistent) throw broken(image, `is still ${image.persistent ? '' : 'not '}persistent after OpenNebula said otherwise`);
}

export function broken(image: Image, why: string): JobError {
  return new JobError({
    code: 'JOB_IMAGE_BROKEN',
    message: `image ${image.id} '${image.name}' ${why}`,
    details: { imageId: image.id, state: imageStateName(image.state) },
    hint: 'look into the log of the datastore driver (/var/log/one/oned.log) on the front-end',
  });
}
