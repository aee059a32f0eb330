import { type Disk, isRunning, type Vm } from '@onevault/one-client';
import { orphanMode } from './orphan-mode.ts';
import type { SnapshotNote, SnapshotRefusal } from './refusal.ts';
import { isQcow2Chain, snapshotDriver } from './snapshot-driver.ts';
import { vmRefusals } from './vm-checks.ts';

export interface CreateLimits {
  /** So many snapshots a disk may have, the new one included. */
  readonly maxChain: number;
  /** Also where the guest stands still until a whole disk is copied. */
  readonly allowLongFreeze: boolean;
  /** Also where the new snapshot can never be deleted again. */
  readonly acceptPermanent: boolean;
}

export interface CreatePlan {
  readonly disks: readonly Disk[];
  readonly notes: readonly SnapshotNote[];
  readonly refusals: readonly SnapshotRefusal[];
}

export const DEFAULT_MAX_CHAIN = 3;

/** Which disks get a snapshot, and what stands against it. Pure. Without `wanted`: every disk that has an image one can write to. */
export function planCreate(vm: Vm, version: string, limits: CreateLimits, wanted: readonly number[] | undefined): CreatePlan {
  const refusals = [...vmRefusals(vm, version), ...nativeIncremental(vm), ...unknownDisks(vm, wanted)];
  const notes: SnapshotNote[] = [];
  const disks: Disk[] = [];
  for (const disk of vm.disks) {
    if (wanted?.includes(disk.diskId) === false) continue;
    const unfit = whyUnfit(disk);
    if (unfit !== undefined && wanted === undefined) {
      notes.push({ code: 'SNAPSHOT_SKIPPED', diskId: disk.diskId, message: `disk ${disk.diskId} is left out: ${unfit.text}` });
      continue;
    }
    if (unfit !== undefined) refusals.push({ ...unfit, diskId: disk.diskId });
    else {
      refusals.push(...diskRefusals(vm, disk, version, limits).map((refusal) => ({ ...refusal, diskId: disk.diskId })));
      notes.push(...diskNotes(vm, disk, version));
    }
    disks.push(disk);
  }
  if (disks.length === 0 && refusals.length === 0)
    refusals.push({ code: 'SNAPSHOT_NO_DISK', text: 'none of its disks can have a snapshot', remedy: 'volatile disks and CD-ROMs have none' });
  return { disks, notes, refusals };
}

export function unknownDisks(vm: Vm, wanted: readonly number[] | undefined): SnapshotRefusal[] {
  const unknown = (wanted ?? []).filter((id) => !vm.disks.some((disk) => disk.diskId === id));
  const remedy = `its disks: ${vm.disks.map((disk) => disk.diskId).join(', ')}`;
  return unknown.map((diskId) => ({ code: 'SNAPSHOT_DISK_UNKNOWN', diskId, text: 'there is no such disk', remedy }));
}

type DiskRefusal = Omit<SnapshotRefusal, 'diskId' | 'snapshotId'>;

/** VirtualMachineDisk.cc, create_snapshot: volatile and read-only disks have none. */
function whyUnfit(disk: Disk): DiskRefusal | undefined {
  if (disk.imageId === undefined || /^(fs|swap)$/i.test(disk.type))
    return { code: 'SNAPSHOT_DISK_VOLATILE', text: 'it is volatile', remedy: 'volatile disks have no snapshots' };
  if (disk.readonly || /CDROM$/.test(disk.type))
    return { code: 'SNAPSHOT_DISK_READONLY', text: 'it is read-only', remedy: 'read-only disks have no snapshots' };
  return undefined;
}

/** RequestManagerVirtualMachine.cc, disksnapshotcreate. */
function nativeIncremental(vm: Vm): SnapshotRefusal[] {
  if (vm.backupConfig['MODE']?.toUpperCase() !== 'INCREMENT') return [];
  const remedy = 'set BACKUP_CONFIG MODE=FULL (onevm updateconf)';
  return [{ code: 'SNAPSHOT_NATIVE_INCREMENTAL', text: "OpenNebula's own incremental backup is on and refuses disk snapshots", remedy }];
}

