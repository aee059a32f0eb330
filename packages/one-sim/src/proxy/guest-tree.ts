import { chmod, mkdir, rename, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode } from '@onevault/base';

export interface GuestDevice {
  readonly diskId: number;
  /** OpenNebula's TARGET: decides the bus and, on SCSI, the address; never the guest's name for the disk. */
  readonly target: string;
  readonly file: string;
  readonly readOnly: boolean;
  /** What libvirt got; undefined when none. */
  readonly serial: string | undefined;
}

const SCSI_HOST = 2;
/** The guest's root filesystem is on the first partition of its first disk (proc/mounts). */
const SYSTEM_DISK = 0;
const QUEUE = { 'queue/logical_block_size': '512\n', 'queue/physical_block_size': '512\n', 'queue/rotational': '1\n' };

/**
 * The files of one proxy guest that name its disks, laid out like its root: sys/block, dev, sys/class/dmi/id, proc/mounts.
 * A device appears and disappears by one rename, so that a reader sees all of it or nothing. Everything here is rebuilt at start.
 */
export class GuestTree {
  readonly #root: string;
  readonly #staging: string;
  readonly #allLetters: boolean;
  readonly #devices = new Map<number, { readonly name: string; readonly device: GuestDevice }>();
  #serialNumber = 0;

  constructor(root: string, staging: string, options: { readonly allTargetLetters: boolean }) {
    this.#allLetters = options.allTargetLetters;
    this.#root = root;
    this.#staging = staging;
  }

