import { firstAttachedScsiTarget, LAST_SCSI_TARGET } from '../target.ts';
import { programPaths, type RootFiles } from './root-files.ts';
import { type FixPlan, fine, notInstalled, type StorageFinding } from './storage-finding.ts';

/** Before 60-persistent-storage.rules, which looks into the disk and links it by what it finds there. */
export const UDEV_RULE = '/etc/udev/rules.d/59-onevault.rules';

const TARGETS = Array.from({ length: LAST_SCSI_TARGET - firstAttachedScsiTarget() + 1 }, (_, index) => `*:0:${firstAttachedScsiTarget() + index}:0`).join('|');

/**
 * Marks attached disks: virtio disks by our serial; SCSI disks by our serial or by the addresses that onevault attaches to. What they say to others:
 * UDEV_DISABLE_PERSISTENT_STORAGE_RULES_FLAG: no probing, no links by UUID or label (a clone of the proxy has the same). ID_FS_TYPE: LVM, md, btrfs and
 * bcache rules go by it, and this value is none of theirs. SYSTEMD_READY: systemd and the btrfs rule pass over it. UDISKS_IGNORE: so do desktops.
 * DM_MULTIPATH_DEVICE_PATH: no path of a map. NOMPATHWWIDS and the DM flag: for the rules of multipath and device mapper.
 */
const UDEV_RULE_TEXT = `# onevault: disks attached for backup and restore are nobody else's. Written by onevault doctor --fix.
SUBSYSTEM!="block", GOTO="onevault_end"
ACTION=="remove", GOTO="onevault_end"

KERNEL=="vd*", ATTRS{serial}=="ov-*", GOTO="onevault_ours"

KERNEL!="sd*", GOTO="onevault_end"
DRIVERS=="virtio_scsi", ENV{ONEVAULT_VIRTIO_SCSI}="1"
ENV{ONEVAULT_VIRTIO_SCSI}!="1", GOTO="onevault_end"
KERNELS=="${TARGETS}", GOTO="onevault_ours"
ENV{DEVTYPE}=="disk", IMPORT{program}="scsi_id --export --whitelisted -d $devnode"
ENV{DEVTYPE}=="partition", IMPORT{parent}="ID_SCSI_SERIAL"
ENV{ID_SCSI_SERIAL}=="ov-*", GOTO="onevault_ours"
GOTO="onevault_end"

LABEL="onevault_ours"
ENV{UDEV_DISABLE_PERSISTENT_STORAGE_RULES_FLAG}="1"
ENV{ID_FS_TYPE}="onevault"
ENV{SYSTEMD_READY}="0"
ENV{UDISKS_IGNORE}="1"
ENV{DM_MULTIPATH_DEVICE_PATH}="0"
ENV{NOMPATHWWIDS}="1"
ENV{DM_UDEV_DISABLE_OTHER_RULES_FLAG}="1"

LABEL="onevault_end"
`;

/** Whether udev passes attached disks by. */
export async function checkUdevRule(files: RootFiles): Promise<StorageFinding[]> {
  const udev = await files.firstOf(['/etc/udev', '/usr/lib/udev', '/lib/udev', ...programPaths('udevadm')]);
  if (udev === undefined) return [notInstalled('udev', 'udev')];
  const text = await files.text(UDEV_RULE);
  if (text === UDEV_RULE_TEXT) return [fine('udev', `${UDEV_RULE} marks attached disks as nobody else's`)];
  return [
    {
      subsystem: 'udev',
      severity: 'warning',
      code: 'UDEV_RULE_MISSING',
      seen: text === undefined ? `${UDEV_RULE} is not there` : `${UDEV_RULE} is not the rule of this version`,
      why: "udev looks into each attached disk, links it by UUID and label (which a clone of the proxy's template has too), and lets LVM, md, btrfs, bcache and automounters act on what it finds",
      fix: `write ${UDEV_RULE}, then udevadm control --reload`,
      fixable: true,
    },
  ];
}

export function planUdevFix(): FixPlan {
  return { changes: [{ path: UDEV_RULE, text: UDEV_RULE_TEXT }] };
}

/** Whether the rule is in force: what only acts on udev's word is then harmless. */
export async function isMarkedByUdev(files: RootFiles): Promise<boolean> {
  return (await files.text(UDEV_RULE)) === UDEV_RULE_TEXT;
}
