import type { AttributeRule, Subject } from './attribute-rule.ts';
import { each } from './rules.ts';

const isVolatile = ({ disk }: Subject): boolean => disk !== undefined && 'volatile' in disk;
const isCdrom = ({ vector }: Subject): boolean => /CDROM$/.test(String(vector['TYPE'] ?? ''));
const DISK_ATTRIBUTE = 'src/image/Image.cc, disk_attribute';
const ACQUIRE = 'src/image/ImagePool.cc, acquire_disk';

const VOLATILE: readonly AttributeRule[] = [
  ...each('DISK', 'TYPE SIZE FORMAT FS', {
    action: 'keep',
    code: 'DISK_VOLATILE',
    why: 'a volatile disk is made anew, empty, of the same kind and size',
    source: ACQUIRE,
    when: 'a volatile disk',
    applies: isVolatile,
  }),
];

const REFERENCE: readonly AttributeRule[] = [
  {
    path: 'DISK/IMAGE_ID',
    action: 'keep',
    code: 'DISK_CDROM',
    why: 'a CD-ROM is the image it was, which is still there',
    source: ACQUIRE,
    when: 'a CD-ROM whose image exists',
    applies: isCdrom,
  },
  {
    path: 'DISK/IMAGE_ID',
    action: 'replace',
    code: 'DISK_NEW_IMAGE',
    why: 'the disk is the image that was restored',
    source: ACQUIRE,
    value: ({ disk }) => (disk !== undefined && 'imageId' in disk ? String(disk.imageId) : undefined),
  },
  ...each('DISK', 'IMAGE IMAGE_UID IMAGE_UNAME', {
    action: 'regenerate',
    code: 'DISK_NAMED_BY_ID',
    why: 'the image is named by its id; its name and owner follow from it',
    source: ACQUIRE,
  }),
];

/** Acquired with the image: Datastore::disk_attribute lets a value that is already there win over the datastore's own. */
const INHERITED: readonly AttributeRule[] = [
  ...each(
    'DISK',
    'TYPE SIZE FORMAT FS ORIGINAL_SIZE SOURCE DRIVER PERSISTENT CLONE SAVE IMAGE_STATE DISK_TYPE PERSISTENT_TYPE LUKS_SECRET DISK_SNAPSHOT_TOTAL_SIZE',
    {
      action: 'regenerate',
      code: 'DISK_FROM_IMAGE',
      why: 'the new image says it: a copy of the old value would contradict it',
      source: DISK_ATTRIBUTE,
    },
  ),
  ...each(
    'DISK',
    'DATASTORE DATASTORE_ID CLUSTER_ID TM_MAD TM_MAD_SYSTEM CLONE_TARGET LN_TARGET ALLOW_ORPHANS PERSISTENT_SNAPSHOTS LVM_THIN_ENABLE QCOW2_STANDALONE SPARSE POOL_NAME CEPH_* ISCSI_* GLUSTER_*',
    {
      action: 'regenerate',
      code: 'DISK_FROM_DATASTORE',
      why: 'the datastore of the new image says it: a copy of the old value would win over it',
      source: 'src/datastore/Datastore.cc, disk_attribute',
    },
  ),
  {
    path: 'DISK/DISK_ID',
    action: 'regenerate',
    code: 'DISK_RENUMBERED',
    why: 'disks are numbered from 0, in their old order',
    source: 'src/vm/VirtualMachineDisk.cc, get_images',
  },
  { path: 'DISK/ORDER', action: 'regenerate', code: 'BOOT_ORDER', why: 'it is computed from OS/BOOT', source: 'src/vm/VirtualMachine.cc, set_boot_order' },
];

const OLD_LIFE: readonly AttributeRule[] = [
  ...each('DISK', 'ATTACH RESIZE CLONING SIZE_PREV DISK_SNAPSHOT_* HOTPLUG_* OPENNEBULA_MANAGED VCENTER_*', {
    action: 'strip',
    code: 'DISK_OLD_LIFE',
    why: 'it speaks of operations and snapshots of the old disk',
    source: 'src/vm/VirtualMachineDisk.cc',
  }),
];

const GUEST_VISIBLE: readonly AttributeRule[] = [
  {
    path: 'DISK/SERIAL',
    action: 'regenerate',
    code: 'SERIAL_AUTO',
    why: 'it is made of the ids of VM and disk',
    source: ACQUIRE,
    when: 'it says auto',
    applies: ({ value }) => value === 'auto',
  },
  ...each('DISK', 'TARGET DEV_PREFIX SERIAL', {
    action: 'keep',
    code: 'DISK_SAME_DEVICE',
    why: 'the guest finds the disk where it looks for it',
    source: 'src/vm/VirtualMachineDisk.cc, get_images',
  }),
  ...each(
    'DISK',
    'CACHE IO DISCARD IOTHREAD VIRTIO_BLK_QUEUES SHAREABLE READONLY MOUNT_POINT MOUNT_TAG RECOVERY_SNAPSHOT_FREQ SIZE_IOPS_SEC TOTAL_*_SEC TOTAL_*_SEC_MAX TOTAL_*_SEC_MAX_LENGTH READ_*_SEC READ_*_SEC_MAX READ_*_SEC_MAX_LENGTH WRITE_*_SEC WRITE_*_SEC_MAX WRITE_*_SEC_MAX_LENGTH',
    { action: 'keep', code: 'DISK_OPTION', why: 'an option of the hypervisor', source: 'src/vmm/LibVirtDriverKVM.cc' },
  ),
];

export const DISK_RULES: readonly AttributeRule[] = [...VOLATILE, ...REFERENCE, ...INHERITED, ...OLD_LIFE, ...GUEST_VISIBLE];
