import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { numbersOf, writeAttributes } from './guest-files.ts';

/** Who uses a disk in the guest: what auto-activation, fstab or a person may do to a disk that is attached. */
export interface DeviceUse {
  readonly kind: 'lvm' | 'multipath' | 'crypt' | 'md' | 'mount' | 'swap';
  /** `vg-lv` of LVM, name of the map; mount point of a mount. Ignored for md and swap. */
  readonly name: string;
}

interface Used extends DeviceUse {
  /** Device it is on: vdb. */
  readonly device: string;
  /** dm-0, md127. */
  readonly holder: string | undefined;
}

const UUID_PREFIX = { lvm: 'LVM-', multipath: 'mpath-', crypt: 'CRYPT-LUKS2-' } as const;

/** The traces of everybody who uses a disk of one guest: holders/ and slaves/, dm names, mounts, swaps, mdstat. */
export class DeviceUsers {
  readonly #root: string;
  #used: Used[] = [];
  #rootPartition = 'vda1';
  #next = 0;

  constructor(root: string) {
    this.#root = root;
  }

  forget(): void {
    this.#used = [];
  }

  isUsed(device: string): boolean {
    return this.#used.some((use) => use.device === device);
  }

  /** The guest's root filesystem is on that partition. */
  async mountRoot(partition: string): Promise<void> {
    this.#rootPartition = partition;
    await this.writeTables();
  }

  async add(device: string, use: DeviceUse): Promise<void> {
    const holder =
      use.kind === 'mount' || use.kind === 'swap' ? undefined : `${use.kind === 'md' ? 'md' : 'dm-'}${use.kind === 'md' ? 127 - this.#next++ : this.#next++}`;
    const used: Used = { ...use, device, holder };
    if (holder !== undefined) await this.#makeHolder(used, holder);
    this.#used.push(used);
    await this.writeTables();
  }

  async remove(device: string): Promise<void> {
    for (const { holder, name, kind } of this.#used.filter((use) => use.device === device)) {
      if (holder === undefined) continue;
      await rm(join(this.#root, 'sys/block', device, 'holders', holder), { force: true });
      await rm(join(this.#root, 'sys/block', holder), { recursive: true, force: true });
      if (kind !== 'md') await rm(join(this.#root, 'dev/mapper', name), { force: true });
    }
    this.#used = this.#used.filter((use) => use.device !== device);
    await this.writeTables();
  }

  /** proc/mounts, proc/self/mountinfo, proc/swaps and proc/mdstat as of now; the root filesystem is always there. */
  async writeTables(): Promise<void> {
    const root = { name: '/', device: this.#rootPartition, id: 22 };
    const mounts = [root, ...this.#of('mount').map(({ name, device }, at) => ({ name, device, id: 40 + at }))];
    const escaped = (text: string): string => text.replace(/[ \t\n\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
    const mountLines = mounts.map(({ name, device }) => `/dev/${device} ${escaped(name)} ext4 rw,relatime 0 0\n`);
    const infoLines = mounts.map(
      ({ name, device, id }) => `${id} 1 ${deviceNumber(device)} / ${escaped(name)} rw,relatime shared:1 - ext4 /dev/${device} rw\n`,
    );
    const swapLines = this.#of('swap').map(({ device }) => `/dev/${device}                               partition\t1048572\t\t0\t\t-2\n`);
    const mdLines = this.#of('md').map(({ device, holder }) => `${holder} : active raid1 ${device}[0]\n      1048576 blocks super 1.2 [2/1] [U_]\n\n`);
    await mkdir(join(this.#root, 'proc/self'), { recursive: true });
    await writeFile(join(this.#root, 'proc/mounts'), `${mountLines.join('')}proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\n`);
    await writeFile(
      join(this.#root, 'proc/self/mountinfo'),
      `${infoLines.join('')}23 22 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:12 - proc proc rw\n`,
    );
    await writeFile(join(this.#root, 'proc/swaps'), `Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n${swapLines.join('')}`);
    await writeFile(join(this.#root, 'proc/mdstat'), `Personalities : \n${mdLines.join('')}unused devices: <none>\n`);
  }

  #of(kind: DeviceUse['kind']): Used[] {
    return this.#used.filter((use) => use.kind === kind);
  }

  async #makeHolder({ kind, name, device }: Used, holder: string): Promise<void> {
    const directory = join(this.#root, 'sys/block', holder);
    const own: Record<string, string> =
      kind === 'md' ? { 'md/array_state': 'active\n' } : { 'dm/name': `${name}\n`, 'dm/uuid': `${UUID_PREFIX[kind as 'lvm']}simulated\n` };
    await writeAttributes(directory, { size: '2048\n', ro: '0\n', removable: '0\n', dev: `${kind === 'md' ? 9 : 253}:0\n`, ...own });
    await symlink(`../../${device}`, join(directory, 'slaves', device));
    await symlink(`../../${holder}`, join(this.#root, 'sys/block', device, 'holders', holder));
    if (kind !== 'md') await symlink(`../${holder}`, join(this.#root, 'dev/mapper', name));
  }
}

function deviceNumber(device: string): string {
  const disk = device.replace(/\d+$/, '');
  const { major, minor } = numbersOf(disk);
  return `${major}:${minor + Number(/\d+$/.exec(device)?.[0] ?? 0)}`;
}
