import type { CallOptions } from '@onevault/base';
import { imageId } from '@onevault/one-client';
import type { Attachment } from './attachment.ts';
import { awaitSavedImage, requestSaveAs } from './cloud/saved-image.ts';
import type { Planned } from './cloud/unchanged.ts';
import { settled } from './cloud/when-free.ts';
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
export function saveAsImage(deps: JobDeps, run: Run, spec: ImageSpec, { attached }: Attachment, options: CallOptions): Promise<Owned> {
  return deps.attacher.exclusively(async () => saveDisk(run, spec, await diskOfProxy(deps, run, attached, options), options), options);
}

async function diskOfProxy(deps: JobDeps, run: Run, attached: Attachment['attached'], options: CallOptions): Promise<Planned> {
  const vm = await settled(run.cloud, deps.proxyVm, `copy of disk ${attached.diskId}`, options);
  const disk = vm.disks.find((entry) => entry.diskId === attached.diskId && entry.imageId === attached.imageId);
  if (disk === undefined) throw notThere(deps, attached);
  return { vm, disk };
}

function saveDisk(run: Run, spec: ImageSpec, planned: Planned, options: CallOptions): Promise<Owned> {
  const { name, diskId } = spec;
  return run.step('save-image', { diskId, object: name }, () =>
    run.create(
      { kind: 'image', name, savedFrom: planned.disk.imageId },
      (send) => requestSaveAs(run.cloud, planned, name, undefined, send, options),
      async (id) => {
        await run.cloud.cloud.updateImage(imageId(id), { ...spec.attributes, ...unfinishedMarks(run.id, name) });
        await awaitSavedImage(run.cloud, { ...planned, snapshot: undefined, imageId: imageId(id) }, options);
      },
    ),
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
