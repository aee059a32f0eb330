import type { RestorePoint, StoredDisk } from '@onevault/backup-format';
import type { CallOptions } from '@onevault/base';
import { IMAGE_STATE, IMAGE_TYPE, type Image, type ImageId, imageStateName } from '@onevault/one-client';
import { setPersistence } from '../cloud/image.ts';
import { JobError } from '../errors.ts';
import { NAME_MARK, OVERWRITING_STATE, PRODUCT_MARKS, RUN_MARK, STATE_MARK, UNDO_STATE } from '../names.ts';
import type { JobDeps } from '../ports.ts';
import type { DeltaImageReport } from '../report.ts';
import { inRun, type Owned, type Run } from '../run.ts';
import { deltaToImage } from './delta-image.ts';

const MIB = 1024 * 1024;

export interface OverwriteRequest {
  readonly pointId: string;
  /** DISK_ID in the restore point. */
  readonly diskId: number;
  readonly imageId: ImageId;
  /** What the image holds is lost, and there is no way back: said, not assumed. */
  readonly overwrite: boolean;
  readonly verify: boolean;
  readonly scanWorkers?: number;
}

export interface OverwritePlan {
  readonly point: RestorePoint;
  readonly stored: StoredDisk;
  readonly image: Image;
  /** For a person: each sentence says what will be lost or what is odd. */
  readonly losses: readonly string[];
}

/**
 * Writes a disk of a restore point over an image that no VM uses, only where it differs. There is no undo: it must be asked for in so many words. An image
 * that is not persistent is made so for it, and back. Cut short, the image is neither old nor new and says so (ONEVAULT_STATE=OVERWRITING): the same call
 * again, with this or any other point, finishes it.
 */
export async function overwriteImage(deps: JobDeps, request: OverwriteRequest, options: CallOptions = {}): Promise<DeltaImageReport> {
  const plan = await planOverwrite(deps, request, options);
  if (!request.overwrite)
    throw refused(plan.image, 'it was not said that its content may be lost', `${plan.losses.join('; ')}: say --overwrite if that is meant`);
  const facts = { kind: 'delta', about: `point ${plan.point.id} ${plan.stored.key} over image ${plan.image.id} ${plan.image.name}` } as const;
  return inRun(deps, facts, options, (run) => overwrite(deps, run, plan, request, options));
}

/** What would be written over what. Changes nothing; throws JOB_RESTORE_REFUSED for an image that must not be written to. */
export async function planOverwrite(deps: JobDeps, request: OverwriteRequest, options: CallOptions = {}): Promise<OverwritePlan> {
  const point = await deps.repository.point(request.pointId, options);
  const image = await deps.cloud.image(request.imageId, options);
  const stored = point.disks.find(({ key }) => key === `disk-${request.diskId}`);
  if (stored === undefined)
    throw refused(image, `restore point ${point.id} has no disk ${request.diskId}`, `it has ${point.disks.map(({ key }) => key).join(', ') || 'none'}`);
  assertWritable(image, Math.ceil(stored.sizeBytes / MIB));
  const half = image.template[STATE_MARK] === OVERWRITING_STATE;
  const losses = [
    half
      ? `image ${image.id} '${image.name}' was left half written by run ${String(image.template[RUN_MARK])}`
      : `what image ${image.id} '${image.name}' (${image.sizeMiB} MiB) holds now is lost, without a way back`,
  ];
  return { point, stored, image, losses };
}

function assertWritable(image: Image, sizeMiB: number): void {
  if (image.type !== IMAGE_TYPE.OS && image.type !== IMAGE_TYPE.DATABLOCK)
    throw refused(image, 'it is neither OS nor DATABLOCK', 'name an image that is a disk');
  if (image.vmIds.length > 0)
    throw refused(image, `VM ${image.vmIds.join(', ')} uses it`, 'for a disk of a VM: onevault in-place --delta, which stops the VM and keeps a way back');
  if (image.state !== IMAGE_STATE.READY) throw refused(image, `it is ${imageStateName(image.state)}`, `bring it to READY: oneimage show ${image.id}`);
  if (image.snapshotCount > 0)
    throw refused(image, `it has ${image.snapshotCount} snapshots, which stand on what would be written over`, `oneimage snapshot-delete ${image.id} <id>`);
  if (image.template[STATE_MARK] === UNDO_STATE)
    throw refused(image, 'it is the way back of an exchange', 'onevault undo list shows whose; onevault undo prune --discard gives it up');
  if (image.sizeMiB !== sizeMiB)
    throw refused(image, `it has ${image.sizeMiB} MiB, and the saved disk needs exactly ${sizeMiB} MiB`, 'restore the disk to a new image instead');
}

function refused(image: Image, why: string, hint: string): JobError {
  return new JobError({
    code: 'JOB_RESTORE_REFUSED',
    message: `image ${image.id} '${image.name}' is not written over: ${why}`,
    details: { imageId: image.id },
    hint,
  });
}

async function overwrite(deps: JobDeps, run: Run, plan: OverwritePlan, request: OverwriteRequest, options: CallOptions): Promise<DeltaImageReport> {
  const startedMs = run.clock.monotonicMs();
  const { point, stored, image } = plan;
  run.emit({ type: 'run.started', kind: 'delta', imageId: image.id, imageName: image.name, pointId: point.id });
  const taken = await takeImage(run, image, point.id, options);
  const target = { diskId: request.diskId, image: taken, sizeBytes: image.sizeMiB * MIB };
  const { verify, scanWorkers } = request;
  const delta = await deltaToImage(deps, run, target, { point, stored }, { ...options, verify, scanWorkers });
  // From here on it is what the point says: the mark goes first, then its persistence.
  await deps.cloud.updateImage(image.id, { ...PRODUCT_MARKS, ONEVAULT_POINT: point.id });
  await run.unwind();
  return {
    kind: 'delta',
    runId: run.id,
    pointId: point.id,
    key: stored.key,
    imageId: image.id,
    imageName: image.name,
    sizeBytes: stored.sizeBytes,
    scannedBytes: delta.scannedBytes,
    writtenBytes: delta.writtenBytes,
    verified: delta.verified,
    durationMs: run.elapsedMs(startedMs),
    residue: run.residue,
  };
}

/** Marked before the first byte, on the image itself: whoever finds it after a crash, with or without a journal, knows what it is. */
function takeImage(run: Run, image: Image, pointId: string, options: CallOptions): Promise<Owned> {
  const { id, name, persistent } = image;
  return run.create({ kind: 'overwrite', imageId: id, name, persistent }, async () => {
    await run.cloud.cloud.updateImage(id, { [STATE_MARK]: OVERWRITING_STATE, [RUN_MARK]: run.id, [NAME_MARK]: name, ONEVAULT_POINT: pointId });
    if (!persistent) await setPersistence(run.cloud, id, true, options);
    return id;
  });
}
