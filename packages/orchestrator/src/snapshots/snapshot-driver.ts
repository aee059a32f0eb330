import type { Disk } from '@onevault/one-client';

/** What taking a snapshot means on a storage driver (opennebula.md e.3). */
export interface SnapshotDriver {
  /** While the guest runs. */
  readonly live: boolean;
  /** In POWEROFF. */
  readonly offline: boolean;
  /** What the guest notices: nothing worth a word, its disk is copied whole beside it, or it stands still until the whole disk is copied. */
  readonly cost: 'brief' | 'copy' | 'stands';
  readonly needsAgent: boolean;
}

const NONE: SnapshotDriver = { live: false, offline: false, cost: 'brief', needsAgent: false };
const BRIEF: SnapshotDriver = { live: true, offline: true, cost: 'brief', needsAgent: false };

/**
 * Undefined for a driver that is not known. `version` counts because LIVE_DISK_SNAPSHOTS of vmm_execrc lists local since 7.0 and lvm since 7.2, and because
 * fs_lvm_ssh has thin snapshots since 7.0.
 */
export function snapshotDriver(disk: Disk, version: string): SnapshotDriver | undefined {
  const raw = disk.format === 'raw';
  switch (disk.tmMad) {
    case 'qcow2':
    case 'shared':
      return raw ? { ...BRIEF, cost: 'stands' } : BRIEF;
    case 'local':
      return { ...BRIEF, live: isAtLeast(version, 7, 0), cost: raw ? 'copy' : 'brief' };
    case 'ssh':
      return { ...BRIEF, cost: 'copy' };
    case 'ceph':
      return disk.type === 'RBD' ? BRIEF : NONE; // on an ssh system datastore it is a FILE
    case 'fs_lvm_ssh':
      return disk.attributes['LVM_THIN_ENABLE']?.toUpperCase() === 'YES' && isAtLeast(version, 7, 0) ? { ...BRIEF, needsAgent: true } : NONE;
    case 'lvm':
      return isAtLeast(version, 7, 2) ? BRIEF : NONE;
    case 'netapp':
    case 'purefa':
      return BRIEF;
    case 'fs_lvm':
    case 'dev':
    case 'iscsi_libvirt':
      return NONE;
    default:
      return undefined;
  }
}

/** qcow2 files over one another: where the scripts that delete snapshots look things up by snapshot id alone, over all disks of the VM. */
export function isQcow2Chain(disk: Disk): boolean {
  return disk.format === 'qcow2' && (disk.tmMad === 'qcow2' || disk.tmMad === 'shared' || disk.tmMad === 'local');
}

export function isAtLeast(version: string, major: number, minor: number): boolean {
  const [have = 0, and = 0] = version.split('.').map(Number);
  return have > major || (have === major && and >= minor);
}
