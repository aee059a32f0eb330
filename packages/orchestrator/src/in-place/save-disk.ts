import type { CallOptions } from '@onevault/base';
import { type Disk, imageId, type Vm } from '@onevault/one-client';
import { setPersistence } from '../cloud/image.ts';
import { awaitSavedImage, requestSaveAs } from '../cloud/saved-image.ts';
import type { Owned, Run } from '../run.ts';

/**
 * A disk of the VM as it is, as an image that is not persistent (disksaveas -1): READY, of the disk's size and format, and saved from nothing else. `marks`
 * are laid on it at once.
 */
export function saveDisk(run: Run, vm: Vm, disk: Disk, name: string, options: CallOptions, marks?: Readonly<Record<string, string>>): Promise<Owned> {
  return run.step('save-disk', { diskId: disk.diskId, object: name }, () =>
    run.create(
      { kind: 'image', name },
      (send) => requestSaveAs(run.cloud, { vm, disk }, name, undefined, send, options),
      async (id) => {
        if (marks !== undefined) await run.cloud.cloud.updateImage(imageId(id), marks);
        const image = await awaitSavedImage(run.cloud, { vm, disk, snapshot: undefined, imageId: imageId(id) }, options);
        if (image.persistent) await setPersistence(run.cloud, image.id, false, options); // DEFAULT_IMAGE_PERSISTENT of the user, the group or oned.conf
      },
    ),
  );
}
