import { BaseError, errorCode } from '@onevault/base';

export type DeviceErrorCode =
  | 'CBT_DEVICE_ABSENT'
  | 'CBT_DEVICE_BUSY'
  | 'CBT_DEVICE_DENIED'
  | 'CBT_DEVICE_KIND'
  | 'CBT_OPEN_FAILED'
  | 'CBT_DIRECT_REFUSED'
  | 'CBT_READ_FAILED'
  | 'CBT_SHORT_READ'
  | 'CBT_SIZE_CHANGED'
  | 'CBT_WRITE_FAILED'
  | 'CBT_OUT_OF_RANGE'
  | 'CBT_SCAN_WORKER_FAILED';

export interface DeviceErrorDetails {
  readonly path: string;
  /** The byte range that was not read or written, where there is one. */
  readonly offset?: number;
  readonly length?: number;
  /** The system's own code (`EIO`, `ENOSPC`), where it gave one. */
  readonly errno?: string;
  /** For CBT_SIZE_CHANGED: the size at open and the size found. */
  readonly expectedBytes?: number;
  readonly actualBytes?: number;
}

/** Everything that can go wrong with a device or while scanning one. The system's error is kept as `cause`. */
export class DeviceError extends BaseError<DeviceErrorCode, DeviceErrorDetails> {}

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

const OPEN_CODES: Readonly<Record<string, { readonly code: DeviceErrorCode; readonly hint: string }>> = {
  ENOENT: { code: 'CBT_DEVICE_ABSENT', hint: 'check the path; an attached disk may have been detached' },
  ENOTDIR: { code: 'CBT_DEVICE_ABSENT', hint: 'check the path' },
  ENXIO: { code: 'CBT_DEVICE_ABSENT', hint: 'the node exists but no device is behind it: the disk was detached' },
  ENODEV: { code: 'CBT_DEVICE_ABSENT', hint: 'the node exists but no device is behind it: the disk was detached' },
  ENOMEDIUM: { code: 'CBT_DEVICE_ABSENT', hint: 'the drive is empty' },
  EBUSY: { code: 'CBT_DEVICE_BUSY', hint: 'something mounts or holds the device: see lsblk, `lvs` and /sys/block/<name>/holders' },
  ETXTBSY: { code: 'CBT_DEVICE_BUSY', hint: 'another program has the file in use' },
  EACCES: { code: 'CBT_DEVICE_DENIED', hint: 'run as root, or as a member of the group that owns the device' },
  EPERM: { code: 'CBT_DEVICE_DENIED', hint: 'run as root; inside a container the device must also be allowed' },
  EROFS: { code: 'CBT_DEVICE_DENIED', hint: 'it is read-only: attach it writable, or write elsewhere' },
  EISDIR: { code: 'CBT_DEVICE_KIND', hint: 'a directory was given where a block device or image file is needed' },
};

export function openFailure(path: string, cause: unknown): DeviceError {
  const errno = errorCode(cause);
  const known = errno === undefined ? undefined : OPEN_CODES[errno];
  return new DeviceError({
    code: known?.code ?? 'CBT_OPEN_FAILED',
    message: `open ${path}: ${reasonOf(cause)}`,
    details: { path, ...errnoOf(cause) },
    hint: known?.hint ?? 'see the system log',
    cause,
  });
}

export function directRefused(path: string, reason: string, cause: unknown): DeviceError {
  return new DeviceError({
    code: 'CBT_DIRECT_REFUSED',
    message: `open ${path} past the page cache: ${reason}`,
    details: { path, ...errnoOf(cause) },
    hint: 'read it through the page cache instead (direct: auto or off)',
    cause,
  });
}

export function readFailure(path: string, range: ByteRange, cause: unknown): DeviceError {
  return new DeviceError({
    code: 'CBT_READ_FAILED',
    message: `read ${describe(range)} of ${path}: ${reasonOf(cause)}`,
    details: { path, ...range, ...errnoOf(cause) },
    hint: 'the storage under the disk failed or the disk was detached: see the kernel log of this machine and the datastore',
    cause,
  });
}

export function shortRead(path: string, range: ByteRange): DeviceError {
  return new DeviceError({
    code: 'CBT_SHORT_READ',
    message: `read ${describe(range)} of ${path}: it ended before that`,
    details: { path, ...range },
    hint: 'the device shrank or vanished while it was read: check that nothing resizes it, then start again',
  });
}

/** The range named is the part that is gone, or that appeared. */
export function sizeChanged(path: string, expectedBytes: number, actualBytes: number): DeviceError {
  const offset = Math.min(expectedBytes, actualBytes);
  return new DeviceError({
    code: 'CBT_SIZE_CHANGED',
    message: `${path} had ${expectedBytes} bytes when it was opened and has ${actualBytes} now`,
    details: { path, offset, length: Math.abs(expectedBytes - actualBytes), expectedBytes, actualBytes },
    hint: 'something resizes the disk while it is read: stop that, then start again',
  });
}

export function writeFailure(path: string, range: ByteRange, cause: unknown): DeviceError {
  const full = errorCode(cause) === 'ENOSPC';
  return new DeviceError({
    code: 'CBT_WRITE_FAILED',
    message: `write ${describe(range)} of ${path}: ${reasonOf(cause)}`,
    details: { path, ...range, ...errnoOf(cause) },
    hint: full
      ? 'no space is left where the disk lives (a thin pool or the datastore may be full): free some, then start again'
      : 'the storage under the disk failed or the disk was detached: see the kernel log of this machine and the datastore',
    cause,
  });
}

export function outOfRange(path: string, range: ByteRange, sizeBytes: number): DeviceError {
  return new DeviceError({
    code: 'CBT_OUT_OF_RANGE',
    message: `${describe(range)} is outside ${path}, which has ${sizeBytes} bytes`,
    details: { path, ...range },
    hint: 'the target is smaller than the disk that belongs on it',
  });
}

export function scanWorkerFailure(path: string, reason: string, cause?: unknown): DeviceError {
  return new DeviceError({
    code: 'CBT_SCAN_WORKER_FAILED',
    message: `scan ${path}: ${reason}${cause === undefined ? '' : `: ${reasonOf(cause)}`}`,
    details: { path },
    hint: 'a scan thread ended by itself: out of memory, or an incomplete installation (dist/scan-worker.js, @napi-rs/blake-hash)',
    cause,
  });
}

function errnoOf(cause: unknown): { readonly errno?: string } {
  const errno = errorCode(cause);
  return errno === undefined ? {} : { errno };
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function describe(range: ByteRange): string {
  return `bytes ${range.offset}..${range.offset + range.length}`;
}
