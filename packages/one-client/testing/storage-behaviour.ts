import type { Disk, Vm } from '../src/index.ts';

/** What OpenNebula and a storage driver do with a disk of a VM, as far as the answers of the API tell (measured, and read in src/tm_mad and src/vm). */
export interface StorageBehaviour {
  /** fails-later: the call is accepted, the snapshot disappears again and its id is used up. */
  readonly liveSnapshot: 'taken' | 'fails-later';
  readonly offlineSnapshot: 'taken' | 'fails-later';
  /** Deleting the only snapshot of the disk while the VM runs. */
  readonly deleteOnly: 'goes' | 'refused' | 'fails-later';
  /** one.vm.disksaveas gives an image. */
  readonly saves: boolean;
}

const GOOD: StorageBehaviour = { liveSnapshot: 'taken', offlineSnapshot: 'taken', deleteOnly: 'goes', saves: true };
const NO_SNAPSHOTS: StorageBehaviour = { ...GOOD, liveSnapshot: 'fails-later', offlineSnapshot: 'fails-later' };

/** Undefined for a driver of which nothing is known. */
export function behaviourOf(version: string, vm: Vm, disk: Disk): StorageBehaviour | undefined {
  const base = driverBehaviour(version, disk);
  return base && keepsFirstSnapshot(vm, disk) ? { ...base, deleteOnly: 'refused' } : base;
}

function driverBehaviour(version: string, disk: Disk): StorageBehaviour | undefined {
  switch (disk.tmMad) {
    case 'qcow2':
    case 'shared':
    case 'ssh':
    case 'ceph':
    case 'dummy': // of a front-end without a hypervisor: every transfer succeeds
      return GOOD;
    case 'local':
      return disk.format === 'qcow2' ? { ...GOOD, deleteOnly: 'fails-later' } : GOOD;
    case 'fs_lvm':
      return NO_SNAPSHOTS;
    case 'fs_lvm_ssh':
      return !version.startsWith('6.') && disk.attributes['LVM_THIN_ENABLE'] === 'YES' ? GOOD : NO_SNAPSHOTS;
    case 'lvm':
      return GOOD;
    case 'dev':
    case 'iscsi_libvirt':
      return { ...NO_SNAPSHOTS, saves: false };
    default:
      return undefined;
  }
}

/** Snapshot 0 of a persistent disk whose snapshots form a tree can never be deleted (Snapshots::test_delete). */
function keepsFirstSnapshot(vm: Vm, disk: Disk): boolean {
  const next = vm.snapshots.find((one) => one.diskId === disk.diskId)?.nextSnapshot ?? 0;
  return disk.persistent && orphansOf(disk) === 'NO' && next === 0;
}

/** ALLOW_ORPHANS as oned resolves it (VirtualMachineDisk.cc). */
function orphansOf(disk: Disk): string {
  const mode = disk.attributes['ALLOW_ORPHANS']?.toUpperCase() ?? 'NO';
  if (mode !== 'FORMAT') return mode;
  return disk.format === 'raw' ? 'YES' : 'NO';
}
