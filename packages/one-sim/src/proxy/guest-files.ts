import { mkdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface GuestDevice {
  readonly diskId: number;
  /** OpenNebula's TARGET: decides the bus; never the guest's name for the disk. */
  readonly target: string;
  /** N of the SCSI address H:0:N:0, for an sd target. */
  readonly scsiTarget: number;
  readonly file: string;
  readonly readOnly: boolean;
  /** What libvirt got; undefined when none. */
  readonly serial: string | undefined;
}

/** The virtio-scsi controller every KVM domain of OpenNebula has. */
const SCSI_HOST = 2;
const SCSI_SLOT = '0000:00:05.0';
const SCSI_ADAPTER = `pci0000:00/${SCSI_SLOT}/virtio${SCSI_HOST}`;
/** The guest's root filesystem is on the first partition of its first disk (proc/mounts). */
export const SYSTEM_DISK = 0;
const QUEUE = { 'queue/logical_block_size': '512\n', 'queue/physical_block_size': '512\n', 'queue/rotational': '1\n' };

export const isScsi = (device: GuestDevice): boolean => device.target.startsWith('sd');
export const sectors = (bytes: number): string => `${Math.floor(bytes / 512)}\n`;

/** What a fresh boot has: the machine's own identity, its mounts and swaps, and the context CD when there is one. */
export async function layOutGuest(root: string, uuid: string, contextIso: string | undefined): Promise<void> {
  for (const dir of ['sys/class/dmi/id', 'sys/class/scsi_device', 'sys/block', 'sys/devices', 'dev/disk/by-id', 'dev/disk/by-path', 'dev/mapper', 'proc/self'])
    await mkdir(join(root, dir), { recursive: true });
  await writeFile(join(root, 'sys/class/dmi/id/product_uuid'), `${uuid}\n`);
  await writeFile(join(root, 'sys/class/dmi/id/sys_vendor'), 'QEMU\n');
  await writeFile(join(root, 'proc/mdstat'), 'Personalities : \nunused devices: <none>\n');
  await mkdir(join(root, 'sys/devices', SCSI_ADAPTER), { recursive: true });
  await symlink('../../../../bus/virtio/drivers/virtio_scsi', join(root, 'sys/devices', SCSI_ADAPTER, 'driver'));
  if (contextIso === undefined) return;
  const optical = { size: '2048\n', ro: '0\n', removable: '1\n', dev: '11:0\n', ...QUEUE, 'queue/logical_block_size': '2048\n' };
  await writeAttributes(join(root, 'sys/block/sr0'), optical);
  await symlink(contextIso, join(root, 'dev/sr0'));
}

/** The sysfs directory of a disk, built beside the tree so that it can appear whole. `sequence`: no other disk has it before the next boot. */
export async function buildDevice(root: string, made: string, name: string, device: GuestDevice, sequence: number): Promise<void> {
  const { size } = await stat(device.file);
  const { major, minor } = numbersOf(name);
  const files: Record<string, string> = { size: sectors(size), ro: device.readOnly ? '1\n' : '0\n', removable: '0\n', dev: `${major}:${minor}\n`, ...QUEUE };
  // block/genhd.c: nobody has read or written since it came. What is done to the file behind it later no kernel counts here.
  Object.assign(files, { stat: `${'       0'.repeat(17)}\n`, diskseq: `${sequence}\n` });
  // drivers/block/virtio_blk.c serial_show: 20 characters at most, no line break; empty when there is none.
  if (!isScsi(device)) files['serial'] = (device.serial ?? '').slice(0, 20);
  await writeAttributes(made, files);
  if (device.diskId === SYSTEM_DISK) {
    const partition = { partition: '1\n', start: '2048\n', size: sectors(size - 2 ** 20), ro: '0\n', dev: `${major}:${minor + 1}\n` };
    await writeAttributes(join(made, `${name}1`), partition);
  }
  if (isScsi(device)) await buildScsi(root, made, name, device);
}

/** major:minor as the kernel gives them: 16 minors a disk. */
export function numbersOf(name: string): { readonly major: number; readonly minor: number } {
  const letters = [...name.slice(2)].map((c) => c.charCodeAt(0) - 96);
  return { major: name.startsWith('sd') ? 8 : 252, minor: (letters.reduce((index, value) => index * 26 + value, 0) - 1) * 16 };
}

const scsiAddress = (device: GuestDevice): string => `${SCSI_HOST}:0:${device.scsiTarget}:0`;

async function buildScsi(root: string, made: string, name: string, device: GuestDevice): Promise<void> {
  const address = scsiAddress(device);
  const relative = `${SCSI_ADAPTER}/host${SCSI_HOST}/target${SCSI_HOST}:0:${device.scsiTarget}/${address}`;
  const directory = join(root, 'sys/devices', relative);
  await mkdir(join(directory, 'block', name), { recursive: true });
  const serial = Buffer.from(scsiSerial(device));
  await writeFile(join(directory, 'vpd_pg80'), Buffer.concat([Buffer.from([0, 0x80, 0, serial.length]), serial]));
  await writeFile(join(directory, 'vendor'), 'QEMU    \n');
  await writeFile(join(directory, 'model'), 'QEMU HARDDISK   \n');
  await symlink(`../../devices/${relative}`, join(made, 'device'));
  await mkdir(join(root, 'sys/class/scsi_device', address), { recursive: true });
  await symlink(`../../../devices/${relative}`, join(root, 'sys/class/scsi_device', address, 'device'));
}

export function scsiDirectories(root: string, device: GuestDevice): string[] {
  return [
    join(root, 'sys/class/scsi_device', scsiAddress(device)),
    join(root, 'sys/devices', SCSI_ADAPTER, `host${SCSI_HOST}/target${SCSI_HOST}:0:${device.scsiTarget}`),
  ];
}

/** QEMU names a SCSI disk that got no serial after its drive. */
const scsiSerial = (device: GuestDevice): string => device.serial ?? `drive-scsi0-0-${device.scsiTarget}-0`;

/** The links udev makes below dev/disk, relative to it. A virtio disk without serial has none by id. */
export function udevLinks(name: string, device: GuestDevice): string[] {
  if (isScsi(device)) return [`by-id/scsi-0QEMU_QEMU_HARDDISK_${scsiSerial(device)}`, `by-path/pci-${SCSI_SLOT}-scsi-0:0:${device.scsiTarget}:0`];
  const slot = `0000:00:${(6 + numbersOf(name).minor / 16).toString(16).padStart(2, '0')}.0`;
  const byPath = [`by-path/pci-${slot}`, `by-path/virtio-pci-${slot}`];
  return device.serial === undefined || device.serial === '' ? byPath : [`by-id/virtio-${device.serial.slice(0, 20)}`, ...byPath];
}

/** A directory of sysfs attributes; whoever may be used by others has holders/. */
export async function writeAttributes(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const dir of ['holders', 'slaves', 'queue']) await mkdir(join(directory, dir), { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    if (path.includes('/')) await mkdir(join(directory, path, '..'), { recursive: true });
    await writeFile(join(directory, path), text);
  }
}
