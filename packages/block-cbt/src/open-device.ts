import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type CallOptions, errorCode, Scope } from '@onevault/base';
import { OpenedDevice, OpenedWritableDevice } from './device.ts';
import { type DeviceFacts, measureDevice, requireDevicePath } from './device-facts.ts';
import { DeviceError, directRefused, openFailure } from './errors.ts';
import { PAGE_BYTES, pageAlignedMemory } from './page-memory.ts';
import type { WritableBlockDevice } from './scan-api.ts';

export interface OpenDeviceOptions extends CallOptions {
  /** `auto` (default) bypasses the page cache where the file system lets it, and says in `bufferedBecause` why not. */
  readonly direct?: 'auto' | 'on' | 'off';
  /** A block device is opened O_EXCL: refused with CBT_DEVICE_BUSY while it is mounted or held, and nobody mounts or holds it while it is open. */
  readonly exclusive?: boolean;
  /** Where sysfs is; for tests and simulators. */
  readonly sysfsRoot?: string;
}

/** Opens a block device or an image file for reading. The caller disposes it, after every scan over it has ended. */
export async function openBlockDevice(path: string, options: OpenDeviceOptions = {}): Promise<OpenedDevice> {
  options.signal?.throwIfAborted();
  await requireDevicePath(path);
  const mode = options.direct ?? 'auto';
  if (mode === 'off') return openBuffered(path, options, 'asked for');
  try {
    return await openDirect(path, options);
  } catch (error) {
    const refusal = directRefusal(error);
    if (refusal === undefined) throw error;
    if (mode === 'auto') return openBuffered(path, options, refusal);
    throw directRefused(path, refusal, error instanceof DeviceError ? error.cause : error);
  }
}

export interface OpenWritableOptions extends CallOptions {
  /** A block device is opened O_EXCL: refused with CBT_DEVICE_BUSY while it is mounted or held. There is no way to ask for less. */
  readonly exclusive: true;
  /** `auto` (default) writes whole pages past the page cache where the file system lets it. */
  readonly direct?: 'auto' | 'off';
  readonly sysfsRoot?: string;
}

/** Opens a block device or an existing image file for reading and writing. Nothing is created, truncated or resized. */
export async function openWritableBlockDevice(path: string, options: OpenWritableOptions): Promise<WritableBlockDevice> {
  options.signal?.throwIfAborted();
  await requireDevicePath(path);
  return withHandle(path, constants.O_RDWR | exclusiveFlag({ exclusive: true }), options, async (handle, { sizeBytes }) => {
    const direct = options.direct === 'off' ? undefined : await openForDirectWrites(handle, sizeBytes);
    return new OpenedWritableDevice(handle, { path, sizeBytes, direct: false }, direct);
  });
}

/** The very device behind `handle`, whatever its name means by now, once more with O_DIRECT; undefined where that is not to be had. */
async function openForDirectWrites(handle: FileHandle, sizeBytes: number): Promise<FileHandle | undefined> {
  let direct: FileHandle | undefined;
  try {
    direct = await open(`/proc/self/fd/${handle.fd}`, constants.O_RDWR | constants.O_DIRECT);
    if (sizeBytes > 0) await direct.read(pageAlignedMemory(PAGE_BYTES), 0, PAGE_BYTES, 0); // some file systems accept the flag and refuse the first use
    return direct;
  } catch {
    await direct?.close();
    return undefined; // the page cache does the same, if slower
  }
}

function openBuffered(path: string, options: OpenDeviceOptions, bufferedBecause: string): Promise<OpenedDevice> {
  return withHandle(path, constants.O_RDONLY | exclusiveFlag(options), options, (handle, { sizeBytes }) =>
    Promise.resolve(new OpenedDevice(handle, { path, sizeBytes, direct: false, bufferedBecause })),
  );
}

function openDirect(path: string, options: OpenDeviceOptions): Promise<OpenedDevice> {
  return withHandle(path, constants.O_RDONLY | constants.O_DIRECT | exclusiveFlag(options), options, async (handle, { sizeBytes }) => {
    // Some file systems accept the flag and refuse the first read.
    if (sizeBytes > 0) await handle.read(pageAlignedMemory(PAGE_BYTES), 0, PAGE_BYTES, 0);
    return new OpenedDevice(handle, { path, sizeBytes, direct: true });
  });
}

/** O_EXCL without O_CREAT means "nobody else holds it" for a block device (open(2)) and is ignored for a file. */
function exclusiveFlag({ exclusive }: OpenDeviceOptions): number {
  return exclusive ? constants.O_EXCL : 0;
}

/** Closes the handle again unless `build` succeeds in making a device of it. */
async function withHandle<T>(
  path: string,
  flags: number,
  options: { readonly sysfsRoot?: string },
  build: (handle: FileHandle, facts: DeviceFacts) => Promise<T>,
): Promise<T> {
  await using scope = new Scope();
  let handle: FileHandle;
  try {
    handle = await open(path, flags);
  } catch (error) {
    throw openFailure(path, error);
  }
  scope.defer(() => handle.close());
  try {
    const device = await build(handle, await measureDevice(path, handle, options.sysfsRoot ?? '/sys'));
    scope.move();
    return device;
  } catch (error) {
    throw error instanceof DeviceError ? error : openFailure(path, error);
  }
}

/** The reason, when an error says that this file system cannot do O_DIRECT (open(2): EINVAL; network file systems also ENOTSUP). */
function directRefusal(error: unknown): string | undefined {
  const errno = error instanceof DeviceError ? error.details.errno : errorCode(error);
  return errno === 'EINVAL' || errno === 'ENOTSUP' || errno === 'EOPNOTSUPP' ? `the file system refuses O_DIRECT (${errno})` : undefined;
}
