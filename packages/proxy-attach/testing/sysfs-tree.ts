import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

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
  /** Partition name → its holders. */
  readonly partitions?: Readonly<Record<string, readonly string[]>>;
}

/** Lays out `<root>/sys/block` and `<root>/proc/mounts` as the kernel does, for readers that take a root. */
export async function writeSysfsTree(root: string, disks: readonly SysfsTreeDisk[], mounts = ''): Promise<void> {
  await mkdir(join(root, 'proc'), { recursive: true });
  await writeFile(join(root, 'proc/mounts'), mounts);
  await mkdir(join(root, 'sys/block'), { recursive: true });
  for (const disk of disks) await writeDisk(join(root, 'sys/block', disk.name), disk);
}

async function writeDisk(directory: string, disk: SysfsTreeDisk): Promise<void> {
  await mkdir(join(directory, 'device'), { recursive: true });
  const attributes = {
    size: `${disk.sizeBytes / 512}\n`,
    ro: disk.readOnly ? '1\n' : '0\n',
    serial: disk.serial,
    'device/serial': disk.nvmeSerial,
    'device/vpd_pg80': disk.unitSerialPage,
  };
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) await writeFile(join(directory, name), value);
  }
  await writeHolders(directory, disk.holders ?? []);
  for (const [partition, holders] of Object.entries(disk.partitions ?? {})) await writeHolders(join(directory, partition), holders);
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
