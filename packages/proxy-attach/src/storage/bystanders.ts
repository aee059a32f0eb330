import { programPaths, type RootFiles, rulePaths } from './root-files.ts';
import { fine, notInstalled, type StorageFinding } from './storage-finding.ts';
import { isMarkedByUdev, UDEV_RULE } from './udev-rule.ts';

const FIX_BY_RULE = `write ${UDEV_RULE}, then udevadm control --reload`;

/** btrfs, bcache, automounters and ZFS: those that act on udev's word, and those that scan at boot. */
export async function checkBystanders(files: RootFiles): Promise<StorageFinding[]> {
  const marked = await isMarkedByUdev(files);
  return [await checkBtrfs(files, marked), await checkBcache(files, marked), await checkAutomount(files, marked), await checkZfs(files)];
}

/** 64-btrfs.rules gives every btrfs to the kernel, which may take it for another path of a mounted one with the same id. */
async function checkBtrfs(files: RootFiles, marked: boolean): Promise<StorageFinding> {
  const rule = await files.firstOf(rulePaths('64-btrfs.rules'));
  if (rule === undefined) return notInstalled('btrfs', 'the btrfs rule of udev');
  if (marked) return fine('btrfs', `${rule} passes over disks with SYSTEMD_READY=0`);
  return {
    subsystem: 'btrfs',
    severity: 'warning',
    code: 'BTRFS_REGISTERS_ATTACHED_DISKS',
    seen: rule,
    why: "a guest's btrfs is registered with the kernel of the proxy VM; when the proxy itself has a btrfs from the same template, the two are taken for one",
    fix: FIX_BY_RULE,
    fixable: true,
  };
}

/** 69-bcache.rules registers what probe-bcache finds, and registering replays its journal: a write. */
async function checkBcache(files: RootFiles, marked: boolean): Promise<StorageFinding> {
  const rule = await files.firstOf([...rulePaths('69-bcache.rules'), ...programPaths('bcache-super-show')]);
  if (rule === undefined) return notInstalled('bcache', 'bcache');
  if (marked) return fine('bcache', `${rule} passes over disks that have an ID_FS_TYPE of their own`);
  return {
    subsystem: 'bcache',
    severity: 'danger',
    code: 'BCACHE_REGISTERS_ATTACHED_DISKS',
    seen: rule,
    why: "a guest's bcache would be registered on the proxy VM and its journal replayed onto the disk",
    fix: FIX_BY_RULE,
    fixable: true,
  };
}

const AUTOMOUNTERS = ['udiskie', 'usbmount', 'gvfs-udisks2-volume-monitor', 'udevil', 'devmon'];

async function checkAutomount(files: RootFiles, marked: boolean): Promise<StorageFinding> {
  const udisks = await files.firstOf(programPaths('udisksd'));
  const automounter = await files.firstOf(AUTOMOUNTERS.flatMap(programPaths));
  if (udisks === undefined && automounter === undefined) return notInstalled('automount', 'an automounter');
  const seen = [udisks, automounter].filter((path) => path !== undefined).join(', ');
  if (marked) return fine('automount', `${seen}: passes over disks with UDISKS_IGNORE=1`);
  return {
    subsystem: 'automount',
    severity: automounter === undefined ? 'warning' : 'danger',
    code: 'AUTOMOUNT_MAY_MOUNT',
    seen,
    why: "an automounter would mount a guest's file system on the proxy VM: its journal is replayed onto the disk, and the disk is in use",
    fix: FIX_BY_RULE,
    fixable: true,
  };
}

const SCAN_WANTED = '/etc/systemd/system/zfs-import.target.wants/zfs-import-scan.service';

async function checkZfs(files: RootFiles): Promise<StorageFinding> {
  const zpool = await files.firstOf(programPaths('zpool'));
  if (zpool === undefined) return notInstalled('zfs', 'ZFS');
  if ((await files.link(SCAN_WANTED)) === undefined && !(await files.exists(SCAN_WANTED))) return fine('zfs', `${zpool}: pools are not imported by scanning`);
  return {
    subsystem: 'zfs',
    severity: 'warning',
    code: 'ZFS_IMPORTS_BY_SCAN',
    seen: SCAN_WANTED,
    why: "a pool on a guest's disk that is attached while the proxy VM boots would be imported, which writes to it",
    fix: 'systemctl disable zfs-import-scan.service; systemctl enable zfs-import-cache.service (with zpool set cachefile=/etc/zfs/zpool.cache for own pools)',
    fixable: false,
  };
}
