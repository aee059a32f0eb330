import type { CallOptions } from '@onevault/base';
import { type DatastoreId, type Disk, datastoreId, imageId } from '@onevault/one-client';
import { type AttachedDisk, newSerial } from '@onevault/proxy-attach';
import { awaitReady, requestEmptyImage } from './cloud/image.ts';
import type { JobDeps } from './ports.ts';
import type { RestoredDiskReport } from './report.ts';
import type { RestoreRequest } from './request.ts';
import type { DiskRestore, RestorePlan } from './restore-plan.ts';
import type { Owned, Run } from './run.ts';
import { assertEmpty, type DiskTarget, verifyDisk, writeDisk } from './write-disk.ts';

const MIB = 1024 * 1024;

export interface RestoredDisk {
  readonly disk: Disk;
  readonly image: Owned;
  readonly report: RestoredDiskReport;
}

/** One disk: a persistent empty image, attached to the proxy, written, read back, detached. The image then is the disk: no second copy. */
export async function restoreDisk(
  deps: JobDeps,
  run: Run,
  plan: RestorePlan,
  restore: DiskRestore,
  request: RestoreRequest,
  options: CallOptions,
): Promise<RestoredDisk> {
  const { disk, stored } = restore;
  const startedMs = run.clock.monotonicMs();
  await using reader = await deps.repository.openDisk(plan.point, stored.key, options);
  const sizeMiB = Math.ceil(stored.sizeBytes / MIB);
  const { image, name } = await allocateImage(
    run,
    { disk, sizeMiB, datastore: restore.datastore, imageType: restore.imageType, vmName: request.name },
    options,
  );
  const { attachment, attached } = await attachWritable(deps, run, disk, image, sizeMiB, options);
  const target: DiskTarget = { diskId: disk.diskId, devicePath: attached.devicePath, reader, scanWorkers: request.scanWorkers };
  const facts = { diskId: disk.diskId };
  const writtenBytes = await run.step('write', facts, async () => {
    await assertEmpty(deps, target, options);
    return writeDisk(deps, run, target, options);
  });
  if (request.verify) await run.step('verify', facts, () => verifyDisk(deps, run, target, options));
  await giveBack(attachment, attached);
  if (!disk.persistent) await run.step('set-persistence', facts, () => deps.cloud.setImagePersistent(imageId(image.id), false, options));
  const report = {
    key: stored.key,
    imageId: image.id,
    imageName: name,
    sizeBytes: stored.sizeBytes,
    writtenBytes,
    verified: request.verify,
    durationMs: run.elapsedMs(startedMs),
  };
  return { disk, image, report };
}

/** A disk that was not captured: an image of the same size, as empty as it was made. */
export async function emptyDisk(
  deps: JobDeps,
  run: Run,
  disk: Disk,
  datastore: DatastoreId,
  request: RestoreRequest,
  options: CallOptions,
): Promise<{ readonly disk: Disk; readonly image: Owned }> {
  const { image } = await allocateImage(run, { disk, sizeMiB: disk.sizeMiB, datastore, imageType: 'DATABLOCK', vmName: request.name }, options);
  if (!disk.persistent) await deps.cloud.setImagePersistent(imageId(image.id), false, options);
  return { disk, image };
}

interface ImageSpec {
  readonly disk: Disk;
  readonly sizeMiB: number;
  readonly datastore: DatastoreId;
  readonly imageType: 'OS' | 'DATABLOCK';
  readonly vmName: string;
}

async function allocateImage(run: Run, spec: ImageSpec, options: CallOptions): Promise<{ readonly image: Owned; readonly name: string }> {
  const { disk } = spec;
  const name = `${spec.vmName}-disk-${disk.diskId}`;
  const wanted = {
    runId: run.id,
    name,
    type: spec.imageType,
    sizeMiB: spec.sizeMiB,
    format: disk.format,
    devPrefix: disk.devPrefix,
    datastore: datastoreId(spec.datastore),
  };
  options.signal?.throwIfAborted();
  const image = await run.step('allocate-image', { diskId: disk.diskId, object: name }, () =>
    run.create(
      { kind: 'image', name },
      () => requestEmptyImage(run.cloud, wanted),
      async (id) => void (await awaitReady(run.cloud, imageId(id), options)),
    ),
  );
  return { image, name };
}

async function attachWritable(
  deps: JobDeps,
  run: Run,
  disk: Disk,
  image: Owned,
  sizeMiB: number,
  options: CallOptions,
): Promise<{ readonly attachment: Owned; readonly attached: AttachedDisk }> {
  const serial = newSerial(deps.randomBytes);
  return run.step('attach', { diskId: disk.diskId, object: serial }, async () => {
    let attached: AttachedDisk | undefined;
    const attachment = await run.create({ kind: 'attachment', proxyVmId: deps.proxyVm, imageId: image.id, serial }, async () => {
      attached = await deps.attacher.attach({ imageId: image.id, sizeBytes: sizeMiB * MIB, serial, readOnly: false }, options);
      return attached.diskId;
    });
    return { attachment, attached: attached as AttachedDisk };
  });
}

/** The detach is what brings the data home on copying drivers (opennebula.md g.4): here its failure is the restore's failure. */
async function giveBack(attachment: Owned, attached: AttachedDisk): Promise<void> {
  await attachment.undo();
  attachment.assertUndone(`disk ${attached.serial} could not be detached from the proxy: its data may not have reached the image`);
}
