import type { Disk, DiskSnapshots, Vm } from '@onevault/one-client';
import type { RestingState } from './resting-state.ts';

/** How snapshots of one disk may hang together (src/vm/Snapshots.h), as OpenNebula resolved it for the disk. */
export type OrphanMode = 'NO' | 'YES' | 'MIXED' | 'LINEAR';

/** Everything that decides how a disk can be captured, and nothing else: two disks alike in this are captured alike. */
export interface CaptureFacts {
  /** Of OpenNebula: `7.0.2`. */
  readonly version: string;
  /** TM_MAD of the disk's image datastore. */
  readonly driver: string;
  /** TM_MAD_SYSTEM: set when the VM's system datastore is of another driver, whose `.ssh` scripts are then used. */
  readonly systemDriver: string | undefined;
  readonly format: string;
  readonly persistent: boolean;
  readonly readonly: boolean;
  /** LVM_THIN_ENABLE. */
  readonly thin: boolean;
  readonly orphans: OrphanMode;
  readonly snapshots: SnapshotFacts;
  readonly state: RestingState;
  /** BACKUP_CONFIG MODE=INCREMENT: OpenNebula's own backup, which refuses disk snapshots. */
  readonly nativeIncremental: boolean;
  /** FEATURES/GUEST_AGENT: the guest has a channel for an agent. Whether one answers is not known. */
  readonly guestAgent: boolean;
}

export interface SnapshotFacts {
  /** A SNAPSHOTS element is there; it stays, empty, when the last one is gone. */
  readonly listed: boolean;
  readonly count: number;
  /** The id that the next one will get. */
  readonly next: number;
  /** The tree has, or would have with the next one, more than one leaf. */
  readonly branches: boolean;
  /** Another disk of the VM has a snapshot of the id that the next one will get. */
  readonly idIsShared: boolean;
  /** A snapshot failed before, maybe of this disk: its files may be numbered otherwise than OpenNebula thinks. */
  readonly failedBefore: boolean;
}

export function captureFacts(vm: Vm, disk: Disk, state: RestingState, version: string): CaptureFacts {
  const format = disk.format ?? 'raw';
  const known = vm.snapshots.find((entry) => entry.diskId === disk.diskId);
  const systemDriver = disk.attributes['TM_MAD_SYSTEM'];
  return {
    version,
    driver: disk.tmMad ?? '',
    systemDriver: systemDriver === undefined || systemDriver === '' || systemDriver === disk.tmMad ? undefined : systemDriver,
    format,
    persistent: disk.persistent,
    readonly: disk.readonly,
    thin: isYes(disk.attributes['LVM_THIN_ENABLE']),
    orphans: known === undefined ? orphanMode(disk.attributes['ALLOW_ORPHANS'], format) : orphanMode(known.allowOrphans, format),
    snapshots: snapshotFacts(vm, disk, known),
    state,
    nativeIncremental: vm.backupConfig['MODE']?.toUpperCase() === 'INCREMENT',
    guestAgent: vm.guestAgent,
  };
}

/** As the disk inherits it from its datastore: FORMAT means YES for raw and NO for all else, and so does a missing one (src/vm/VirtualMachineDisk.cc). */
export function orphanMode(attribute: string | undefined, format: string): OrphanMode {
  switch (attribute?.toUpperCase()) {
    case 'YES':
      return 'YES';
    case 'MIXED':
      return 'MIXED';
    case 'LINEAR':
      return 'LINEAR';
    case 'FORMAT':
      return format === 'raw' ? 'YES' : 'NO';
    default:
      return 'NO';
  }
}

function snapshotFacts(vm: Vm, disk: Disk, known: DiskSnapshots | undefined): SnapshotFacts {
  const next = known?.nextSnapshot ?? 0;
  const others = vm.snapshots.filter((entry) => entry.diskId !== disk.diskId);
  const hasId = (snapshots: DiskSnapshots, id: number): boolean => snapshots.snapshots.some((snapshot) => snapshot.id === id);
  return {
    listed: known !== undefined,
    count: known?.snapshots.length ?? 0,
    next,
    branches: known !== undefined && branches(known),
    idIsShared: others.some((entry) => hasId(entry, next)),
    failedBefore: known !== undefined && next > 0 && !hasId(known, next - 1) && LIVE_SNAPSHOT_FAILED.test(vm.error ?? ''),
  };
}

/** USER_TEMPLATE/ERROR after a live snapshot that its driver refused or broke off; nothing clears it (src/vmm/VirtualMachineManagerProtocol.cc). */
const LIVE_SNAPSHOT_FAILED = /DISKSNAPSHOTCREATE/;

function branches({ snapshots }: DiskSnapshots): boolean {
  const childrenOf = (id: number): number => snapshots.filter((snapshot) => snapshot.parent === id).length;
  const active = snapshots.find((snapshot) => snapshot.active);
  return childrenOf(-1) > 1 || snapshots.some((snapshot) => childrenOf(snapshot.id) > 1) || (active !== undefined && childrenOf(active.id) > 0);
}

function isYes(value: string | undefined): boolean {
  return value?.toUpperCase() === 'YES';
}

/** A qcow2 file whose snapshots are overlays over one another. */
export function hasOverlays(facts: Pick<CaptureFacts, 'driver' | 'format'>): boolean {
  return facts.format === 'qcow2' && (facts.driver === 'qcow2' || facts.driver === 'shared' || facts.driver === 'local');
}

/** True from 7.0.2 on for `(version, 7, 0, 2)`; of a version that cannot be read nothing is expected. */
export function versionAtLeast(version: string, major: number, minor: number, patch = 0): boolean {
  const [a = Number.NaN, b = 0, c = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  if (a !== major) return a > major;
  return b === minor ? c >= patch : b > minor;
}
