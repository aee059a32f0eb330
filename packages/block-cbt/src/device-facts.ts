import { type BigIntStats, promises as fs } from 'node:fs';
import { join } from 'node:path';
import { DeviceError, openFailure } from './errors.ts';

const SECTOR_BYTES = 512;

export interface DeviceFacts {
  readonly kind: 'block' | 'file';
  readonly sizeBytes: number;
}

/** Refuses what is neither a block device nor a regular file. Asked before opening: the open of a FIFO would wait for a writer. */
export async function requireDevicePath(path: string): Promise<void> {
  kindOf(path, await statOf(path));
}

/**
 * Kind and size of what is open behind a handle. stat says 0 for a block device; its size is in sysfs, in units of 512 bytes whatever the logical
 * block size (Documentation/ABI/stable/sysfs-block).
 */
export async function measureDevice(path: string, handle: fs.FileHandle, sysfsRoot: string): Promise<DeviceFacts> {
  const stat = await handle.stat({ bigint: true });
  const kind = kindOf(path, stat);
  if (kind === 'file') return { kind, sizeBytes: Number(stat.size) };
  return { kind, sizeBytes: await blockDeviceSize(path, stat.rdev, sysfsRoot) };
}

async function blockDeviceSize(path: string, rdev: bigint, sysfsRoot: string): Promise<number> {
  const file = join(sysfsRoot, 'dev', 'block', deviceNumber(rdev), 'size');
  let text: string;
  try {
    text = await fs.readFile(file, 'utf8');
  } catch (error) {
    throw openFailure(path, error);
  }
  const sectors = Number(text.trim());
  if (!Number.isSafeInteger(sectors * SECTOR_BYTES) || text.trim() === '') {
    throw openFailure(path, new Error(`${file} says ${JSON.stringify(text)}, which is not a size`));
  }
  return sectors * SECTOR_BYTES;
}

/** `major:minor` of a Linux device number (gnu_dev_major and gnu_dev_minor of glibc). */
export function deviceNumber(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn & 0xffffffffn);
  return `${major}:${minor}`;
}

async function statOf(path: string): Promise<BigIntStats> {
  try {
    return await fs.stat(path, { bigint: true });
  } catch (error) {
    throw openFailure(path, error);
  }
}

function kindOf(path: string, stat: BigIntStats): 'block' | 'file' {
  if (stat.isBlockDevice()) return 'block';
  if (stat.isFile()) return 'file';
  throw new DeviceError({
    code: 'CBT_DEVICE_KIND',
    message: `open ${path}: it is ${describeKind(stat)}, neither a block device nor a file`,
    details: { path },
    hint: 'give a block device (/dev/vdb) or an image file',
  });
}

function describeKind(stat: BigIntStats): string {
  if (stat.isDirectory()) return 'a directory';
  if (stat.isFIFO()) return 'a FIFO';
  if (stat.isSocket()) return 'a socket';
  return 'a character device';
}
