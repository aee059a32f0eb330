/**
 * Finds what changed on a disk by checksum: opens block devices and image files (past the page cache where possible), reads and digests them in parallel
 * worker threads, and compares with an earlier digest map. Knows nothing of OpenNebula or of where the digests are kept.
 * @packageDocumentation
 */

export type { OpenedDevice } from './device.ts';
export { type DigestFunction, digestFunction, ZERO_DIGEST } from './digest.ts';
export { MemoryDigestMap } from './digest-map.ts';
export { type ByteRange, DeviceError, type DeviceErrorCode, type DeviceErrorDetails } from './errors.ts';
export { flushBlockDevice } from './flush-device.ts';
export { type OpenDeviceOptions, type OpenWritableOptions, openBlockDevice, openWritableBlockDevice } from './open-device.ts';
export { scan } from './scan.ts';
export type { BlockDevice, DigestAlgorithm, DigestSpec, ScannedRun, ScanOptions, ScanSummary, WritableBlockDevice } from './scan-api.ts';
