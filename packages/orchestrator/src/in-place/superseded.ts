import { IMAGE_STATE, type Image, imageId, type OneApi } from '@onevault/one-client';
import { unlessGone } from '../cloud/gone.ts';
import type { SwappedDisk } from '../cloud-object.ts';
import { NAME_MARK } from '../names.ts';

/** `<vm> <target>`: an image that was made for one disk of one VM and nothing else. */
const MADE_FOR = 'ONEVAULT_MADE_FOR';

export function madeForMark(vmId: number, target: string, name: string): Readonly<Record<string, string>> {
  return { [MADE_FOR]: `${vmId} ${target}`, [NAME_MARK]: name };
}

/** And is called as it was then: a renamed one is somebody's. */
export function isMadeFor(image: Image, vmId: number, target: string): boolean {
  return image.template[MADE_FOR] === `${vmId} ${target}` && image.template[NAME_MARK] === image.name;
}

const DELETE_MS = 10 * 60_000;

/**
 * The image under a disk that was not persistent, once a copy of the disk is kept: of use to nobody, if an earlier exchange made it for this very disk.
 * Anybody else's image, one that is used, renamed or persistent by now, stays: it may be the base of other VMs, or somebody's.
 */
export async function removeSuperseded(cloud: OneApi, vmId: number, disk: SwappedDisk): Promise<void> {
  if (disk.back.imageId === disk.imageId) return;
  const image = await unlessGone(cloud.image(imageId(disk.imageId)));
  if (image === undefined || !isMadeFor(image, vmId, disk.target) || image.persistent || image.vmIds.length > 0 || image.state !== IMAGE_STATE.READY) return;
  await unlessGone(cloud.deleteImage(image.id));
  await cloud.waitForImage(image.id, (now) => (now?.state === IMAGE_STATE.DELETE ? 'wait' : 'done'), {
    timeoutMs: DELETE_MS,
    what: `image ${image.id} to be deleted`,
  });
}
