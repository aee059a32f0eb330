import { diskId, imageId, templateId, vmId } from '@onevault/one-client';
import type { DiskAttacher } from '@onevault/proxy-attach';
import type { CloudObject } from '../journal.ts';
import type { CloudDeps } from './cloud-deps.ts';
import { removeSnapshot } from './disk-snapshot.ts';
import { removeImage } from './image.ts';
import { removeTemplate, removeVm } from './new-vm.ts';

/**
 * Takes away an object of ours and verifies that it is gone. Found by the name it was given before it existed; the id, where it is known, spares a search.
 * Idempotent. Not abortable: a clean-up that is cut short leaves behind what it was there to remove.
 */
export async function removeObject(
  deps: CloudDeps & { readonly attacher: DiskAttacher },
  runId: string,
  object: CloudObject,
  id: number | undefined,
): Promise<void> {
  switch (object.kind) {
    case 'snapshot':
      return removeSnapshot(deps, vmId(object.vmId), diskId(object.diskId), object.name);
    case 'image':
      return removeImage(deps, runId, object.name, id === undefined ? undefined : imageId(id));
    case 'attachment':
      return deps.attacher.detach({ serial: object.serial, imageId: object.imageId });
    case 'template':
      return removeTemplate(deps, object.name, id === undefined ? undefined : templateId(id));
    case 'vm':
      return removeVm(deps, runId, object.name, id === undefined ? undefined : vmId(id));
  }
}
