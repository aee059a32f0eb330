import type { imageId } from '@onevault/one-client';
import { text } from '../attributes.ts';
import type { CloudDeps } from '../cloud/cloud-deps.ts';
import { unlessGone } from '../cloud/gone.ts';
import { removeVm } from '../cloud/new-vm.ts';
import { removeImage } from '../cloud/remove-image.ts';
import { RUN_MARK, STATE_MARK } from '../names.ts';
import type { StandingVm } from './standing-vms.ts';

const NOT_KEPT = { [STATE_MARK]: 'RESTORING' } as const;

/**
 * Takes a VM away that a plan has restored, and the images that came with it; none that it got since. First all of them say again what they said before they
 * were kept: whoever dies in the middle leaves nothing that `cleanup` does not find. Not abortable, as no clean-up is.
 */
export async function undoVm(deps: CloudDeps, { vm, runId }: StandingVm): Promise<void> {
  const images: { readonly id: ReturnType<typeof imageId>; readonly name: string }[] = [];
  for (const { imageId: id } of vm.disks) {
    const image = id === undefined ? undefined : await unlessGone(deps.cloud.image(id));
    if (image !== undefined && text(image.template[RUN_MARK]) === runId) images.push({ id: image.id, name: image.name });
  }
  for (const { id } of images) await unlessGone(deps.cloud.updateImage(id, NOT_KEPT));
  await unlessGone(deps.cloud.updateVm(vm.id, NOT_KEPT));
  await removeVm(deps, runId, vm.name, vm.id);
  for (const { id, name } of images) await removeImage(deps, runId, { kind: 'image', name }, id);
}
