import type { CallOptions } from '@onevault/base';
import { imageId } from '@onevault/one-client';
import type { Attachment } from './attachment.ts';
import { awaitSavedImage, requestSaveAs } from './cloud/saved-image.ts';
import { JobError } from './errors.ts';
import { unfinishedMarks } from './names.ts';
import type { JobDeps } from './ports.ts';
import type { ImageSpec } from './restore-image.ts';
import type { Owned, Run } from './run.ts';

/**
 * Saves a disk of the proxy as the image of the spec (disksaveas of its live state: it was flushed, and nobody writes to it). OpenNebula does nothing else
 * with the proxy meanwhile, so no disk is plugged until it is done. The new image carries no mark of ours: until it gets one, which is the next call,
 * it is known by OpenNebula's own word where it was saved from.
 */
export async function saveAsImage(deps: JobDeps, run: Run, spec: ImageSpec, { attached }: Attachment, options: CallOptions): Promise<Owned> {
  const { name, diskId } = spec;
  const vm = await deps.cloud.vm(deps.proxyVm, options);
  const disk = vm.disks.find((entry) => entry.diskId === attached.diskId && entry.imageId === attached.imageId);
  if (disk === undefined) throw notThere(deps, attached);
  const saved = { vm, disk, snapshot: undefined };
  return deps.attacher.exclusively(
    () =>
      run.step('save-image', { diskId, object: name }, () =>
        run.create(
          { kind: 'image', name, savedFrom: attached.imageId },
          (send) => requestSaveAs(run.cloud, saved, name, undefined, send, options),
          async (id) => {
            await deps.cloud.updateImage(imageId(id), { ...spec.attributes, ...unfinishedMarks(run.id, name) });
            await awaitSavedImage(run.cloud, { ...saved, imageId: imageId(id) }, options);
          },
        ),
      ),
    options,
  );
}

function notThere({ proxyVm }: JobDeps, { diskId, imageId }: Attachment['attached']): JobError {
  return new JobError({
    code: 'JOB_DISK_CHANGED',
    message: `disk ${diskId} of the proxy VM ${proxyVm} is not image ${imageId} any more`,
    details: { vmId: proxyVm, diskId },
    retryable: true,
    hint: 'somebody detached it while it was written: leave the proxy VM to onevault, and restore again',
  });
}
