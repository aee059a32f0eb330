import type { RestorePoint, StoredDisk } from '@onevault/backup-format';
import type { CallOptions } from '@onevault/base';
import { type DatastoreId, type Disk, IMAGE_TYPE, type Image, imageId, isRunning, type Vm, type VmId } from '@onevault/one-client';
import { readableImage } from '../cloud/readable-image.ts';
import { readSurroundings, type Surroundings } from '../plan/surroundings.ts';
import type { LookDeps } from '../ports.ts';
import type { ImageSpec } from '../restore-image.ts';
import { chooseMethod } from '../restore-method.ts';
import { diskKey, groupOf } from '../restore-point.ts';
import { invalidMetadata, readSavedVm } from '../saved-vm.ts';
import { lookAt } from '../snapshots/look.ts';
import { roomRefusals } from './check-room.ts';
import { diskRefusals, judgeSnapshots, type SnapshotFate, snapshotFates, vmRefusals } from './check-vm.ts';
import type { ExchangeRequest } from './exchange.ts';
import type { SwapNote, SwapRefusal } from './refusal.ts';

const MIB = 1024 * 1024;

export interface InPlaceRequest extends ExchangeRequest {
  readonly pointId: string;
  readonly vmId: VmId;
  /** DISK_IDs in the restore point; default: all it has. */
  readonly disks?: readonly number[];
  /** The new images begin as copies of what the VM has, made by OpenNebula's storage, and only what differs is written. */
  readonly delta: boolean;
  readonly verify: boolean;
  /** Although the disks have snapshots. */
  readonly allowSnapshotLoss: boolean;
  /** Although the restore point is another VM's. */
  readonly otherVm: boolean;
  readonly scanWorkers?: number;
}

/** One disk of the restore point and the disk of the VM that it replaces: the one at the same TARGET. */
export interface PlannedDisk {
  readonly stored: StoredDisk;
  readonly saved: Disk;
  readonly disk: Disk;
  readonly spec: ImageSpec;
  readonly method: 'full' | 'delta';
  readonly snapshots: readonly SnapshotFate[];
}

export interface InPlacePlan {
  readonly point: RestorePoint;
  readonly vm: Vm;
  readonly disks: readonly PlannedDisk[];
  /** The VM runs, and is stopped for it. */
  readonly stops: boolean;
  readonly refusals: readonly SwapRefusal[];
  readonly notes: readonly SwapNote[];
}

/** What restoring in place would do, and what stands in the way. Changes nothing. */
export async function planInPlace(deps: LookDeps, request: InPlaceRequest, options: CallOptions = {}): Promise<InPlacePlan> {
  const point = await deps.repository.point(request.pointId, options);
  const { vm: saved } = await readSavedVm(deps, point, options);
  const { vm } = await lookAt(deps, request.vmId, 'restore in place', options);
  const surroundings = await readSurroundings(deps.cloud, deps.proxyVm, options);
  const chosen = chooseDisks(point, saved, request.disks);
  const planned: PlannedDisk[] = [];
  const refusals = [...vmRefusals(vm, deps.proxyVm), ...otherVmRefusal(point, vm, request), ...chosen.refusals];
  const notes: SwapNote[] = [];
  for (const { stored, saved: from } of chosen.disks) {
    const verdict = await planDisk({ deps, vm, surroundings, request, options }, stored, from);
    refusals.push(...verdict.refusals);
    notes.push(...verdict.notes);
    if (verdict.planned !== undefined) planned.push(verdict.planned);
  }
  refusals.push(...roomRefusals(roomOf(planned), surroundings));
  if (planned.length > 0) notes.push(...whatStays(vm, planned), ...nativeBackup(vm));
  return { point, vm, disks: planned, stops: isRunning(vm), refusals, notes };
}

interface Planning {
  readonly deps: LookDeps;
  readonly vm: Vm;
  readonly surroundings: Surroundings;
  readonly request: InPlaceRequest;
  readonly options: CallOptions;
}

function chooseDisks(point: RestorePoint, saved: Vm, wanted: readonly number[] | undefined) {
  const disks = point.disks.flatMap((stored) => {
    const disk = saved.disks.find((entry) => diskKey(entry) === stored.key);
    if (disk === undefined) throw invalidMetadata(point, `does not know the stored disk ${stored.key}`);
    return wanted === undefined || wanted.includes(disk.diskId) ? [{ stored, saved: disk }] : [];
  });
  const remedy = `it has ${point.disks.map(({ key }) => key).join(', ') || 'none'}: onevault point show ${point.id}`;
  const unknown = (wanted ?? []).filter((id) => !disks.some((disk) => disk.saved.diskId === id));
  const refusals = unknown.map((id): SwapRefusal => ({ code: 'RESTORE_DISK_UNKNOWN', text: `the restore point has no disk ${id}`, remedy }));
  if (disks.length === 0 && unknown.length === 0) refusals.push({ code: 'RESTORE_NO_DISK', text: 'the restore point has no disk', remedy });
  return { disks, refusals };
}

