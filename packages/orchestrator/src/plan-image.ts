import type { RestorePoint } from '@onevault/backup-format';
import type { CallOptions } from '@onevault/base';
import { type Attribute, type Attributes, DATASTORE_TYPE, type Datastore, type DatastoreId, type Disk, IMAGE_TYPE, type Image } from '@onevault/one-client';
import { text } from './attributes.ts';
import { JobError } from './errors.ts';
import { isValidName } from './names.ts';
import type { LookDeps } from './ports.ts';
import type { RestoreWishes } from './request.ts';
import type { DiskSource, ImageSpec } from './restore-image.ts';
import { chooseMethod } from './restore-method.ts';
import { diskKey } from './restore-point.ts';
import { readSavedImage } from './saved-vm.ts';

const MIB = 1024 * 1024;

/** One image of a restore, as it will be made. */
export interface PlannedImage {
  readonly disk: Disk;
  readonly spec: ImageSpec;
  /** Undefined: the disk was not captured; it comes back empty. */
  readonly source: DiskSource | undefined;
  /** Why that method. */
  readonly why: string;
  /** As it was; undefined when that is not known. */
  readonly saved: Image | undefined;
}

export interface ImageWishes extends Pick<RestoreWishes, 'method' | 'persistent'> {
  readonly name: string;
  /** Default: where the disk came from. */
  readonly datastore: DatastoreId | undefined;
}

/** What becomes of an image disk of the saved VM: pure but for the body of its image, which is read from the repository. */
export async function planImage(
  deps: Pick<LookDeps, 'repository'>,
  point: RestorePoint,
  disk: Disk,
  wishes: ImageWishes,
  datastores: readonly Datastore[],
  options: CallOptions,
): Promise<PlannedImage> {
  assertName(wishes.name);
  const datastore = placeFor(disk, wishes.datastore, datastores);
  const saved = await readSavedImage(deps, point, disk, options);
  const stored = point.disks.find((entry) => entry.key === diskKey(disk));
  const persistent = wishes.persistent ?? disk.persistent;
  const verdict = chooseMethod({ wish: wishes.method ?? 'auto', datastore, persistent });
  if ('refused' in verdict) throw refused(disk, datastore, verdict.refused);
  const fs = stored === undefined ? saved?.fileSystem || text(disk.attributes['FS']) : undefined;
  return {
    disk,
    source: stored && { point, stored },
    why: verdict.why,
    saved,
    spec: {
      diskId: disk.diskId,
      name: wishes.name,
      datastore: datastore.id,
      sizeMiB: stored === undefined ? disk.sizeMiB : Math.ceil(stored.sizeBytes / MIB),
      // OS stays OS, everything else that can be written is a DATABLOCK.
      type: saved?.type === IMAGE_TYPE.OS ? 'OS' : 'DATABLOCK',
      format: disk.format,
      persistent,
      fs,
      attributes: keptAttributes(saved, disk),
      method: verdict.method,
    },
  };
}

/** Of the image itself, not of how it came to be: OpenNebula's own records of that, what stands elsewhere in the new one, and our marks. */
const IMAGE_DROPPED: ReadonlySet<string> = new Set(
  (
    'NAME TYPE SIZE FORMAT DRIVER FS PERSISTENT PATH SOURCE TARGET ERROR MD5 SHA1 SAVE_AS_HOT FORCE_DELETE LUKS_SECRET DISK_TYPE NOKERNEL DATASTORE_ID ' +
    'ONEVAULT_RUN ONEVAULT_STATE ONEVAULT_NAME ONEVAULT_POINT'
  ).split(' '),
);
const IMAGE_DROPPED_PREFIXES = ['SAVED_', 'FROM_', 'CEPH_', 'ISCSI_', 'VCENTER_'];

/** DESCRIPTION, LABELS and whatever else its owner wrote on the image; DEV_PREFIX as the VM saw it. Vectors are OpenNebula's own. */
function keptAttributes(saved: Image | undefined, disk: Disk): Readonly<Record<string, string>> {
  const own = Object.entries((saved?.template ?? {}) satisfies Attributes).filter(
    (entry): entry is [string, string] =>
      isText(entry[1]) && !IMAGE_DROPPED.has(entry[0]) && !IMAGE_DROPPED_PREFIXES.some((prefix) => entry[0].startsWith(prefix)),
  );
  return { ...Object.fromEntries(own), ...(disk.devPrefix !== undefined && { DEV_PREFIX: disk.devPrefix }) };
}

function isText(attribute: Attribute): attribute is string {
  return typeof attribute === 'string';
}

function assertName(name: string): void {
  if (isValidName(name)) return;
  throw new JobError({
    code: 'JOB_NAME_INVALID',
    message: `'${name}' is not a name OpenNebula accepts for an image`,
    details: { name },
    hint: 'at most 128 characters, none of & | : \\ " ; / \' # { } $ < >; images of a VM are called by its name with -disk-N behind it',
  });
}

function placeFor(disk: Disk, wish: DatastoreId | undefined, datastores: readonly Datastore[]): Datastore {
  const wanted = wish ?? disk.datastoreId;
  const found = datastores.find((datastore) => datastore.id === wanted);
  if (found?.type === DATASTORE_TYPE.IMAGE) return found;
  const choices = datastores.filter((datastore) => datastore.type === DATASTORE_TYPE.IMAGE).map((datastore) => `${datastore.id} ${datastore.name}`);
  throw new JobError({
    code: 'JOB_DATASTORE_INVALID',
    message: `disk ${disk.diskId} cannot go to datastore ${wanted ?? '(unknown)'}: it ${found === undefined ? 'does not exist' : 'is not an image datastore'}`,
    details: { diskId: disk.diskId, ...(wanted !== undefined && { datastoreId: wanted }) },
    hint: `choose one with --image-datastore: ${choices.join(', ')}`,
  });
}

function refused(disk: Disk, { id, name }: Datastore, why: string): JobError {
  return new JobError({
    code: 'JOB_DATASTORE_INVALID',
    message: `disk ${disk.diskId} cannot be restored to datastore ${id} '${name}' this way: ${why}`,
    details: { diskId: disk.diskId, datastoreId: id },
    hint: 'choose another --method, or another datastore with --image-datastore',
  });
}
