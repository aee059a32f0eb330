import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '@onevault/base';
import type { ScsiAddress } from '../src/index.ts';

/** One disk of a made-up /sys/block. */
export interface SysfsTreeDisk {
  readonly name: string;
  readonly sizeBytes: number;
  readonly readOnly?: boolean;
  /** Where the serial stands: virtio-blk's attribute, NVMe's, or the SCSI page (given as its bytes). */
  readonly serial?: string;
  readonly nvmeSerial?: string;
  readonly unitSerialPage?: Uint8Array;
  readonly holders?: readonly string[];
  readonly slaves?: readonly string[];
  /** Partition name → its holders. */
  readonly partitions?: Readonly<Record<string, readonly string[]>>;
  /** `major:minor`; partitions get the next minors. */
  readonly deviceNumber?: readonly [major: number, minor: number];
  readonly scsi?: ScsiAddress;
  readonly sequence?: number;
  /** Sectors written and discarded, as the fields of `stat`. */
  readonly written?: readonly [writtenSectors: number, discardedSectors: number];
}

/** Lays out `<root>/sys/block` and `<root>/proc/mounts` as the kernel does, for readers that take a root. */
export async function writeSysfsTree(root: string, disks: readonly SysfsTreeDisk[], mounts = ''): Promise<void> {
  await mkdir(join(root, 'proc'), { recursive: true });
  await writeFile(join(root, 'proc/mounts'), mounts);
  await mkdir(join(root, 'sys/block'), { recursive: true });
  for (const disk of disks) await writeDisk(root, disk);
}

async function writeDisk(root: string, disk: SysfsTreeDisk): Promise<void> {
  const directory = join(root, 'sys/block', disk.name);
  await mkdir(directory, { recursive: true });
  if (disk.scsi) await writeScsiDevice(root, directory, disk.scsi);
  else await mkdir(join(directory, 'device'), { recursive: true });
  for (const [name, value] of Object.entries(attributesOf(disk))) {
    if (value !== undefined) await writeFile(join(directory, name), value);
  }
  await writeHolders(directory, disk.holders ?? []);
  for (const slave of disk.slaves ?? []) await mkdir(join(directory, 'slaves', slave), { recursive: true });
  for (const [index, [partition, holders]] of Object.entries(disk.partitions ?? {}).entries()) {
    await writeHolders(join(directory, partition), holders);
    if (disk.deviceNumber) await writeFile(join(directory, partition, 'dev'), deviceNumber(disk.deviceNumber, index + 1));
  }
}

function attributesOf(disk: SysfsTreeDisk): Readonly<Record<string, string | Uint8Array | undefined>> {
  const [written, discarded] = disk.written ?? [];
  return {
    size: `${disk.sizeBytes / 512}\n`,
    ro: disk.readOnly ? '1\n' : '0\n',
    serial: disk.serial,
    dev: disk.deviceNumber && deviceNumber(disk.deviceNumber, 0),
    diskseq: disk.sequence === undefined ? undefined : `${disk.sequence}\n`,
    // Documentation/block/stat.rst: reads, writes, in flight and times, discards, flushes
    stat: written === undefined ? undefined : ` 96 0 4968 21 5 2 ${written} 3 0 24 24 7 0 ${discarded} 1 0 0\n`,
    'device/serial': disk.nvmeSerial,
    'device/vpd_pg80': disk.unitSerialPage,
  };
}

function deviceNumber([major, minor]: readonly [number, number], partition: number): string {
  return `${major}:${minor + partition}\n`;
}

/** …/virtio2/host2/target2:0:10/2:0:10:0 with the adapter's driver, and the link to it. */
async function writeScsiDevice(root: string, directory: string, { host, channel, target, lun, driver }: ScsiAddress): Promise<void> {
  const adapter = join(root, `sys/devices/pci0000:00/0000:00:0${host}.0/virtio${host}`);
  const device = join(adapter, `host${host}/target${host}:${channel}:${target}/${host}:${channel}:${target}:${lun}`);
  await mkdir(device, { recursive: true });
  if (driver !== undefined) await symlink(join(root, 'sys/bus/virtio/drivers', driver), join(adapter, 'driver')).catch(ignoreExisting);
  await symlink(device, join(directory, 'device'));
}

function ignoreExisting(error: unknown): void {
  if (errorCode(error) !== 'EEXIST') throw error;
}

async function writeHolders(directory: string, holders: readonly string[]): Promise<void> {
  await mkdir(join(directory, 'holders'), { recursive: true });
  for (const holder of holders) await mkdir(join(directory, 'holders', holder));
}

/** A SCSI Unit Serial Number page (80h) as a device would answer it. */
export function unitSerialPage(serial: string): Uint8Array {
  const text = Buffer.from(serial, 'latin1');
  return Buffer.concat([Buffer.from([0, 0x80, text.length >> 8, text.length & 0xff]), text]);
}