async function planDisk(planning: Planning, stored: StoredDisk, saved: Disk) {
  const { deps, vm, surroundings, request, options } = planning;
  const disk = vm.disks.find(({ target }) => target === saved.target);
  const wrong = disk === undefined ? gone(saved) : notAnImage(disk);
  if (disk === undefined || disk.imageId === undefined || disk.datastoreId === undefined || wrong !== undefined)
    return { refusals: wrong ? [wrong] : [], notes: [] };
  const image = await readableImage(deps.cloud, imageId(disk.imageId), options);
  const snapshots = snapshotFates(vm, disk);
  const judged = judgeSnapshots(disk, snapshots, request.allowSnapshotLoss);
  const { spec, refusals } = specOf(planning, disk, disk.datastoreId, image, stored);
  const sameSize = spec.sizeMiB === disk.sizeMiB;
  const notes = [...judged.notes];
  if (!sameSize)
    notes.push({ code: 'DISK_SIZE_CHANGES', message: `${disk.target}: ${disk.sizeMiB} MiB become ${spec.sizeMiB} MiB, as it was when it was backed up` });
  if (request.delta && !sameSize)
    notes.push({ code: 'DELTA_OTHER_SIZE', message: `${disk.target} is written whole: a disk of another size cannot be compared` });
  const planned: PlannedDisk = { stored, saved, disk, spec, method: request.delta && sameSize ? 'delta' : 'full', snapshots };
  return { planned, refusals: [...diskRefusals(vm, disk, image, surroundings.caller), ...judged.refusals, ...refusals], notes };
}

/** Beside the image that the disk has now: same datastore, format and persistence, so that driver and attributes agree. */
function specOf({ surroundings, vm }: Planning, disk: Disk, datastoreId: DatastoreId, image: Image | undefined, stored: StoredDisk) {
  const datastore = surroundings.datastores?.find(({ id }) => id === datastoreId);
  const verdict = datastore && chooseMethod({ wish: 'auto', datastore, persistent: disk.persistent });
  const refusals: SwapRefusal[] =
    verdict !== undefined && 'refused' in verdict
      ? [{ code: 'RESTORE_NO_SPACE', target: disk.target, text: verdict.refused, remedy: 'restore the VM as a new one, in another datastore' }]
      : [];
  const spec: ImageSpec = {
    diskId: disk.diskId,
    name: `${vm.name}-${disk.target}`, // completed with the run's id, so that it is free
    datastore: datastoreId,
    sizeMiB: Math.ceil(stored.sizeBytes / MIB),
    type: image?.type === IMAGE_TYPE.OS ? 'OS' : 'DATABLOCK',
    format: disk.format,
    persistent: disk.persistent,
    attributes: disk.devPrefix === undefined ? {} : { DEV_PREFIX: disk.devPrefix },
    method: verdict !== undefined && 'method' in verdict ? verdict.method : 'direct',
  };
  return { spec, refusals };
}

function gone({ target, diskId }: Disk): SwapRefusal {
  return {
    code: 'RESTORE_DISK_GONE',
    target,
    text: `the VM has no disk there, as disk ${diskId} of the restore point was`,
    remedy: 'leave it out with --disk, or restore that disk to a new image and attach it',
  };
}

function notAnImage({ target, type, imageId: id, readonly }: Disk): SwapRefusal | undefined {
  if (id !== undefined && !/CDROM$/.test(type) && !readonly) return undefined;
  const what = id === undefined ? `a volatile disk (${type})` : readonly ? 'read-only' : type;
  return { code: 'RESTORE_DISK_NOT_IMAGE', target, text: `what the VM has there is ${what}`, remedy: 'leave it out with --disk' };
}

function otherVmRefusal(point: RestorePoint, vm: Vm, { otherVm }: InPlaceRequest): SwapRefusal[] {
  if (otherVm || point.group === groupOf(vm)) return [];
  return [
    {
      code: 'RESTORE_OTHER_VM',
      text: `restore point ${point.id} is of ${point.group}, another VM`,
      remedy: 'name a point of this VM, or say --other-vm if its disks are to have that content',
    },
  ];
}

/** A new image for each disk and, for the way back, a copy of each that is not persistent. */
function roomOf(disks: readonly PlannedDisk[]) {
  return disks.flatMap(({ disk, spec }) => [
    { datastore: spec.datastore, sizeMiB: spec.sizeMiB },
    ...(disk.persistent ? [] : [{ datastore: spec.datastore, sizeMiB: disk.sizeMiB }]),
  ]);
}

function whatStays(vm: Vm, planned: readonly PlannedDisk[]): SwapNote[] {
  return vm.disks
    .filter((disk) => !planned.some((entry) => entry.disk === disk))
    .map((disk) => ({ code: 'DISK_STAYS', message: `${disk.target} (disk ${disk.diskId}) stays as it is: it keeps what it holds now` }));
}

/** del_disk_id of VirtualMachinePool::delete_attach_disk: the disk is taken out of the selection, the one that comes is not put in. */
function nativeBackup(vm: Vm): SwapNote[] {
  if ((vm.backupConfig['DISK_IDS'] ?? '') === '') return [];
  return [
    {
      code: 'NATIVE_BACKUP_DISKS',
      message: `BACKUP_CONFIG/DISK_IDS (${vm.backupConfig['DISK_IDS']}) loses the disks that are exchanged: set it anew (onevm updateconf ${vm.id})`,
    },
  ];
}
