import type { RestorePoint, StoredDisk } from '@onevault/backup-format';
import { type CallOptions, errorCode } from '@onevault/base';
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
import { JobError } from './errors.ts';
import { vectors } from './inventory.ts';
import { isValidName } from './names.ts';
import type { JobDeps } from './ports.ts';
import type { NicChoice, RestoreRequest } from './request.ts';
import { diskKey } from './restore-point.ts';

/** A disk that will be written from the restore point. */
export interface DiskRestore {
  readonly disk: Disk;
  readonly stored: StoredDisk;
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
  /** Image disks that were not captured: they come back empty, at the same place. */
  readonly empty: readonly { readonly disk: Disk; readonly datastore: DatastoreId }[];
  readonly volatile: readonly Disk[];
  readonly cdroms: readonly Disk[];
  readonly nics: NicChoice;
  readonly notes: readonly { readonly code: string; readonly message: string }[];
}

export async function planRestore(deps: JobDeps, request: RestoreRequest, options: CallOptions): Promise<RestorePlan> {
  if (!isValidName(request.name)) {
    throw new JobError({
      code: 'JOB_NAME_INVALID',
      message: `'${request.name}' is not a name OpenNebula accepts`,
      hint: 'at most 128 characters, none of & | : \\ " ; / \' # { } $ < >',
    });
  }
  const point = await deps.repository.point(request.pointId, options);
  const saved = await savedVm(deps, point, options);
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
  const volatile = saved.disks.filter((disk) => disk.imageId === undefined);
  return {
    point,
    saved,
    savedVersion: savedVersion(point),
    targetVersion: await deps.cloud.version(options),
    disks,
    empty,
    volatile,
    cdroms: [...present],
    nics,
    notes: [
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

function diskNote(code: string, disk: Disk, what: string): { readonly code: string; readonly message: string } {
  return { code, message: `disk ${disk.diskId} (${disk.target}) ${what}` };
}

async function savedVm(deps: JobDeps, point: RestorePoint, options: CallOptions): Promise<Vm> {
  const body = await deps.repository.readMetadata(point, 'vm.xml', options);
  try {
    return parseVm(new TextDecoder().decode(body));
  } catch (error) {
    throw invalidBody(point, error);
  }
}

function invalidBody(point: RestorePoint, cause: unknown): JobError {
  return new JobError({
    code: 'JOB_METADATA_INVALID',
    message: `the VM body saved in restore point ${point.id} cannot be read`,
    details: { pointId: point.id },
    cause,
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
  return parseImage(body).type === IMAGE_TYPE.OS ? 'OS' : 'DATABLOCK';
}