function diskRefusals(vm: Vm, disk: Disk, version: string, limits: CreateLimits): DiskRefusal[] {
  const driver = snapshotDriver(disk, version);
  const name = disk.tmMad ?? 'none';
  if (driver === undefined)
    return [
      { code: 'SNAPSHOT_DRIVER_UNKNOWN', text: `it is not known what storage driver '${name}' does`, remedy: 'take it by hand: onevm disk-snapshot-create' },
    ];
  if (!driver.offline)
    return [{ code: 'SNAPSHOT_DRIVER_NONE', text: `storage driver ${name} has no snapshots here`, remedy: 'onevault backup keeps its state instead' }];
  if (isRunning(vm) && !driver.live)
    return [{ code: 'SNAPSHOT_DRIVER_NONE', text: `OpenNebula ${version} takes none of a running guest on ${name}`, remedy: `power VM ${vm.id} off first` }];
  const refusals: DiskRefusal[] = [];
  const known = vm.snapshots.find((entry) => entry.diskId === disk.diskId);
  const count = known?.snapshots.length ?? 0;
  if (count >= limits.maxChain) {
    const text = `it has ${count} snapshots already, and at most ${limits.maxChain} are allowed: each makes the guest slower and a loss more likely`;
    refusals.push({
      code: 'SNAPSHOT_CHAIN_FULL',
      text,
      remedy: `delete one (onevault snapshot prune ${vm.id} --keep ${Math.max(1, limits.maxChain - 1)}) or raise --max-chain`,
    });
  }
  if (isRunning(vm) && driver.cost === 'stands' && !limits.allowLongFreeze) {
    const text = `the guest would stand still while all ${disk.sizeMiB} MiB of this raw disk are copied`;
    refusals.push({ code: 'SNAPSHOT_LONG_FREEZE', text, remedy: 'say --allow-long-freeze, power the VM off first, or use onevault backup' });
  }
  if (isPermanent(vm, disk) && !limits.acceptPermanent) {
    const text =
      'it would be the first of a persistent disk, which nobody can ever delete; with it the image can no longer be cloned or made non-persistent, OpenNebula cannot back it up incrementally, and every guest write goes to a growing overlay';
    refusals.push({ code: 'SNAPSHOT_PERMANENT', text, remedy: 'leave the disk out with --disk, use onevault backup, or say --accept-permanent' });
  }
  return refusals;
}

/** Snapshots::test_delete and ImageManagerActions.cc together (opennebula.md e.4 point 3): id 0 of a persistent disk stays for good. Ids are never given again. */
function isPermanent(vm: Vm, disk: Disk): boolean {
  const mode = orphanMode(vm, disk);
  const next = vm.snapshots.find((entry) => entry.diskId === disk.diskId)?.nextSnapshot ?? 0;
  return disk.persistent && next === 0 && (mode === 'NO' || mode === 'LINEAR');
}

function diskNotes(vm: Vm, disk: Disk, version: string): SnapshotNote[] {
  const driver = snapshotDriver(disk, version);
  const { diskId } = disk;
  const running = isRunning(vm);
  const notes: SnapshotNote[] = [];
  if (isPermanent(vm, disk)) notes.push({ code: 'SNAPSHOT_STAYS', diskId, message: `disk ${diskId}: this snapshot can never be deleted` });
  else if (running && disk.tmMad === 'local' && isQcow2Chain(disk) && (vm.snapshots.find((entry) => entry.diskId === diskId)?.snapshots.length ?? 0) === 0)
    notes.push({
      code: 'SNAPSHOT_STAYS_WHILE_RUNNING',
      diskId,
      message: `disk ${diskId}: on local the lowest snapshot can be deleted only while the VM is powered off`,
    });
  if (driver?.cost === 'copy')
    notes.push({ code: 'SNAPSHOT_FULL_COPY', diskId, message: `disk ${diskId}: the whole disk is copied, and takes that much space on the host` });
  if (running && driver?.cost === 'stands')
    notes.push({ code: 'SNAPSHOT_GUEST_STANDS', diskId, message: `disk ${diskId}: the guest stands still while the whole disk is copied` });
  if (running && driver?.needsAgent === true)
    notes.push({ code: 'SNAPSHOT_NEEDS_AGENT', diskId, message: `disk ${diskId}: only a guest agent that can freeze the file systems makes this possible` });
  return notes;
}
