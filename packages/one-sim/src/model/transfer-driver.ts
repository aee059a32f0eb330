import { isYes, type Vector } from '../template/attributes.ts';
import type { VersionGate } from './version.ts';

/** How a disk snapshot comes about. */
export type SnapshotKind =
  /** qcow2: the live file is frozen as it is and the guest goes on in an overlay (TM/qcow2/snap_create_live, TM/local/snap_create_live). */
  | 'overlay'
  /** `cp` of the whole disk (TM/qcow2/snap_create_live, FORMAT raw). */
  | 'copy'
  /** `virsh blockcopy --finish`: a whole copy that follows the guest, so that it holds the END of the copying (TM/ssh/snap_create_live). */
  | 'block-copy'
  /** The storage's own, at once (TM/ceph, TM/fs_lvm_ssh, TM/lvm). */
  | 'volume'
  | 'none';

/** What is done to the guest around a live copy or snapshot. */
export type Quiesce =
  /** domfsfreeze; without an agent `virsh suspend` for as long as it takes. */
  | 'freeze-or-suspend'
  /** domfsfreeze; a failure is ignored. */
  | 'freeze-if-possible'
  /** domfsfreeze, else the operation fails. */
  | 'freeze-or-fail'
  | 'none';

/** `disksaveas -1` of a RUNNING VM. */
type LiveSave =
  /** `virsh blockcopy --finish`: the bytes of its end. */
  | 'block-copy'
  /** A plain copy of a volume that the guest writes to. */
  | 'fuzzy'
  /** A snapshot of its own, removed again. */
  | 'temporary-snapshot'
  /** A copy under a frozen or suspended guest. */
  | 'frozen-copy'
  | 'none';

/** What a TM_MAD does and refuses (opennebula.md M.1, e.3, f, g.4, k). */
export interface TransferDriver {
  readonly lnTarget: 'NONE' | 'SELF' | 'SYSTEM';
  readonly cloneTarget: 'NONE' | 'SELF' | 'SYSTEM';
  readonly shared: boolean;
  readonly allowOrphans: string | undefined;
  /** Forced format of every image. */
  readonly driver: string | undefined;
  readonly diskType: 'FILE' | 'BLOCK' | 'RBD' | 'FILESYSTEM';
  /** Only persistent images (DS_MAD_CONF PERSISTENT_ONLY). */
  readonly persistentOnly: boolean;
  readonly persistentSnapshots: boolean;
  /** By the disk's FORMAT. */
  readonly snapshot: { readonly qcow2: SnapshotKind; readonly raw: SnapshotKind };
  readonly quiesce: Quiesce;
  /** Backing files by bare name: the base cannot be pulled into its overlay, and what is saved of a child is the overlay alone. */
  readonly relativeOverlays: boolean;
  /** saveas of a snapshot: copies it, copies the current volume instead, or fails. */
  readonly saveOfSnapshot: 'copies' | 'ignores' | 'fails';
  readonly liveSave: LiveSave;
  /** saveas of a VM that has no host (UNDEPLOYED, STOPPED). */
  readonly savesUndeployed: boolean;
  /** Attaching moves every byte to the host, and detaching a persistent disk moves every byte back. */
  readonly copiesOnAttach: boolean;
}

const qcow2: TransferDriver = {
  lnTarget: 'NONE',
  cloneTarget: 'SYSTEM',
  shared: true,
  allowOrphans: 'FORMAT',
  driver: 'qcow2',
  diskType: 'FILE',
  persistentOnly: false,
  persistentSnapshots: true,
  snapshot: { qcow2: 'overlay', raw: 'copy' },
  quiesce: 'freeze-or-suspend',
  relativeOverlays: false,
  saveOfSnapshot: 'copies',
  liveSave: 'block-copy',
  savesUndeployed: true,
  copiesOnAttach: false,
};
const NO_SNAPSHOT = { qcow2: 'none', raw: 'none' } as const;
const VOLUME = { qcow2: 'volume', raw: 'volume' } as const;
const fsLvm: TransferDriver = {
  ...qcow2,
  lnTarget: 'SYSTEM',
  allowOrphans: 'NO',
  driver: 'raw',
  diskType: 'BLOCK',
  snapshot: NO_SNAPSHOT,
  quiesce: 'none',
  saveOfSnapshot: 'ignores',
  liveSave: 'fuzzy',
  copiesOnAttach: true,
};
const unsupported: TransferDriver = { ...fsLvm, lnTarget: 'NONE', cloneTarget: 'NONE', liveSave: 'none', persistentOnly: true, copiesOnAttach: false };

