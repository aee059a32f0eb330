import type { CallOptions } from '@onevault/base';
import { GuestFilesError } from './errors.ts';
import { saidText } from './fish/appliance-errors.ts';
import type { Guestfish } from './fish/guestfish.ts';
import { parsePairs, parseStruct } from './fish/structs.ts';

export interface GuestFileSystem {
  /** As libguestfs names it: `/dev/sda1`, `/dev/vg/root`, `btrfsvol:/dev/sda2/@home`. */
  readonly device: string;
  /** Index into the disks of the session; undefined for a volume that may lie on several. */
  readonly disk: number | undefined;
  /** `ext4`, `xfs`, `ntfs`, `vfat`, `btrfs`, `swap`, `crypto_LUKS`, … or `unknown`. */
  readonly type: string;
  readonly label: string | undefined;
  readonly uuid: string | undefined;
  readonly sizeBytes: number;
  /** Undefined where it was not asked for or cannot be mounted. */
  readonly usedBytes: number | undefined;
  /** Why its files cannot be read, where that is known. */
  readonly problem: string | undefined;
}

export interface FileSystemsOptions extends CallOptions {
  /** Mounts each, in the micro-VM, to learn how full it is and whether it can be read. */
  readonly usage?: boolean;
}

/** Type of every device that can hold files or that hides some: what libguestfs recognises, and what is encrypted, which it does not list. */
export async function recognised(fish: Guestfish, options: CallOptions): Promise<(readonly [device: string, type: string])[]> {
  const text = (await fish.run('list-filesystems', [], options)).toString('utf8');
  // The name of a btrfs subvolume may hold a line break: what does not begin like a device is the rest of one, and such a volume cannot be named.
  const listed = parsePairs(text).filter(([device]) => /^(btrfsvol:)?\/dev\/[\x21-\x7e]+$/.test(device));
  const known = new Set(listed.map(([device]) => blockDevice(device)));
  const encrypted: (readonly [string, string])[] = [];
  for (const device of await blockDevices(fish, options)) {
    if (known.has(device)) continue;
    const type = await typeOf(fish, device, options);
    if (type !== undefined && isEncrypted(type)) encrypted.push([device, type]);
  }
  return [...listed, ...encrypted].sort(([a], [b]) => (a < b ? -1 : 1));
}

async function blockDevices(fish: Guestfish, options: CallOptions): Promise<string[]> {
  const found: string[] = [];
  for (const verb of ['list-devices', 'list-partitions', 'lvs']) found.push(...(await fish.run(verb, [], options)).toString('utf8').split('\n'));
  // A disk with partitions is none of them.
  return found.filter(
    (device) => device !== '' && !found.some((other) => other !== device && /^\d+$/.test(other.slice(device.length)) && other.startsWith(device)),
  );
}

/** As blkid inside the micro-VM says; undefined where it knows nothing. */
async function typeOf(fish: Guestfish, device: string, options: CallOptions): Promise<string | undefined> {
  const { ok, output } = await fish.attempt('vfs-type', [device], options);
  return ok ? output.toString('utf8').trim() || undefined : undefined;
}

export async function listFileSystems(fish: Guestfish, options: FileSystemsOptions): Promise<GuestFileSystem[]> {
  const found: GuestFileSystem[] = [];
  for (const [device, type] of await recognised(fish, options)) {
    const usage = options.usage === true ? await usageOf(fish, device, type, options) : {};
    const tags = await tagsOf(fish, device, options);
    found.push({
      device,
      disk: diskOf(device),
      type,
      label: tags.get('LABEL'),
      uuid: tags.get('UUID'),
      sizeBytes: Number((await fish.run('blockdev-getsize64', [blockDevice(device)], options)).toString()),
      usedBytes: undefined,
      problem: whyNotReadable(type),
      ...usage,
    });
  }
  return found;
}

/** Throws FILES_FILE_SYSTEM_UNKNOWN, FILES_FILE_SYSTEM_UNREADABLE; says of an encrypted one that it is. */
export async function mountDevice(fish: Guestfish, device: string, options: CallOptions): Promise<void> {
  const type = await typeOf(fish, device, options);
  if (type === undefined || whyNotReadable(type) !== undefined) {
    // Not a name of a device, or one that holds no files: the list says which do.
    const all = await recognised(fish, options);
    const found = all.find(([name]) => name === device)?.[1];
    if (found === undefined) throw unknownDevice(device, all);
    throw unreadable(device, found, whyNotReadable(found) ?? 'it cannot be looked at');
  }
  const why = await mountAt(fish, device, type, '/', options);
  if (why !== undefined) throw unreadable(device, type, why);
}

