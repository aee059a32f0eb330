import type { RestorePoint, StoredDisk } from '@onevault/backup-format';
import { BaseError, type CallOptions, errorCode, isAbort } from '@onevault/base';
import {
  DATASTORE_TYPE,
  type Datastore,
  type DatastoreId,
  type Disk,
  IMAGE_TYPE,
  type OneApi,
  parseImage,
  parseVm,
  type Vm,
  vmStateName,
} from '@onevault/one-client';
import { vectors } from './attributes.ts';
import { JobError } from './errors.ts';
import { diskImageName, isValidName } from './names.ts';
import type { JobDeps } from './ports.ts';
import type { NicChoice, RestoreRequest } from './request.ts';
import { diskKey } from './restore-point.ts';
import { type VmWithSecrets, withKeptSecrets } from './restore-secrets.ts';

const MIB = 1024 * 1024;

/** A disk that will be written from the restore point. */
export interface DiskRestore {
  readonly disk: Disk;
  readonly stored: StoredDisk;
  readonly datastore: DatastoreId;
  readonly imageType: 'OS' | 'DATABLOCK';
}

/** An image to make before anything is written. */
export interface ImageSpec {
  readonly disk: Disk;
  readonly sizeMiB: number;
  readonly datastore: DatastoreId;
  readonly imageType: 'OS' | 'DATABLOCK';
}

/** What a restore will do, settled before anything is created. */
export interface RestorePlan {
  readonly point: RestorePoint;
  readonly saved: Vm;
  readonly savedVersion: string | undefined;
  readonly targetVersion: string;
  readonly disks: readonly DiskRestore[];
  /** The images to make: of the disks above, and of image disks that were not captured, which come back empty, at the same place. */
  readonly images: readonly ImageSpec[];
  readonly volatile: readonly Disk[];
  readonly cdroms: readonly Disk[];
  readonly nics: NicChoice;
  readonly notes: readonly { readonly code: string; readonly message: string }[];
}

export async function planRestore(deps: JobDeps, request: RestoreRequest, options: CallOptions): Promise<RestorePlan> {
  assertName(request.name, request.name);
  const point = await deps.repository.point(request.pointId, options);
  const { vm: saved, notes: secretNotes } = await withSavedSecrets(deps, point, options);
  for (const disk of saved.disks) assertName(request.name, diskImageName(request.name, disk.diskId));
  const datastores = await deps.cloud.datastores(options);
  const cdroms = saved.disks.filter(isCdrom);
  const present = await presentImages(deps.cloud, cdroms, options);
  const nics = request.nics ?? ((await originalLives(deps.cloud, saved, options)) ? 'new-addresses' : 'keep');
  const imageDisks = saved.disks.filter((disk) => disk.imageId !== undefined && !isCdrom(disk));
  const placed = imageDisks.map((disk) => ({
    disk,
    stored: point.disks.find((entry) => entry.key === diskKey(disk)),
    datastore: placeFor(disk, request, datastores),
  }));
  const disks: DiskRestore[] = [];
  for (const { disk, stored, datastore } of placed) {
    if (stored !== undefined) disks.push({ disk, stored, datastore, imageType: await savedImageType(deps, point, disk, options) });
  }
  const empty = placed.filter((entry) => entry.stored === undefined);
  assertAllPlaced(point, disks);
  const images = [
    ...disks.map(({ disk, stored, datastore, imageType }) => ({ disk, sizeMiB: Math.ceil(stored.sizeBytes / MIB), datastore, imageType })),
    ...empty.map(({ disk, datastore }) => ({ disk, sizeMiB: disk.sizeMiB, datastore, imageType: 'DATABLOCK' as const })),
  ];
  const volatile = saved.disks.filter((disk) => disk.imageId === undefined);
  return {
    point,
    saved,
    savedVersion: savedVersion(point),
    targetVersion: await deps.cloud.version(options),
    disks,
    images,
    volatile,
    cdroms: [...present],
    nics,
    notes: [
      ...secretNotes,
      ...cdroms
        .filter((disk) => !present.has(disk))
        .map((disk) => diskNote('CDROM_GONE', disk, `is a CD-ROM whose image ${disk.imageId} does not exist any more; it is left out`)),
      ...empty.map(({ disk }) => diskNote('DISK_EMPTY', disk, 'is not in the restore point; it comes back empty')),
      ...volatile.map((disk) => diskNote('DISK_VOLATILE', disk, 'was volatile; it comes back empty')),
      ...(nics === 'new-addresses' && vectors(saved.template['NIC']).length > 0
        ? [{ code: 'NIC_NEW_ADDRESSES', message: 'network cards get new addresses: the original VM still holds the old ones, or it was asked for' }]
        : []),
    ],
  };
}

function assertName(vmName: string, name: string): void {
  if (isValidName(name)) return;
  throw new JobError({
    code: 'JOB_NAME_INVALID',
    message: `'${vmName}' is not a name OpenNebula accepts${name === vmName ? '' : ` for the VM's images too ('${name}')`}`,
    details: { name },
    hint: 'at most 128 characters with the -disk-N of its images, none of & | : \\ " ; / \' # { } $ < >',
  });
}

