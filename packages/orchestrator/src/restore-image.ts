import type { RestorePoint, StoredDisk } from '@onevault/backup-format';
import type { CallOptions } from '@onevault/base';
import { type DatastoreId, imageId } from '@onevault/one-client';
import { type Attachment, attachCopy, attachToProxy } from './attachment.ts';
import { awaitReady, requestEmptyImage, setPersistence } from './cloud/image.ts';
import { stagingName } from './names.ts';
import type { JobDeps } from './ports.ts';
import type { RestoredDiskReport } from './report.ts';
import type { Owned, Run } from './run.ts';
import { saveAsImage } from './save-as-image.ts';
import { type DiskTarget, verifyDisk, writeDisk } from './write-disk.ts';

const MIB = 1024 * 1024;

/** An image to make: what is in it, and what it is to be in the end. */
export interface ImageSpec {
  /** Of the saved VM, for events. */
  readonly diskId: number;
  readonly name: string;
  readonly datastore: DatastoreId;
  readonly sizeMiB: number;
  readonly type: 'OS' | 'DATABLOCK';
  /** Honoured by datastores that leave the choice (opennebula.md h). */
  readonly format: string | undefined;
  readonly persistent: boolean;
  /** Of an image that comes back empty: the file system that OpenNebula makes on it. */
  readonly fs?: string | undefined;
  /** Attributes of its template. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly method: 'direct' | 'saveas';
}

/** The bytes of one disk. */
export interface DiskSource {
  readonly point: RestorePoint;
  readonly stored: StoredDisk;
}

export interface FillOptions extends CallOptions {
  readonly verify: boolean;
  readonly scanWorkers?: number | undefined;
}

/** A fresh image, as empty as it was made: the one of the spec or, for saveas, the one that it will be saved from. */
export interface FreshImage {
  readonly spec: ImageSpec;
  readonly image: Owned;
}

/** An image that is what its spec says. */
export interface RestoredImage {
  readonly image: Owned;
  readonly report: RestoredDiskReport;
}

/** One disk of a restore point as a new image: made, written, read back, given its persistence. It is open in the run until that keeps it or takes it back. */
export async function restoreImage(deps: JobDeps, run: Run, spec: ImageSpec, source: DiskSource, options: FillOptions): Promise<RestoredImage> {
  return fillImage(deps, run, await allocateFresh(run, spec, options), source, options);
}

/** Makes the image that will be written: of the spec's name or, when it will be saved as another one, of a name of ours. */
export function allocateFresh(run: Run, spec: ImageSpec, options: CallOptions): Promise<FreshImage> {
  return spec.method === 'saveas'
    ? allocate(run, { ...spec, name: stagingName(run.id, spec.diskId), persistent: false, attributes: kept(spec, SAVED_WITH_THE_DISK) }, spec, options)
    : allocate(run, { ...spec, persistent: true }, spec, options);
}

/** An image that comes back empty. Nobody writes to it, so it is what it shall be at once. */
export function allocateEmpty(run: Run, spec: ImageSpec, options: CallOptions): Promise<FreshImage> {
  return allocate(run, spec, spec, options);
}

async function allocate(run: Run, wanted: ImageSpec, spec: ImageSpec, options: CallOptions): Promise<FreshImage> {
  const { name } = wanted;
  options.signal?.throwIfAborted();
  const image = await run.step('allocate-image', { diskId: spec.diskId, object: name }, () =>
    run.create(
      { kind: 'image', name },
      (send) => send(() => requestEmptyImage(run.cloud, run.id, wanted)),
      async (id) => void (await awaitReady(run.cloud, imageId(id), options)),
    ),
  );
  return { spec, image };
}

/** disksaveas takes TYPE and DEV_PREFIX from the image of the disk (opennebula.md f); the rest is laid over the new one. */
const SAVED_WITH_THE_DISK: ReadonlySet<string> = new Set(['DEV_PREFIX']);

function kept({ attributes }: ImageSpec, names: ReadonlySet<string>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => names.has(name)));
}

/** The fresh image attached to the proxy, written, and brought home by its method. */
export async function fillImage(deps: JobDeps, run: Run, fresh: FreshImage, source: DiskSource, options: FillOptions): Promise<RestoredImage> {
  const { spec } = fresh;
  const startedMs = run.clock.monotonicMs();
  const facts = { diskId: spec.diskId };
  await using reader = await deps.repository.openDisk(source.point, source.stored.key, options);
  const disk = { ...facts, sizeBytes: spec.sizeMiB * MIB };
  const attachment = await attachToProxy(deps, run, { ...disk, image: fresh.image, readOnly: false }, options);
  const target = (attached: Attachment): DiskTarget => ({ ...facts, attached: attached.attached, reader, scanWorkers: options.scanWorkers });
  const verify = (attached: Attachment): Promise<void> => run.step('verify', facts, () => verifyDisk(deps, run, target(attached), options));
  const writtenBytes = await run.step('write', facts, () => writeDisk(deps, run, target(attachment), options));

  let { image } = fresh;
  if (spec.method === 'direct') {
    if (options.verify) await verify(attachment);
    await giveBack(attachment);
  } else {
    image = await saveAsImage(deps, run, spec, attachment, options);
    await attachment.undo();
    await fresh.image.undo();
    // Read is the image that was saved, not the disk it was saved from: READY is no proof (opennebula.md M.1).
    if (options.verify) {
      const copy = await attachCopy(deps, run, { ...disk, image }, options);
      await verify(copy);
      await giveBack(copy);
    }
  }
  await settlePersistence(run, spec, image, options);
  const { key, sizeBytes } = source.stored;
  const { method, name, persistent } = spec;
  const durationMs = run.elapsedMs(startedMs);
  return {
    image,
    report: { key, diskId: spec.diskId, imageId: image.id, imageName: name, method, persistent, sizeBytes, writtenBytes, verified: options.verify, durationMs },
  };
}

/** It was persistent, or not, so that what is written stays; now it becomes what it shall be. */
async function settlePersistence(run: Run, { persistent, diskId }: ImageSpec, image: Owned, options: CallOptions): Promise<void> {
  const now = await awaitReady(run.cloud, imageId(image.id), options);
  if (now.persistent === persistent) return;
  await run.step('set-persistence', { diskId }, () => setPersistence(run.cloud, imageId(image.id), persistent, options));
}

/** The detach is what brings the data home on copying drivers (opennebula.md g.4): here its failure is the restore's failure. */
async function giveBack(attachment: Attachment): Promise<void> {
  await attachment.undo();
  attachment.assertUndone(`disk ${attachment.attached.serial} could not be detached from the proxy: its data may not have reached the image`);
}