/** TM_MAD_CONF of the stock oned.conf, with the scripts of src/tm_mad/<name>. */
const DRIVERS: Readonly<Record<string, TransferDriver>> = {
  qcow2,
  shared: { ...qcow2, driver: undefined },
  ssh: {
    ...qcow2,
    lnTarget: 'SYSTEM',
    shared: false,
    allowOrphans: 'YES',
    driver: undefined,
    snapshot: { qcow2: 'block-copy', raw: 'block-copy' },
    quiesce: 'none',
    copiesOnAttach: true,
  },
  local: {
    ...qcow2,
    lnTarget: 'SYSTEM',
    shared: false,
    driver: undefined,
    snapshot: { qcow2: 'overlay', raw: 'block-copy' },
    quiesce: 'none', // the mode is looked for in a way that finds none (TM/lib/kvm.rb, fsfreeze)
    relativeOverlays: true,
    copiesOnAttach: true,
  },
  ceph: {
    ...qcow2,
    cloneTarget: 'SELF',
    allowOrphans: 'MIXED',
    driver: 'raw',
    diskType: 'RBD',
    snapshot: VOLUME,
    quiesce: 'freeze-if-possible',
    liveSave: 'fuzzy',
  },
  fs_lvm: fsLvm,
  fs_lvm_ssh: { ...fsLvm, allowOrphans: 'YES', persistentSnapshots: false },
  lvm: {
    ...fsLvm,
    lnTarget: 'NONE',
    cloneTarget: 'SELF',
    allowOrphans: 'YES',
    snapshot: VOLUME,
    saveOfSnapshot: 'copies',
    liveSave: 'temporary-snapshot',
    copiesOnAttach: false,
  },
  dev: unsupported,
  iscsi_libvirt: { ...unsupported, cloneTarget: 'SELF' },
  virtiofs: { ...unsupported, driver: 'virtiofs', diskType: 'FILESYSTEM', persistentOnly: false },
};

/** Images on a system datastore of driver ssh: the `.ssh` scripts beside the plain ones (TM/qcow2/*.ssh, TM/ceph/*.ssh). */
const ON_SSH: Readonly<Record<string, Partial<TransferDriver>>> = {
  qcow2: { lnTarget: 'SYSTEM', shared: false, copiesOnAttach: true },
  shared: { lnTarget: 'SYSTEM', shared: false, copiesOnAttach: true },
  // There is no snap_create.ssh: one_tm falls back to the plain script, which refuses a TYPE that is not RBD. cpds.ssh imports under freeze or suspend.
  ceph: {
    lnTarget: 'SYSTEM',
    cloneTarget: 'SYSTEM',
    shared: false,
    diskType: 'FILE',
    snapshot: NO_SNAPSHOT,
    quiesce: 'freeze-or-suspend',
    saveOfSnapshot: 'fails',
    liveSave: 'frozen-copy',
    savesUndeployed: false,
    copiesOnAttach: true,
  },
};

const THIN: Partial<TransferDriver> = { snapshot: VOLUME, quiesce: 'freeze-or-fail', saveOfSnapshot: 'copies' };

/** The driver as a datastore of that TM_MAD is created with; 6.10 knows no thin volumes, so that fs_lvm_ssh is plain there. */
export function transferDriver(world: VersionGate, tmMad: string | undefined): TransferDriver {
  const driver = DRIVERS[tmMad ?? ''] ?? { ...qcow2, driver: undefined };
  return tmMad === 'fs_lvm_ssh' && !world.atLeast(7, 0) ? { ...driver, allowOrphans: 'NO', persistentSnapshots: true } : driver;
}

/** What is done with this very disk: by its TM_MAD, the system datastore it lies on, and LVM_THIN_ENABLE. */
export function diskDriver(world: VersionGate, disk: Vector): TransferDriver {
  const driver = transferDriver(world, disk['TM_MAD']);
  if (disk['TM_MAD_SYSTEM'] === 'ssh') return { ...driver, ...ON_SSH[disk['TM_MAD'] ?? ''] };
  return isThin(world, disk) ? { ...driver, ...THIN } : driver;
}

function isThin(world: VersionGate, disk: Vector): boolean {
  return disk['TM_MAD'] === 'fs_lvm_ssh' && world.atLeast(7, 0) && isYes(disk['LVM_THIN_ENABLE']);
}

/** By the disk's FORMAT; anything but qcow2 is copied as raw is. */
export function snapshotKind(driver: TransferDriver, disk: Vector): SnapshotKind {
  return disk['FORMAT'] === 'qcow2' ? driver.snapshot.qcow2 : driver.snapshot.raw;
}

/** Whether a qcow2 overlay chain is what this disk's snapshots are. */
export function hasOverlays(driver: TransferDriver, disk: Vector): boolean {
  return snapshotKind(driver, disk) === 'overlay';
}

/** What a non-persistent disk costs at attach and at deployment, in bytes moved; a persistent one moves only where the driver copies (g.4). */
export function bytesToProvide(driver: TransferDriver, disk: Vector): number {
  const bytes = Number(disk['SIZE'] ?? 0) * 2 ** 20;
  if (driver.copiesOnAttach) return bytes;
  const overlay = disk['FORMAT'] === 'qcow2' && !isYes(disk['QCOW2_STANDALONE']);
  return isYes(disk['PERSISTENT']) || driver.diskType !== 'FILE' || overlay ? 0 : bytes;
}

const GATE: Readonly<Record<string, readonly [since: readonly [number, number], lxc: boolean]>> = {
  qcow2: [[6, 0], true],
  shared: [[6, 0], true],
  ceph: [[6, 0], true],
  ssh: [[6, 0], true],
  local: [[7, 0], true],
  lvm_thin: [[7, 0], true],
  lvm: [[7, 2], true],
};

/** LIVE_DISK_SNAPSHOTS (src/vmm_mad/exec/vmm_execrc, asked in one_vmm_exec.rb disk_snapshot_create): what may be snapshotted while the guest runs. */
export function liveSnapshotAllowed(world: VersionGate, vmMad: string, disk: Vector): boolean {
  const listed = GATE[isThin(world, disk) ? 'lvm_thin' : (disk['TM_MAD'] ?? '')];
  if (!listed) return false;
  const [[major, minor], lxc] = listed;
  return world.atLeast(major, minor) && (vmMad === 'kvm' || (vmMad === 'lxc' && lxc && world.atLeast(7, 2)));
}
