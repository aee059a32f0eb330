import { type CallOptions, errorCode } from '@onevault/base';
import type { Image, ImageId, SnapshotId, Vm } from '@onevault/one-client';
import { text } from '../attributes.ts';
import { type CloudDeps, copyPatienceMs } from './cloud-deps.ts';
import { effectMissing } from './disk-snapshot.ts';
import { awaitReady, broken } from './image.ts';
import type { Send } from './send.ts';
import { assertUntouched, type Planned } from './unchanged.ts';
import { settled, whenFree } from './when-free.ts';

/** Asks OpenNebula to save a disk (a snapshot of it, or as it is) as a new image. The image is LOCKED until `awaitSavedImage`. */
export function requestSaveAs(
  deps: CloudDeps,
  planned: Planned,
  name: string,
  snapshot: SnapshotId | undefined,
  send: Send,
  options?: CallOptions,
): Promise<ImageId> {
  const { vm, disk } = planned;
  const request = (now: Vm): Promise<ImageId> => {
    assertUntouched(now, planned);
    return send(() => deps.cloud.saveDiskAs(vm.id, disk.diskId, name, snapshot));
  };
  return whenFree(deps, vm.id, `copy of disk ${disk.diskId}`, request, options);
}

/** What was asked for: this image, of this snapshot of this disk. */
export interface SavedAs extends Planned {
  readonly imageId: ImageId;
  readonly snapshot: SnapshotId | undefined;
}

/**
 * Waits for the copy, and looks whether it is the one that was asked for: while it runs by what the VM says it saves, afterwards by the image itself.
 * READY is not yet proof that the image can be read (M.1): that is seen at the device.
 */
export async function awaitSavedImage(deps: CloudDeps, asked: SavedAs, options: CallOptions = {}): Promise<Image> {
  const { vm: before, disk, imageId } = asked;
  const timeoutMs = copyPatienceMs(deps.patience, disk.sizeMiB);
  const seen = (now: Vm): void => assertSaves(now, asked);
  const after = await settled(deps, before.id, `copy of disk ${disk.diskId}`, { ...options, timeoutMs, seen });
  assertUntouched(after, asked);
  const image = await awaitReady(deps, imageId, { ...options, timeoutMs }).catch((error: unknown) => {
    throw errorCode(error) === 'JOB_IMAGE_BROKEN'
      ? effectMissing(before, after, `copy of disk ${disk.diskId} of VM ${before.id} to image ${imageId} failed`)
      : error;
  });
  assertIsCopy(image, asked);
  return image;
}

const LIVE = '-1';

/** HOTPLUG_SAVE_AS_SNAPSHOT_ID stands on the disk while the copy runs: a name that somebody resolves wrongly, or a call that another one overtook, shows here (one#5790). */
function assertSaves(now: Vm, { vm, disk, imageId, snapshot }: SavedAs): void {
  const current = now.disks.find((entry) => entry.diskId === disk.diskId)?.attributes;
  if (current?.['HOTPLUG_SAVE_AS'] !== String(imageId)) return;
  const wanted = snapshot === undefined ? LIVE : String(snapshot);
  const saved = current['HOTPLUG_SAVE_AS_SNAPSHOT_ID'];
  if (saved === undefined || saved === wanted) return;
  throw effectMissing(vm, now, `copy of disk ${disk.diskId} of VM ${vm.id}: snapshot ${wanted} was asked for, and ${saved} is being saved`);
}

/** Size, format and origin as asked for. A FORMAT that is not the disk's, or a SAVE_AS_HOT that stayed, made images that nothing could read (one#5697). */
function assertIsCopy(image: Image, { vm, disk }: SavedAs): void {
  const of = `disk ${disk.diskId} of VM ${vm.id}`;
  if (image.sizeMiB !== disk.sizeMiB) throw broken(image, `has ${image.sizeMiB} MiB where ${of} has ${disk.sizeMiB} MiB`);
  if (disk.format !== undefined && image.format !== '' && image.format !== disk.format)
    throw broken(image, `is of format ${image.format} where ${of} is of format ${disk.format}`);
  const attribute = (name: string): string | undefined => text(image.template[name]);
  if (attribute('SAVE_AS_HOT') !== undefined)
    throw broken(image, `is READY and still marked as being saved (SAVE_AS_HOT): the copy of ${of} did not come to its end`);
  const origin = [
    ['SAVED_VM_ID', vm.id],
    ['SAVED_DISK_ID', disk.diskId],
    ['SAVED_IMAGE_ID', disk.imageId],
  ] as const;
  for (const [name, expected] of origin) {
    const found = attribute(name);
    if (found !== undefined && found !== String(expected)) throw broken(image, `says ${name}=${found} where ${of} was to be saved (${expected})`);
  }
}