/** What is in the way, or undefined once it is mounted. */
export async function mountAt(fish: Guestfish, device: string, type: string, mountPoint: string, options: CallOptions): Promise<string | undefined> {
  const { ok, said } = await fish.attempt('mount-options', [MOUNT_OPTIONS[type] ?? 'ro', device, mountPoint], options);
  return ok ? undefined : saidText(said);
}

/** The only file system that can be read where none is named. Throws FILES_FILE_SYSTEM_UNKNOWN. */
export async function onlyFileSystem(fish: Guestfish, options: CallOptions): Promise<string> {
  const all = await recognised(fish, options);
  const readable = all.filter(([, type]) => whyNotReadable(type) === undefined);
  const [only, ...others] = readable;
  if (only !== undefined && others.length === 0) return only[0];
  throw new GuestFilesError({
    code: 'FILES_FILE_SYSTEM_UNKNOWN',
    message:
      only === undefined ? 'no file system that can be read is on these disks' : `${readable.length} file systems are on these disks: ${describe(readable)}`,
    details: { candidates: readable.map(([device]) => device) },
    hint: only === undefined ? `recognised: ${describe(all) || 'nothing'}` : 'say which one, or look at the operating system as it mounts them',
  });
}

/** Names of Windows are UTF-16, and these drivers hand them out as UTF-8; a copy of an xfs has the same uuid as its original. */
const MOUNT_OPTIONS: Readonly<Record<string, string>> = { vfat: 'ro,utf8', xfs: 'ro,nouuid' };

const NOT_FILES: Readonly<Record<string, string>> = {
  swap: 'swap space holds no files',
  unknown: 'no file system is recognised on it: it may be empty, raw data of an application, encrypted in its own way, or damaged',
  crypto_LUKS: 'it is encrypted (LUKS), and its key is not in the restore point',
  BitLocker: 'it is encrypted (BitLocker), and its key is not in the restore point',
};

function whyNotReadable(type: string): string | undefined {
  return NOT_FILES[type];
}

function isEncrypted(type: string): boolean {
  return type === 'crypto_LUKS' || type === 'BitLocker';
}

async function usageOf(fish: Guestfish, device: string, type: string, options: CallOptions): Promise<Partial<GuestFileSystem>> {
  if (whyNotReadable(type) !== undefined) return {};
  await fish.run('umount-all', [], options);
  const problem = await mountAt(fish, device, type, '/', options);
  if (problem !== undefined) return { problem };
  const facts = parseStruct((await fish.run('statvfs', ['/'], options)).toString('latin1'));
  await fish.run('umount-all', [], options);
  return { usedBytes: ((facts.get('blocks') ?? 0) - (facts.get('bfree') ?? 0)) * (facts.get('frsize') ?? 0) };
}

/** What blkid inside the micro-VM knows; of a label with a line break the first line. */
async function tagsOf(fish: Guestfish, device: string, options: CallOptions): Promise<ReadonlyMap<string, string>> {
  const { ok, output } = await fish.attempt('blkid', [blockDevice(device)], options);
  return new Map(ok ? parsePairs(output.toString('utf8')).reverse() : []);
}

/** `/dev/sda2` of `btrfsvol:/dev/sda2/@home`. */
function blockDevice(device: string): string {
  return /^btrfsvol:(\/dev\/(?:sd[a-z]+\d*|[^/]+\/[^/]+))/.exec(device)?.[1] ?? device;
}

function diskOf(device: string): number | undefined {
  const letters = /^(?:btrfsvol:)?\/dev\/sd([a-z]+)/.exec(device)?.[1];
  if (letters === undefined) return undefined;
  return [...letters].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 96, 0) - 1;
}

function describe(systems: readonly (readonly [string, string])[]): string {
  return systems.map(([device, type]) => `${device} (${type})`).join(', ');
}

function unknownDevice(device: string, all: readonly (readonly [string, string])[]): GuestFilesError {
  return new GuestFilesError({
    code: 'FILES_FILE_SYSTEM_UNKNOWN',
    message: `${device} is not on these disks`,
    details: { device, candidates: all.map(([name]) => name) },
    hint: `recognised: ${describe(all) || 'nothing'}`,
  });
}

function unreadable(device: string, type: string, why: string): GuestFilesError {
  return new GuestFilesError({
    code: 'FILES_FILE_SYSTEM_UNREADABLE',
    message: `${device} (${type}) cannot be read: ${why}`,
    details: { device, fileSystemType: type, said: why },
    hint: 'export the disk, or serve it by NBD, and open it where its key or its own tools are',
  });
}
