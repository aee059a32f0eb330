/** Stable codes: what on the proxy VM would touch attached disks by itself. */
export type StorageCode =
  | 'LVM_SEES_ATTACHED_DISKS'
  | 'LVM_OWN_DISK_REJECTED'
  | 'LVM_CONFIG_UNREADABLE'
  | 'MULTIPATH_TAKES_ATTACHED_DISKS'
  | 'MULTIPATH_CONFIG_UNREADABLE'
  | 'MDADM_ASSEMBLES_ATTACHED_DISKS'
  | 'ZFS_IMPORTS_BY_SCAN'
  | 'BTRFS_REGISTERS_ATTACHED_DISKS'
  | 'BCACHE_REGISTERS_ATTACHED_DISKS'
  | 'AUTOMOUNT_MAY_MOUNT'
  | 'UDEV_RULE_MISSING';

export type StorageSubsystem = 'lvm' | 'multipath' | 'mdadm' | 'btrfs' | 'zfs' | 'bcache' | 'automount' | 'udev';

/** danger: guest data would be activated, assembled or written to without anybody asking. warning: only together with something else. ok: nothing to do. */
export type StorageSeverity = 'ok' | 'warning' | 'danger';

export interface StorageFinding {
  readonly subsystem: StorageSubsystem;
  readonly severity: StorageSeverity;
  /** Absent when all is well. */
  readonly code?: StorageCode;
  /** File, line and text that decide, or that the software is not installed. */
  readonly seen: string;
  /** What would happen to a guest's disk. Empty when all is well. */
  readonly why: string;
  /** The setting to make, exactly; empty when there is none to make. */
  readonly fix: string;
  /** `fixProxyStorage` can make it. */
  readonly fixable: boolean;
}

export function fine(subsystem: StorageSubsystem, seen: string): StorageFinding {
  return { subsystem, severity: 'ok', seen, why: '', fix: '', fixable: false };
}

export function notInstalled(subsystem: StorageSubsystem, software: string): StorageFinding {
  return fine(subsystem, `${software} is not installed`);
}

/** What a fix would write: whole files, or why it writes nothing. */
export type FixPlan = { readonly changes: readonly FileChange[] } | { readonly refused: string };

export interface FileChange {
  /** As the machine names it: `/etc/lvm/lvm.conf`. */
  readonly path: string;
  readonly text: string;
}
