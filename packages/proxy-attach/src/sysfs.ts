import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CallOptions, errorCode } from '@onevault/base';
import type { SysfsDisk } from './attach-api.ts';
import { type DeviceUsers, readDeviceUsers } from './device-users.ts';
import { readScsiAddress } from './scsi-address.ts';
import { trimSerial } from './serial.ts';

/** /sys/block/<name>/size counts these, whatever the device's own sector size (Documentation/ABI/stable/sysfs-block). */
const SECTOR_BYTES = 512;

/** Devices no image can ever become: loop, memory, device mapper, software RAID, optical and floppy drives, network block. */
const VIRTUAL = /^(?:loop|ram|zram|dm-|md|sr|fd|nbd)\d/;

/** What the kernel answers for a device that leaves while it is read. */
const VANISHED = new Set(['ENOENT', 'ENODEV', 'ENXIO', 'ENOTDIR']);

/**
 * The disks of the machine this runs on (or of a directory laid out like its root). A device that comes or goes during the reading is left out, never
 * an error; one that is there but has no serial comes without. Reads a few attributes of each disk, nothing of its data.
 */
export async function readSysfsDisks(root = '/', options: CallOptions = {}): Promise<SysfsDisk[]> {
  options.signal?.throwIfAborted();
  const sysBlock = join(root, 'sys/block');
  const names = (await readdir(sysBlock)).filter((name) => !VIRTUAL.test(name)).sort();
  const users = await readDeviceUsers(root);
  const disks: SysfsDisk[] = [];
  for (const name of names) {
    options.signal?.throwIfAborted();
    const disk = await readDisk(root, join(sysBlock, name), name, users);
    if (disk) disks.push(disk);
  }
  return disks;
}

async function readDisk(root: string, directory: string, name: string, users: DeviceUsers): Promise<SysfsDisk | undefined> {
  try {
    const sectors = parseCount(await readFile(join(directory, 'size'), 'utf8'));
    if (sectors === undefined) return undefined;
    return {
      name,
      devicePath: join(root, 'dev', deviceName(name)),
      serial: await readSerial(directory),
      sizeBytes: sectors * SECTOR_BYTES,
      readOnly: (await readFile(join(directory, 'ro'), 'utf8')).trim() !== '0',
      holders: await readHolders(directory, name, users),
      scsi: await readScsiAddress(directory),
      sequence: parseCount((await readAttribute(join(directory, 'diskseq')))?.toString('latin1') ?? ''),
      writtenSectors: parseWrittenSectors((await readAttribute(join(directory, 'stat')))?.toString('latin1') ?? ''),
    };
  } catch (error) {
    if (VANISHED.has(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}

/** Sectors written and discarded since the device came: fields 7 and 14 (Documentation/block/stat.rst; discards since Linux 4.19). */
function parseWrittenSectors(stat: string): number | undefined {
  const fields = stat.trim().split(/\s+/).map(parseCount);
  const written = fields[6];
  return written === undefined ? undefined : written + (fields[13] ?? 0);
}

/** virtio-blk has `serial`, SCSI the Unit Serial Number page, NVMe `device/serial`. */
async function readSerial(directory: string): Promise<string | undefined> {
  for (const attribute of ['serial', 'device/serial']) {
    const text = await readAttribute(join(directory, attribute));
    if (text !== undefined && trimSerial(text.toString('latin1')) !== '') return trimSerial(text.toString('latin1'));
  }
  const page = await readAttribute(join(directory, 'device/vpd_pg80'));
  return page === undefined ? undefined : parseUnitSerialPage(page);
}

/** SCSI vital product data page 80h (SPC-4, 7.8.15): 4 header bytes, the length big-endian in bytes 2-3, then the serial in ASCII. */
export function parseUnitSerialPage(page: Uint8Array): string | undefined {
  const [, code, high, low] = page;
  if (code !== 0x80 || high === undefined || low === undefined) return undefined;
  const length = (high << 8) | low;
  if (page.length < 4 + length) return undefined;
  const serial = trimSerial(Buffer.from(page.subarray(4, 4 + length)).toString('latin1'));
  return serial === '' ? undefined : serial;
}

/** An attribute that a driver offers but cannot answer (EINVAL, EIO, EPERM) is as good as none: without serial the disk is never matched. */
async function readAttribute(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errorCode(error) !== undefined) return undefined;
    throw error;
  }
}

/** Who uses the disk or one of its partitions: `dm-0`, or `/mnt` for a mount point. A disk made of others (`slaves`) is nobody's image. */
async function readHolders(directory: string, name: string, users: DeviceUsers): Promise<string[]> {
  const usersOf = async (sysfsName: string, at: string): Promise<string[]> => {
    const number = (await readAttribute(join(at, 'dev')))?.toString('latin1').trim();
    return [...(await listEntries(join(at, 'holders'))), ...users.of(deviceName(sysfsName), number)];
  };
  const holders = await usersOf(name, directory);
  for (const slave of await listEntries(join(directory, 'slaves'))) holders.push(`made of ${slave}`);
  for (const entry of await readdir(directory)) {
    if (isPartitionOf(name, entry)) holders.push(...(await usersOf(entry, join(directory, entry))));
  }
  return [...new Set(holders)];
}

async function listEntries(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).sort();
  } catch (error) {
    if (VANISHED.has(errorCode(error) ?? '')) return [];
    throw error;
  }
}

/** vdb1 of vdb, nvme0n1p2 of nvme0n1. */
function isPartitionOf(disk: string, entry: string): boolean {
  return entry.startsWith(disk) && /^p?\d+$/.test(entry.slice(disk.length));
}

/** The kernel writes a slash in a device's name as `!` in sysfs (cciss!c0d0). */
function deviceName(sysfsName: string): string {
  return sysfsName.replaceAll('!', '/');
}

function parseCount(text: string): number | undefined {
  const trimmed = text.trim();
  return /^\d+$/.test(trimmed) ? Number(trimmed) : undefined;
}
