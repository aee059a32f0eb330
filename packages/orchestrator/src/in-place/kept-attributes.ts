import type { Disk, VmId } from '@onevault/one-client';

/**
 * What of a DISK belongs to the VM, not to its image, and goes on to the image that takes its place. Everything that image and datastore give anew is
 * left out: a stale copy would win over the new image's own (Datastore.cc, disk_attribute; opennebula.md i.1).
 */
export function keptAttributes(vmId: VmId, disk: Disk): Readonly<Record<string, string>> {
  const kept = Object.entries(disk.attributes).filter(([name, value]) => value !== '' && isOfVm(name));
  const attributes: Record<string, string> = { ...Object.fromEntries(kept), TARGET: disk.target };
  if (disk.devPrefix !== undefined) attributes['DEV_PREFIX'] = disk.devPrefix;
  if (disk.readonly) attributes['READONLY'] = 'YES';
  // `auto` is <vm>-<disk> (LibVirtDriverKVM.cc): the guest shall see what it saw, though the DISK_ID will be another.
  if (attributes['SERIAL']?.toLowerCase() === 'auto') attributes['SERIAL'] = `${vmId}-${disk.diskId}`;
  return attributes;
}

/** Whether an attribute of a DISK is the VM's. */
export function isOfVm(name: string): boolean {
  return !GIVEN.has(name) && !GIVEN_PREFIXES.some((prefix) => name.startsWith(prefix));
}

const GIVEN: ReadonlySet<string> = new Set(
  (
    'ALLOW_ORPHANS ATTACH CLONE CLONE_TARGET CLONING CLUSTER_ID DATASTORE DATASTORE_ID DISK_ID DISK_TYPE DRIVER FORMAT FS IMAGE IMAGE_ID IMAGE_STATE IMAGE_UID ' +
    'IMAGE_UNAME LN_TARGET LUKS_SECRET LVM_THIN_ENABLE OPENNEBULA_MANAGED ORIGINAL_SIZE PERSISTENT PERSISTENT_SNAPSHOTS POOL_NAME QCOW2_STANDALONE READONLY RESIZE ' +
    'SAVE SIZE SIZE_PREV SOURCE SPARSE TM_MAD TM_MAD_SYSTEM TYPE'
  ).split(' '),
);
const GIVEN_PREFIXES = ['CEPH_', 'DISK_SNAPSHOT_', 'GLUSTER_', 'HOTPLUG_', 'ISCSI_', 'VCENTER_'];

/** VM_RESTRICTED_ATTR of the stock oned.conf: an attach that has them is refused to everybody outside group oneadmin (512). */
export function restrictedAttributes(attributes: Readonly<Record<string, string>>): string[] {
  return Object.keys(attributes).filter((name) => /_(BYTES|IOPS)_SEC(_MAX(_LENGTH)?)?$|^SIZE_IOPS_SEC$/.test(name));
}
