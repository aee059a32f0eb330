import type { CallOptions } from '@onevault/base';
import { type Disk, imageId } from '@onevault/one-client';
import { type Attachment, attachToProxy } from './attachment.ts';
import { awaitReady, requestEmptyImage, setPersistence } from './cloud/image.ts';
import { diskImageName } from './names.ts';
import type { JobDeps } from './ports.ts';
import type { RestoredDiskReport } from './report.ts';
import type { RestoreRequest } from './request.ts';
import type { DiskRestore, ImageSpec, RestorePlan } from './restore-plan.ts';
import type { Owned, Run } from './run.ts';
import { type DiskTarget, verifyDisk, writeDisk } from './write-disk.ts';

const MIB = 1024 * 1024;

/** A fresh persistent image, as empty as it was made, for one disk of the new VM. */
export interface NewImage {
  readonly disk: Disk;
  readonly image: Owned;
  readonly name: string;
  readonly sizeMiB: number;
}

export async function allocateImage(run: Run, vmName: string, spec: ImageSpec, options: CallOptions): Promise<NewImage> {
  const { disk, sizeMiB, datastore, imageType } = spec;
  const name = diskImageName(vmName, disk.diskId);
  const wanted = { runId: run.id, name, type: imageType, sizeMiB, format: disk.format, devPrefix: disk.devPrefix, datastore };
  options.signal?.throwIfAborted();
  const image = await run.step('allocate-image', { diskId: disk.diskId, object: name }, () =>
    run.create(
      { kind: 'image', name },
      (send) => send(() => requestEmptyImage(run.cloud, wanted)),
      async (id) => void (await awaitReady(run.cloud, imageId(id), options)),
    ),
  );
  return { disk, image, name, sizeMiB };
}

/** One disk: its image attached to the proxy, written, read back, detached. The image then is the disk: no second copy. */
export async function restoreDisk(
  deps: JobDeps,
  run: Run,
  plan: RestorePlan,
  { disk, stored }: DiskRestore,
  fresh: NewImage,
  request: RestoreRequest,
  options: CallOptions,
): Promise<RestoredDiskReport> {
  const startedMs = run.clock.monotonicMs();
  const facts = { diskId: disk.diskId };
  await using reader = await deps.repository.openDisk(plan.point, stored.key, options);
  const attachment = await attachToProxy(deps, run, { ...facts, image: fresh.image, sizeBytes: fresh.sizeMiB * MIB, readOnly: false }, options);
  const target: DiskTarget = { ...facts, attached: attachment.attached, reader, scanWorkers: request.scanWorkers };
  const writtenBytes = await run.step('write', facts, () => writeDisk(deps, run, target, options));
  if (request.verify) await run.step('verify', facts, () => verifyDisk(deps, run, target, options));
  await giveBack(attachment);
  await settlePersistence(run, fresh, options);
  return {
    key: stored.key,
    imageId: fresh.image.id,
    imageName: fresh.name,
    sizeBytes: stored.sizeBytes,
    writtenBytes,
    verified: request.verify,
    durationMs: run.elapsedMs(startedMs),
  };
}

/** It was made persistent so that what is written stays; the VM gets it as it had its own. */
export async function settlePersistence(run: Run, { disk, image }: NewImage, options: CallOptions): Promise<void> {
  if (disk.persistent) return;
  await run.step('set-persistence', { diskId: disk.diskId }, () => setPersistence(run.cloud, imageId(image.id), false, options));
}

/** The detach is what brings the data home on copying drivers (opennebula.md g.4): here its failure is the restore's failure. */
async function giveBack(attachment: Attachment): Promise<void> {
  await attachment.undo();
  attachment.assertUndone(`disk ${attachment.attached.serial} could not be detached from the proxy: its data may not have reached the image`);
}
