import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '@onevault/base';

/**
 * Who uses block devices, as far as /proc and /sys tell: mounts, swap, software RAID, btrfs. Holders (device mapper, md, bcache) stand at the devices
 * themselves. What none of them shows (ZFS, iSCSI targets, a program) holds the device open exclusively, and the exclusive open finds it.
 */
export interface DeviceUsers {
  /** `/mnt`, `swap`, `md0`, `btrfs 5f1c…` for the device of this name under /dev, or this `major:minor`. */
  of(name: string, deviceNumber: string | undefined): readonly string[];
}

export async function readDeviceUsers(root: string): Promise<DeviceUsers> {
  const byName = new Map<string, string[]>();
  const byNumber = new Map<string, string[]>();
  for (const [source, number, mountPoint] of await readMounts(root)) {
    if (source !== undefined) add(byName, source, mountPoint);
    if (number !== undefined) add(byNumber, number, mountPoint);
  }
  for (const name of await readSwaps(root)) add(byName, name, 'swap');
  for (const [name, array] of await readRaidMembers(root)) add(byName, name, array);
  for (const [name, filesystem] of await readBtrfsMembers(root)) add(byName, name, `btrfs ${filesystem}`);
  return {
    of: (name, deviceNumber) => [...new Set([...(byName.get(name) ?? []), ...(deviceNumber === undefined ? [] : (byNumber.get(deviceNumber) ?? []))])],
  };
}

function add(users: Map<string, string[]>, key: string, user: string): void {
  users.set(key, [...(users.get(key) ?? []), user]);
}

type Mount = readonly [source: string | undefined, deviceNumber: string | undefined, mountPoint: string];

/**
 * proc(5), mountinfo: `36 35 98:0 /root /mnt rw - ext4 /dev/vdb1 rw`. The number finds what is mounted under another name (/dev/root, by-uuid); the
 * source what has an anonymous number (btrfs). A machine without mountinfo has the shorter table.
 */
async function readMounts(root: string): Promise<Mount[]> {
  const info = await readText(join(root, 'proc/self/mountinfo'));
  if (info !== undefined) {
    return fields(info).flatMap((line): Mount[] => {
      const separator = line.indexOf('-', 6);
      const [, , number, , mountPoint] = line;
      return mountPoint === undefined ? [] : [[underDev(line[separator + 2]), number, mountPoint]];
    });
  }
  return fields((await readText(join(root, 'proc/mounts'))) ?? '').flatMap(([source, mountPoint]): Mount[] =>
    mountPoint === undefined ? [] : [[underDev(source), undefined, mountPoint]],
  );
}

/** proc(5), swaps: a heading, then `/dev/vdb1 partition 1048572 0 -2`. */
async function readSwaps(root: string): Promise<string[]> {
  return fields((await readText(join(root, 'proc/swaps'))) ?? '').flatMap(([source]) => underDev(source) ?? []);
}

/** md(4), mdstat: `md0 : active raid1 vdc1[1] vdb1[0](F)`; also arrays that are not running. */
async function readRaidMembers(root: string): Promise<(readonly [member: string, array: string])[]> {
  return fields((await readText(join(root, 'proc/mdstat'))) ?? '').flatMap((line) => {
    const [array = '', colon] = line;
    if (!array.startsWith('md') || colon !== ':') return [];
    return line.flatMap((word) => {
      const member = /^([^[\]]+)\[\d+\]/.exec(word)?.[1];
      return member === undefined ? [] : [[member, array] as const];
    });
  });
}

/** Every member of a btrfs, also those that no mount table names: /sys/fs/btrfs/UUID/devices/NAME. */
async function readBtrfsMembers(root: string): Promise<(readonly [member: string, filesystem: string])[]> {
  const directory = join(root, 'sys/fs/btrfs');
  const members: (readonly [string, string])[] = [];
  for (const filesystem of await list(directory)) {
    for (const name of await list(join(directory, filesystem, 'devices'))) members.push([name, filesystem]);
  }
  return members;
}

function fields(text: string): string[][] {
  return text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim().split(/\s+/).map(unescapeOctal)]));
}

/** proc(5): blank, tab, newline and backslash are written as three octal digits. */
function unescapeOctal(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function underDev(source: string | undefined): string | undefined {
  return source?.startsWith('/dev/') ? source.slice('/dev/'.length) : undefined;
}

async function readText(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(ignoreSystemError);
}

async function list(directory: string): Promise<string[]> {
  return (await readdir(directory).catch(ignoreSystemError)) ?? [];
}

/** Not there: this kernel has no such thing, or it went while we looked. */
function ignoreSystemError(error: unknown): undefined {
  if (errorCode(error) === undefined) throw error;
}
