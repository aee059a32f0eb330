/**
 * Attaches an OpenNebula image to the proxy VM, finds its block device by a serial of our own and its size, and takes it away again, verified in the VM
 * body and in /sys. Judges every operation by its effect, never by OpenNebula's answer. Knows nothing of XML-RPC, backup or repositories.
 * @packageDocumentation
 */
export type { AttachedDisk, AttachRequest, DiskAttacher, HotplugApi, ProxyVmView, SysfsDisk } from './attach-api.ts';
export { type AttacherDeps, createAttacher } from './attacher.ts';
export { AttachError, type AttachErrorCode, type AttachErrorDetails } from './errors.ts';
export { type DeviceMatch, type ExpectedDevice, findDevice } from './find-device.ts';
export { type AttachTimeouts, DEFAULT_TIMEOUTS } from './hotplug.ts';
export { findOwnVm, readProductUuid } from './self.ts';
export { isOwnSerial, newSerial, parseSerial, SERIAL_MAX_LENGTH } from './serial.ts';
export { readSysfsDisks } from './sysfs.ts';
export { type AttachBus, freeTarget } from './target.ts';