  /** A fresh boot: nothing is there but the machine's own identity and, when it has one, the context CD. */
  async boot(uuid: string, contextIso: string | undefined): Promise<void> {
    await rm(this.#root, { recursive: true, force: true });
    await rm(this.#staging, { recursive: true, force: true });
    this.#devices.clear();
    const made = this.#staging;
    await mkdir(join(made, 'sys/class/dmi/id'), { recursive: true });
    for (const dir of ['sys/block', 'sys/devices', 'dev/disk/by-id', 'proc']) await mkdir(join(made, dir), { recursive: true });
    await writeFile(join(made, 'sys/class/dmi/id/product_uuid'), `${uuid}\n`);
    await writeFile(join(made, 'sys/class/dmi/id/sys_vendor'), 'QEMU\n');
    await writeFile(join(made, 'proc/mounts'), '/dev/vda1 / ext4 rw,relatime 0 0\nproc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\n');
    if (contextIso !== undefined) {
      await writeAttributes(join(made, 'sys/block/sr0'), {
        size: '2048\n',
        ro: '0\n',
        removable: '1\n',
        dev: '11:0\n',
        ...QUEUE,
        'queue/logical_block_size': '2048\n',
      });
      await symlink(contextIso, join(made, 'dev/sr0'));
    }
    await mkdir(dirname(this.#root), { recursive: true });
    await rename(made, this.#root);
  }

  /** The guest is gone. */
  async shutDown(): Promise<void> {
    this.#devices.clear();
    await rm(this.#root, { recursive: true, force: true });
    await rm(this.#staging, { recursive: true, force: true });
  }

  /** The device of that disk, as the guest names it. */
  nameOf(diskId: number): string | undefined {
    return this.#devices.get(diskId)?.name;
  }

  async plug(device: GuestDevice): Promise<string> {
    await this.unplug(device.diskId);
    const scsi = device.target.startsWith('sd');
    const name = this.#freeName(scsi ? 'sd' : 'vd');
    this.#devices.set(device.diskId, { name, device });
    await chmod(device.file, device.readOnly ? 0o444 : 0o644);
    const made = join(this.#staging, `${name}-${this.#serialNumber++}`);
    await this.#build(made, name, device, scsi);
    await rm(join(this.#root, 'dev', name), { force: true });
    await symlink(device.file, join(this.#root, 'dev', name));
    const link = this.#byIdLink(device, scsi);
    if (link) {
      await rm(link, { force: true });
      await symlink(`../../${name}`, link);
    }
    await rename(made, join(this.#root, 'sys/block', name));
    return name;
  }

  async unplug(diskId: number): Promise<void> {
    const plugged = this.#devices.get(diskId);
    if (!plugged) return;
    const gone = join(this.#staging, `gone-${this.#serialNumber++}`);
    await mkdir(this.#staging, { recursive: true });
    await rename(join(this.#root, 'sys/block', plugged.name), gone).catch(ignoreMissing);
    await rm(join(this.#root, 'dev', plugged.name), { force: true });
    const link = this.#byIdLink(plugged.device, plugged.device.target.startsWith('sd'));
    if (link) await rm(link, { force: true });
    await rm(gone, { recursive: true, force: true });
    await chmod(plugged.device.file, 0o644).catch(ignoreMissing);
    this.#devices.delete(diskId);
  }

  /** The device disappears from the guest though OpenNebula still has it attached. */
  async vanish(diskId: number): Promise<void> {
    const plugged = this.#devices.get(diskId);
    if (!plugged) return;
    await rm(join(this.#root, 'dev', plugged.name), { force: true });
    const gone = join(this.#staging, `gone-${this.#serialNumber++}`);
    await mkdir(this.#staging, { recursive: true });
    await rename(join(this.#root, 'sys/block', plugged.name), gone).catch(ignoreMissing);
    await rm(gone, { recursive: true, force: true });
  }

  /** The device becomes smaller under its reader. */
  async shrink(diskId: number, sizeBytes: number): Promise<void> {
    const plugged = this.#devices.get(diskId);
    if (!plugged) return;
    await chmod(plugged.device.file, 0o644);
    await truncate(plugged.device.file, sizeBytes);
    await chmod(plugged.device.file, plugged.device.readOnly ? 0o444 : 0o644);
    await this.#rewriteSize(plugged.name, sizeBytes);
  }

  async #rewriteSize(name: string, sizeBytes: number): Promise<void> {
    const target = join(this.#root, 'sys/block', name, 'size');
    await writeFile(`${this.#staging}-size`, sectors(sizeBytes));
    await rename(`${this.#staging}-size`, target);
  }

  #freeName(prefix: string): string {
    const used = new Set([...this.#devices.values()].map((entry) => entry.name));
    for (let n = 0; ; n++) {
      const name = prefix + (n < 26 ? letter(n) : letter(Math.floor(n / 26) - 1) + letter(n % 26));
      if (!used.has(name)) return name;
    }
  }

  async #build(made: string, name: string, device: GuestDevice, scsi: boolean): Promise<void> {
    const { size } = await stat(device.file);
    const minor = (name.charCodeAt(2) - 97) * 16;
    const major = scsi ? 8 : 252;
    const files: Record<string, string> = { size: sectors(size), ro: device.readOnly ? '1\n' : '0\n', removable: '0\n', dev: `${major}:${minor}\n`, ...QUEUE };
    if (!scsi) files['serial'] = `${(device.serial ?? '').slice(0, 20)}\n`; // virtio-blk carries 20 characters
    await writeAttributes(made, files);
    if (device.diskId === SYSTEM_DISK) {
      const partition = { partition: '1\n', start: '2048\n', size: sectors(size - 2 ** 20), ro: '0\n', dev: `${major}:${minor + 1}\n` };
      await writeAttributes(join(made, `${name}1`), partition);
    }
    if (scsi) await this.#buildScsi(made, device);
  }

  async #buildScsi(made: string, device: GuestDevice): Promise<void> {
    const number = scsiTarget(device.target, this.#allLetters);
    const address = `${SCSI_HOST}:0:${number}:0`;
    const relative = `host${SCSI_HOST}/target${SCSI_HOST}:0:${number}/${address}`;
    const directory = join(this.#root, 'sys/devices', relative);
    await mkdir(directory, { recursive: true });
    const serial = Buffer.from(device.serial ?? `drive-scsi0-0-${number}-0`);
    await writeFile(join(directory, 'vpd_pg80'), Buffer.concat([Buffer.from([0, 0x80, 0, serial.length]), serial]));
    await writeFile(join(directory, 'vendor'), 'QEMU    \n');
    await writeFile(join(directory, 'model'), 'QEMU HARDDISK   \n');
    await symlink(`../../devices/${relative}`, join(made, 'device'));
  }

  #byIdLink(device: GuestDevice, scsi: boolean): string | undefined {
    const serial = device.serial ?? (scsi ? `drive-scsi0-0-${scsiTarget(device.target, this.#allLetters)}-0` : '');
    if (serial === '') return undefined;
    return join(this.#root, 'dev/disk/by-id', scsi ? `scsi-0QEMU_QEMU_HARDDISK_${serial}` : `virtio-${serial.slice(0, 20)}`);
  }
}

/** attach_disk: the letter's index. Before 7.4 only the first letter counted, so that sdaa met sda. */
function scsiTarget(target: string, allLetters: boolean): number {
  const letters = [...target.slice(2)].map((c) => c.charCodeAt(0) - 97);
  const [first = 0] = letters;
  return allLetters ? letters.reduce((index, value) => (index + 1) * 26 + value, -1) : first;
}

/** A directory of sysfs attributes; whoever may be used by others has holders/. */
async function writeAttributes(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(join(directory, 'holders'), { recursive: true });
  await mkdir(join(directory, 'queue'), { recursive: true });
  for (const [path, text] of Object.entries(files)) await writeFile(join(directory, path), text);
}

const letter = (n: number): string => String.fromCharCode(97 + n);
const sectors = (bytes: number): string => `${Math.floor(bytes / 512)}\n`;

function ignoreMissing(error: unknown): void {
  if (errorCode(error) !== 'ENOENT') throw error;
}
