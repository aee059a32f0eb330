import { imageId, templateId, vmId } from '@onevault/one-client';
import type { DiskAttacher } from '@onevault/proxy-attach';
import type { CloudObject } from '../cloud-object.ts';
import type { CloudDeps } from './cloud-deps.ts';
import { removeSnapshot } from './disk-snapshot.ts';
import { finishRevert } from './finish-revert.ts';
import { removeTemplate, removeVm } from './new-vm.ts';
import { bringBack } from './power-state.ts';
import { removeImage } from './remove-image.ts';

/**
 * Takes away an object of ours, verifies that it is gone, and answers whether it was there. Found by the name it was given before it existed; the id,
 * where it is known, spares a search. Idempotent. Not abortable: a clean-up that is cut short leaves behind what it was there to remove.
 */
export async function removeObject(
  deps: CloudDeps & { readonly attacher?: DiskAttacher | undefined },
  runId: string,
  object: CloudObject,
  id: number | undefined,
): Promise<boolean> {
  switch (object.kind) {
    case 'snapshot':
      return removeSnapshot(deps, object, id);
    case 'image':
      return removeImage(deps, runId, object.name, id === undefined ? undefined : imageId(id));
    case 'attachment':
      if (deps.attacher === undefined) throw new TypeError('a disk is to be detached by a run that attaches none');
      await deps.attacher.detach({ serial: object.serial, imageId: object.imageId });
      return true;
    case 'template':
      return removeTemplate(deps, object.name, id === undefined ? undefined : templateId(id));
    case 'vm':
      return removeVm(deps, runId, object.name, id === undefined ? undefined : vmId(id));
    case 'power':
      return bringBack(deps, object);
    case 'revert':
      return finishRevert(deps, object);
  }
}
