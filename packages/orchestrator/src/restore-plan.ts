import type { RestorePoint } from '@onevault/backup-format';
import { type CallOptions, errorCode } from '@onevault/base';
import { type Disk, type OneApi, type Vm, vmStateName } from '@onevault/one-client';
import { vectors } from './attributes.ts';
import type { DefinitionFacts } from './definition/definition-facts.ts';
import type { NetworkTargets } from './definition/network-map.ts';
import { readDefinitionFacts } from './definition/read-definition-facts.ts';
import { targetNetworks } from './definition/target-networks.ts';
import { JobError } from './errors.ts';
import { diskImageName, isValidName } from './names.ts';
import { type PlannedImage, planImage } from './plan-image.ts';
import { ownershipPlanner, ownersOf, type Transfer } from './plan-ownership.ts';
import type { LookDeps } from './ports.ts';
import type { NicChoice, RestoreRequest } from './request.ts';
import { invalidMetadata, readSavedVm, savedVersion } from './saved-vm.ts';
import { assertNamesFree } from './taken-names.ts';

export interface RestoreNote {
  readonly code: string;
  readonly message: string;
}

/** What a restore will do, settled before anything is created. */
export interface RestorePlan {
  readonly point: RestorePoint;
  readonly saved: Vm;
  readonly savedVersion: string | undefined;
  readonly targetVersion: string;
  /** The images to make: of the disks that were captured, and of those that were not, which come back empty, at the same place. */
  readonly images: readonly (PlannedImage & { readonly transfer: Transfer })[];
  readonly volatile: readonly Disk[];
  readonly cdroms: readonly Disk[];
  readonly nics: NicChoice;
  /** Networks that the cards go to instead of their own. */
  readonly networks: NetworkTargets;
  /** What the definition depends on beside the saved body. */
  readonly facts: DefinitionFacts;
  /** Whose the VM becomes. */
  readonly transfer: Transfer;
  readonly notes: readonly RestoreNote[];
}

export async function planRestore(deps: Pick<LookDeps, 'cloud' | 'repository'>, request: RestoreRequest, options: CallOptions): Promise<RestorePlan> {
  assertName(request.name);
  const point = await deps.repository.point(request.pointId, options);
  const { vm: saved, notes: secretNotes } = await readSavedVm(deps, point, options);
  const cdroms = saved.disks.filter(isCdrom);
  const present = await presentImages(deps.cloud, cdroms, options);
  const lives = await originalLives(deps.cloud, saved, options);
  const nics = request.nics ?? (lives ? 'new-addresses' : 'keep');
  const ownership = await ownershipPlanner(deps.cloud, request.ownership ?? {}, options);
  const images = [];
  for (const image of await planImages(deps, point, saved, request, options)) images.push({ ...image, transfer: await ownership.transferOf(image.saved) });
  const owners = ownersOf(
    ownership.self,
    images.map((image) => image.transfer),
  );
  await assertNamesFree(
    deps.cloud,
    images.map(({ spec }) => spec.name),
    owners,
    options,
  );
  const volatile = saved.disks.filter((disk) => disk.imageId === undefined);
  return {
    point,
    saved,
    savedVersion: savedVersion(point),
    targetVersion: await deps.cloud.version(options),
    images,
    volatile,
    cdroms: [...present],
    nics,
    networks: await targetNetworks(deps.cloud, saved, request.networks ?? [], options),
    facts: await readDefinitionFacts(deps, point, saved, lives, options),
    transfer: await ownership.transferOf(saved),
    notes: [
      ...secretNotes,
      ...ownership.notes,
      ...cdroms
        .filter((disk) => !present.has(disk))
        .map((disk) => diskNote('CDROM_GONE', disk, `is a CD-ROM whose image ${disk.imageId} does not exist any more; it is left out`)),
      ...images
        .filter(({ source }) => source === undefined)
        .map(({ disk, spec }) => diskNote('DISK_EMPTY', disk, `is not in the restore point; it comes back empty${ofKind(spec.fs)}`)),
      ...volatile.map((disk) => diskNote('DISK_VOLATILE', disk, `was volatile; it comes back empty${ofKind(disk.attributes['FS'])}`)),
      ...(nics === 'new-addresses' && vectors(saved.template['NIC']).length > 0
        ? [{ code: 'NIC_NEW_ADDRESSES', message: 'network cards get new addresses: the original VM still holds the old ones, or it was asked for' }]
        : []),
    ],
  };
}

async function planImages(
  deps: Pick<LookDeps, 'cloud' | 'repository'>,
  point: RestorePoint,
  saved: Vm,
  request: RestoreRequest,
  options: CallOptions,
): Promise<PlannedImage[]> {
  const datastores = await deps.cloud.datastores(options);
  const disks = saved.disks.filter((disk) => disk.imageId !== undefined && !isCdrom(disk));
  const unknown = [...(request.imageDatastores?.keys() ?? [])].filter((id) => !disks.some((disk) => disk.diskId === id));
  if (unknown.length > 0) throw noSuchDisk(point, unknown, disks);
  const images: PlannedImage[] = [];
  for (const disk of disks) {
    const wishes = {
      ...request,
      name: diskImageName(request.name, disk.diskId),
      datastore: request.imageDatastores?.get(disk.diskId) ?? request.imageDatastore,
    };
    images.push(await planImage(deps, point, disk, wishes, datastores, options));
  }
  // Never a stored disk left out in silence: a point whose definition does not know one of its disks is not what a backup wrote.
  const lost = point.disks.filter((stored) => !images.some(({ source }) => source?.stored === stored));
  if (lost.length > 0) throw invalidMetadata(point, `does not know the stored disk ${lost.map((disk) => disk.key).join(', ')}`);
  return images;
}

/** The saved VM has no image disk of that number. */
export function noSuchDisk(point: RestorePoint, ids: readonly number[], disks: readonly Disk[]): JobError {
  return new JobError({
    code: 'JOB_DISK_UNKNOWN',
    message: `restore point ${point.id} has no image disk ${ids.join(', ')}`,
    details: { pointId: point.id, diskIds: [...ids] },
    hint: disks.length === 0 ? 'it has none at all' : `it has ${disks.map(({ diskId, target }) => `${diskId} (${target})`).join(', ')}`,
  });
}

function assertName(name: string): void {
  if (isValidName(name)) return;
  throw new JobError({
    code: 'JOB_NAME_INVALID',
    message: `'${name}' is not a name OpenNebula accepts`,
    details: { name },
    hint: 'at most 128 characters with the -disk-N of its images, none of & | : \\ " ; / \' # { } $ < >',
  });
}

function diskNote(code: string, disk: Disk, what: string): RestoreNote {
  return { code, message: `disk ${disk.diskId} (${disk.target}) ${what}` };
}

function ofKind(fs: string | undefined): string {
  return fs === undefined || fs === '' ? '' : `, with a file system ${fs} that OpenNebula makes`;
}

export function isCdrom(disk: Disk): boolean {
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
