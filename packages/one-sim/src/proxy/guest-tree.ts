import { chmod, mkdir, rename, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode } from '@onevault/base';
import { type DeviceUse, DeviceUsers } from './device-users.ts';
import { buildDevice, type GuestDevice, isScsi, layOutGuest, SYSTEM_DISK, scsiDirectories, sectors, udevLinks } from './guest-files.ts';

interface Plugged {
  readonly name: string;
  readonly device: GuestDevice;
  /** When its file was last written before the guest had it. */
  readonly writtenMs: number;
}

/**
 * The files of one proxy guest that name its disks, laid out like its root: sys/block, sys/class, dev, proc.
 * A device appears and disappears by one rename, so that a reader sees all of it or nothing. Everything here is rebuilt at start.
 */
export class GuestTree {
  readonly #root: string;
  readonly #staging: string;
  readonly #devices = new Map<number, Plugged>();
  readonly #users: DeviceUsers;
  #serialNumber = 0;

  constructor(root: string, staging: string) {
    this.#root = root;
    this.#staging = staging;
    this.#users = new DeviceUsers(root);
  }

  /** A fresh boot: no disks yet. */
  async boot(uuid: string, contextIso: string | undefined): Promise<void> {
    await this.shutDown();
    await layOutGuest(this.#staging, uuid, contextIso);
    await mkdir(dirname(this.#root), { recursive: true });
    await rename(this.#staging, this.#root);
    await this.#users.writeTables();
  }

  /** The guest is gone. */
  async shutDown(): Promise<void> {
    this.#devices.clear();
    this.#users.forget();
    await rm(this.#root, { recursive: true, force: true });
    await rm(this.#staging, { recursive: true, force: true });
  }

  /** The device of that disk, as the guest names it. */
  nameOf(diskId: number): string | undefined {
    return this.#devices.get(diskId)?.name;
  }

  /** Something in the guest has it open: it will not let go of it. */
  isHeld(diskId: number): boolean {
    const name = this.nameOf(diskId);
    return name !== undefined && this.#users.isUsed(name);
  }

  /** Somebody wrote through a device that is read-only: root passes the file's mode here as it would not pass the kernel there. */
  async wasAbused(diskId: number): Promise<boolean> {
    const plugged = this.#devices.get(diskId);
    if (!plugged?.device.readOnly) return false;
    return (await stat(plugged.device.file)).mtimeMs !== plugged.writtenMs;
  }

  /** The guest begins to use a disk: LVM activates it, somebody mounts it. */
  async use(diskId: number, use: DeviceUse): Promise<void> {
    const name = this.nameOf(diskId);
    if (name !== undefined) await this.#users.add(name, use);
  }

  async letGo(diskId: number): Promise<void> {
    const name = this.nameOf(diskId);
    if (name !== undefined) await this.#users.remove(name);
  }

  async plug(device: GuestDevice): Promise<string> {
    await this.unplug(device.diskId);
    const name = this.#freeName(isScsi(device) ? 'sd' : 'vd');
    this.#devices.set(device.diskId, { name, device, writtenMs: (await stat(device.file)).mtimeMs });
    await chmod(device.file, device.readOnly ? 0o444 : 0o644);
    const sequence = ++this.#serialNumber;
    const made = join(this.#staging, `${name}-${sequence}`);
    await buildDevice(this.#root, made, name, device, sequence);
    await rm(join(this.#root, 'dev', name), { force: true });
    await symlink(device.file, join(this.#root, 'dev', name));
    for (const link of this.#links(name, device)) {
      await rm(link, { force: true });
      await symlink(`../../${name}`, link);
    }
    await rename(made, join(this.#root, 'sys/block', name));
    if (device.diskId === SYSTEM_DISK) await this.#users.mountRoot(`${name}1`);
    return name;
  }

  async unplug(diskId: number): Promise<void> {
    const plugged = this.#devices.get(diskId);
    if (!plugged) return;
    const { name, device } = plugged;
    await this.#users.remove(name);
    await this.#takeAway(name);
    for (const link of this.#links(name, device)) await rm(link, { force: true });
    if (isScsi(device)) for (const directory of scsiDirectories(this.#root, device)) await rm(directory, { recursive: true, force: true });
    await chmod(device.file, 0o644).catch(ignoreMissing);
    this.#devices.delete(diskId);
  }

  /** The device disappears from the guest though OpenNebula still has it attached. */
  async vanish(diskId: number): Promise<void> {
    const plugged = this.#devices.get(diskId);
    if (plugged) await this.#takeAway(plugged.name);
  }

  /** The device becomes smaller under its reader. */
  async shrink(diskId: number, sizeBytes: number): Promise<void> {
    const plugged = this.#devices.get(diskId);
    if (!plugged) return;
    await chmod(plugged.device.file, 0o644);
    await truncate(plugged.device.file, sizeBytes);
    await chmod(plugged.device.file, plugged.device.readOnly ? 0o444 : 0o644);
    await writeFile(`${this.#staging}-size`, sectors(sizeBytes));
    await rename(`${this.#staging}-size`, join(this.#root, 'sys/block', plugged.name, 'size'));
  }

  async #takeAway(name: string): Promise<void> {
    const gone = join(this.#staging, `gone-${this.#serialNumber++}`);
    await mkdir(this.#staging, { recursive: true });
    await rename(join(this.#root, 'sys/block', name), gone).catch(ignoreMissing);
    await rm(join(this.#root, 'dev', name), { force: true });
    await rm(gone, { recursive: true, force: true });
  }

  #links(name: string, device: GuestDevice): string[] {
    return udevLinks(name, device).map((link) => join(this.#root, 'dev/disk', link));
  }

  #freeName(prefix: string): string {
    const used = new Set([...this.#devices.values()].map((entry) => entry.name));
    for (let n = 0; ; n++) {
      const name = prefix + (n < 26 ? letter(n) : letter(Math.floor(n / 26) - 1) + letter(n % 26));
      if (!used.has(name)) return name;
    }
  }
}

const letter = (n: number): string => String.fromCharCode(97 + n);

function ignoreMissing(error: unknown): void {
  if (errorCode(error) !== 'ENOENT') throw error;
}
