/**
 * Attaches an OpenNebula image to the proxy VM, finds its block device by serial, SCSI address or both, and takes it away again, verified in the VM body and in
 * /sys. Judges every operation by its effect, never by OpenNebula's answer. Checks and sets that LVM and its like keep away from attached disks. Knows
 * nothing of XML-RPC, backup or repositories.
 * @packageDocumentation
 */
export type { AttachedDisk, AttachRequest, DiskAttacher, HotplugApi, IdentifiedBy, ProxyVmView, SysfsDisk } from './attach-api.ts';
export { type AttacherDeps, createAttacher } from './attacher.ts';
export { AttachError, type AttachErrorCode, type AttachErrorDetails } from './errors.ts';
export { type DeviceMatch, type ExpectedDevice, findDevice } from './find-device.ts';
export { type AttachTimeouts, DEFAULT_TIMEOUTS } from './hotplug.ts';
export { type HotplugLock, machineHotplugLock } from './hotplug-lock.ts';
export { chooseIdentification, type Identification, type WantedIdentification } from './identification.ts';
export { formatScsiAddress, type ScsiAddress, scsiTargetOf, VIRTIO_SCSI } from './scsi-address.ts';
export { findOwnVm, readProductUuid } from './self.ts';
export { isOwnSerial, newSerial, parseSerial, SERIAL_MAX_LENGTH } from './serial.ts';
export { checkProxyStorage } from './storage/check-storage.ts';
export { fixProxyStorage, type StorageFix } from './storage/fix-storage.ts';
export type { StorageCode, StorageFinding, StorageSeverity, StorageSubsystem } from './storage/storage-finding.ts';
export { readSysfsDisks } from './sysfs.ts';
export { type AttachBus, freeTarget, MAX_ATTACHMENTS } from './target.ts';
