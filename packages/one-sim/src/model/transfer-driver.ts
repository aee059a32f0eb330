import type { World } from './world.ts';

/** What a TM_MAD does and refuses (opennebula.md M.1, e.3, f, g.4, k). */
export interface TransferDriver {
  readonly lnTarget: 'NONE' | 'SELF' | 'SYSTEM';
  readonly cloneTarget: 'NONE' | 'SELF' | 'SYSTEM';
  readonly shared: boolean;
  readonly allowOrphans: string | undefined;
  /** Forced format of every image. */
  readonly driver: string | undefined;
  readonly diskType: 'FILE' | 'BLOCK' | 'RBD';
  /** Disk snapshots exist at all; the LIVE_DISK_SNAPSHOTS gate comes on top. */
  readonly snapshots: boolean;
  /** Deleting the only (base, active) qcow2 snapshot is accepted and then fails. */
  readonly baseSnapshotStays: boolean;
  /** A saved qcow2 snapshot that has a parent is a bare overlay without its backing file. */
  readonly childSaveIsBroken: boolean;
  /** saveas of a snapshot copies the current volume instead. */
  readonly saveIgnoresSnapshot: boolean;
  /** `disksaveas -1` of a RUNNING VM is not a point in time. */
  readonly liveSaveIsFuzzy: boolean;
  /** Attaching and detaching move every byte. */
  readonly copiesOnAttach: boolean;
}

const file = {
  diskType: 'FILE',
  snapshots: true,
  baseSnapshotStays: false,
  childSaveIsBroken: false,
  saveIgnoresSnapshot: false,
  liveSaveIsFuzzy: false,
} as const;
const qcow2: TransferDriver = {
  ...file,
  lnTarget: 'NONE',
  cloneTarget: 'SYSTEM',
  shared: true,
  allowOrphans: 'FORMAT',
  driver: 'qcow2',
  copiesOnAttach: false,
};
const lvm: TransferDriver = {
  lnTarget: 'SYSTEM',
  cloneTarget: 'SYSTEM',
  shared: true,
  allowOrphans: 'NO',
  driver: 'raw',
  diskType: 'BLOCK',
  snapshots: false,
  baseSnapshotStays: false,
  childSaveIsBroken: false,
  saveIgnoresSnapshot: true,
  liveSaveIsFuzzy: true,
  copiesOnAttach: true,
};

const DRIVERS: Readonly<Record<string, TransferDriver>> = {
  qcow2,
  shared: { ...qcow2, driver: undefined },
  ssh: { ...qcow2, lnTarget: 'SYSTEM', shared: false, allowOrphans: 'YES', driver: undefined, copiesOnAttach: true },
  local: { ...qcow2, lnTarget: 'SYSTEM', shared: false, driver: undefined, baseSnapshotStays: true, childSaveIsBroken: true, copiesOnAttach: true },
  ceph: { ...qcow2, cloneTarget: 'SELF', allowOrphans: 'MIXED', driver: 'raw', diskType: 'RBD', liveSaveIsFuzzy: true },
  fs_lvm: lvm,
  dev: { ...lvm, lnTarget: 'NONE', cloneTarget: 'NONE' },
};

export function transferDriver(tmMad: string | undefined): TransferDriver {
  return DRIVERS[tmMad ?? ''] ?? { ...qcow2, driver: undefined };
}

/** LIVE_DISK_SNAPSHOTS of vmm_execrc: what may be snapshotted while the guest runs. */
export function liveSnapshotAllowed(world: World, vmMad: string, tmMad: string | undefined): boolean {
  if (tmMad === 'local') return vmMad === 'kvm' && world.atLeast(7, 0);
  const listed = ['qcow2', 'shared', 'ceph', 'ssh'].includes(tmMad ?? '');
  return listed && (vmMad === 'kvm' || (vmMad === 'lxc' && world.atLeast(7, 2)));
}
