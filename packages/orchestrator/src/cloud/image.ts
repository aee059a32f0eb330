import { type CallOptions, errorCode } from '@onevault/base';
import { type DatastoreId, type Disk, type Image, type ImageId, imageStateName, type SnapshotId, type Vm } from '@onevault/one-client';
import { JobError } from '../errors.ts';
import { RUN_MARK } from '../names.ts';
import type { CloudDeps } from './cloud-deps.ts';
import { effectMissing } from './disk-snapshot.ts';
import { settled, whenFree } from './when-free.ts';

/** Asks OpenNebula to save a disk (a snapshot of it, or as it is) as a new image. The image is LOCKED until `awaitSavedImage`. */
export function requestSaveAs(deps: CloudDeps, vm: Vm, disk: Disk, name: string, snapshot: SnapshotId | undefined, options?: CallOptions): Promise<ImageId> {
  return whenFree(deps, vm.id, `copy of disk ${disk.diskId}`, () => deps.cloud.saveDiskAs(vm.id, disk.diskId, name, snapshot), options);
}

/** Waits for the copy. READY is not yet proof that the image can be read (M.1): that is seen at the device. */
export async function awaitSavedImage(deps: CloudDeps, before: Vm, disk: Disk, id: ImageId, options: CallOptions = {}): Promise<Image> {
  const timeoutMs = deps.patience.copyMs + Math.ceil(disk.sizeMiB / 1024) * deps.patience.copyMsPerGiB;
  const after = await settled(deps, before.id, `copy of disk ${disk.diskId}`, { ...options, timeoutMs });
  const image = await awaitReady(deps, id, { ...options, timeoutMs }).catch((error: unknown) => {
    throw errorCode(error) === 'JOB_IMAGE_BROKEN'
      ? effectMissing(before, after, `copy of disk ${disk.diskId} of VM ${before.id} to image ${id} failed`)
      : error;
  });
  if (image.sizeMiB !== disk.sizeMiB) {
    throw broken(image, `has ${image.sizeMiB} MiB where disk ${disk.diskId} of VM ${before.id} has ${disk.sizeMiB} MiB`);
  }
  return image;
}

/** Waits until an image is READY. Throws JOB_IMAGE_BROKEN when it ends in ERROR or disappears. */
export async function awaitReady(deps: CloudDeps, id: ImageId, options: CallOptions & { readonly timeoutMs?: number } = {}): Promise<Image> {
  const image = await deps.cloud.waitForImage(id, (now) => (now !== undefined && imageStateName(now.state) === 'LOCKED' ? 'wait' : 'done'), {
    timeoutMs: options.timeoutMs ?? deps.patience.actionMs,
    what: `image ${id} to be READY`,
    ...(options.signal && { signal: options.signal }),
  });
  if (image === undefined) throw new JobError({ code: 'JOB_IMAGE_BROKEN', message: `image ${id} disappeared before it was READY`, details: { imageId: id } });
  if (imageStateName(image.state) === 'ERROR') throw broken(image, `is in ERROR${image.error === undefined ? '' : `: ${image.error}`}`);
  return image;
}

export interface NewImage {
  readonly runId: string;
  readonly name: string;
  readonly type: 'OS' | 'DATABLOCK';
  readonly sizeMiB: number;
  readonly format: string | undefined;
  readonly devPrefix: string | undefined;
  readonly datastore: DatastoreId;
}

/** An empty persistent image: attached, written and detached it holds the data without a second copy (opennebula.md g.4). */
export function requestEmptyImage(deps: CloudDeps, image: NewImage): Promise<ImageId> {
  const attributes = {
    NAME: image.name,
    TYPE: image.type,
    SIZE: String(image.sizeMiB),
    PERSISTENT: 'YES',
    [RUN_MARK]: image.runId,
    ...(image.format !== undefined && { FORMAT: image.format }),
    ...(image.devPrefix !== undefined && { DEV_PREFIX: image.devPrefix }),
  };
  return deps.cloud.allocateImage(attributes, image.datastore);
}

/**
 * Removes the image called `name` that the run made; nothing to do when there is none. Without an id it must carry the run's mark: a foreign image of that name is not ours to touch. A copy that still runs cannot be cancelled and is waited for.
 * When the driver cannot remove the file of a failed copy the image goes back to ERROR: then, and only then, the deletion is forced (section f).
 */
export async function removeImage(deps: CloudDeps, runId: string, name: string, id: ImageId | undefined): Promise<void> {
  const image = id === undefined ? await findOwnImage(deps, runId, name) : await imageOrNothing(deps, id);
  if (image === undefined || image.name !== name) return;
  const copyMs = deps.patience.copyMs + Math.ceil(image.sizeMiB / 1024) * deps.patience.copyMsPerGiB;
  const now = await deps.cloud.waitForImage(image.id, (seen) => (seen !== undefined && imageStateName(seen.state) === 'LOCKED' ? 'wait' : 'done'), {
    timeoutMs: copyMs,
    what: `image ${image.id} to be unlocked`,
  });
  if (now === undefined) return;
  if (imageStateName(now.state) !== 'DELETE') await deps.cloud.deleteImage(image.id);
  if ((await awaitGone(deps, image.id)) === undefined) return;
  await deps.cloud.deleteImage(image.id, { force: true });
  const left = await awaitGone(deps, image.id);
  if (left !== undefined) throw broken(left, 'cannot be deleted, not even by force');
}

async function awaitGone(deps: CloudDeps, id: ImageId): Promise<Image | undefined> {
  return deps.cloud.waitForImage(id, (now) => (now !== undefined && imageStateName(now.state) === 'DELETE' ? 'wait' : 'done'), {
    timeoutMs: deps.patience.actionMs,
    what: `image ${id} to be deleted`,
  });
}

async function findOwnImage(deps: CloudDeps, runId: string, name: string): Promise<Image | undefined> {
  for await (const image of deps.cloud.images()) {
    if (image.name === name && (name.includes(runId) || image.template[RUN_MARK] === runId)) return image;
  }
  return undefined;
}

async function imageOrNothing(deps: CloudDeps, id: ImageId): Promise<Image | undefined> {
  try {
    return await deps.cloud.image(id);
  } catch (error) {
    if (errorCode(error) === 'ONE_NO_EXISTS') return undefined;
    throw error;
  }
}

function broken(image: Image, why: string): JobError {
  return new JobError({
    code: 'JOB_IMAGE_BROKEN',
    message: `image ${image.id} '${image.name}' ${why}`,
    details: { imageId: image.id, state: imageStateName(image.state) },
    hint: 'look into the log of the datastore driver (/var/log/one/oned.log) on the front-end',
  });
}