/** Never a stored disk left out in silence: a point whose definition does not know one of its disks is not what a backup wrote. */
function assertAllPlaced(point: RestorePoint, disks: readonly DiskRestore[]): void {
  const lost = point.disks.filter((stored) => !disks.some((disk) => disk.stored === stored));
  if (lost.length > 0) throw invalidMetadata(point, `does not know the stored disk ${lost.map((disk) => disk.key).join(', ')}`);
}

function diskNote(code: string, disk: Disk, what: string): { readonly code: string; readonly message: string } {
  return { code, message: `disk ${disk.diskId} (${disk.target}) ${what}` };
}

async function withSavedSecrets(deps: JobDeps, point: RestorePoint, options: CallOptions): Promise<VmWithSecrets> {
  const saved = await savedVm(deps, point, options);
  try {
    return await withKeptSecrets(deps, point, saved, options);
  } catch (error) {
    if (error instanceof BaseError || isAbort(error)) throw error;
    throw invalidMetadata(point, 'has secrets beside it that cannot be read', error);
  }
}

async function savedVm(deps: JobDeps, point: RestorePoint, options: CallOptions): Promise<Vm> {
  const body = await deps.repository.readMetadata(point, 'vm.xml', options);
  try {
    return parseVm(new TextDecoder().decode(body));
  } catch (error) {
    throw invalidMetadata(point, 'cannot be read', error);
  }
}

function invalidMetadata(point: RestorePoint, why: string, cause?: unknown): JobError {
  return new JobError({
    code: 'JOB_METADATA_INVALID',
    message: `the VM body saved in restore point ${point.id} ${why}`,
    details: { pointId: point.id },
    hint: 'onevault verify tells whether the repository is damaged; another restore point of the VM may be whole',
    ...(cause !== undefined && { cause }),
  });
}

function savedVersion(point: RestorePoint): string | undefined {
  const cloud = point.annotations['cloud'];
  if (cloud === null || typeof cloud !== 'object' || !('version' in cloud)) return undefined;
  const version = cloud['version'];
  return typeof version === 'string' ? version : undefined;
}

function isCdrom(disk: Disk): boolean {
  return /CDROM$/.test(disk.type);
}

async function presentImages(cloud: OneApi, disks: readonly Disk[], options: CallOptions): Promise<Set<Disk>> {
  const present = new Set<Disk>();
  for (const disk of disks) {
    try {
      if (disk.imageId !== undefined && (await cloud.image(disk.imageId, options)).name === disk.imageName) present.add(disk);
    } catch (error) {
      if (errorCode(error) !== 'ONE_NO_EXISTS' && errorCode(error) !== 'ONE_AUTHORIZATION') throw error;
    }
  }
  return present;
}

async function originalLives(cloud: OneApi, saved: Vm, options: CallOptions): Promise<boolean> {
  try {
    const now = await cloud.vm(saved.id, options);
    return vmStateName(now) !== 'DONE' && now.startTime === saved.startTime;
  } catch (error) {
    if (errorCode(error) === 'ONE_NO_EXISTS') return false;
    throw error;
  }
}

function placeFor(disk: Disk, request: RestoreRequest, datastores: readonly Datastore[]): DatastoreId {
  const wanted = request.imageDatastore ?? disk.datastoreId;
  const found = datastores.find((datastore) => datastore.id === wanted);
  if (found?.type === DATASTORE_TYPE.IMAGE) return found.id;
  const choices = datastores.filter((datastore) => datastore.type === DATASTORE_TYPE.IMAGE).map((datastore) => `${datastore.id} ${datastore.name}`);
  throw new JobError({
    code: 'JOB_DATASTORE_INVALID',
    message: `disk ${disk.diskId} cannot go to datastore ${wanted ?? '(unknown)'}: it ${found === undefined ? 'does not exist' : 'is not an image datastore'}`,
    details: { diskId: disk.diskId, ...(wanted !== undefined && { datastoreId: wanted }) },
    hint: `choose one with --image-datastore: ${choices.join(', ')}`,
  });
}

/** TYPE of the original image, from its saved body: OS stays OS, everything else that can be written is a DATABLOCK. */
async function savedImageType(deps: JobDeps, point: RestorePoint, disk: Disk, options: CallOptions): Promise<'OS' | 'DATABLOCK'> {
  const name = `images/${disk.imageId}.xml`;
  if (!point.metadata.some((file) => file.name === name)) return 'DATABLOCK';
  const body = new TextDecoder().decode(await deps.repository.readMetadata(point, name, options));
  try {
    return parseImage(body).type === IMAGE_TYPE.OS ? 'OS' : 'DATABLOCK';
  } catch (error) {
    throw invalidMetadata(point, `has an image body (${name}) that cannot be read`, error);
  }
}
