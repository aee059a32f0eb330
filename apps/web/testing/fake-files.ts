import type { Answer } from '@onevault/api';

type Entry = Answer<'listFiles'>['entries'][number];
const FILESYSTEMS = [
  { device: '/dev/sda1', type: 'ext4', label: 'root', sizeBytes: 20 * 2 ** 30 },
  { device: '/dev/sdb1', type: 'xfs', label: 'data', sizeBytes: 400 * 2 ** 30 },
];

function entry(name: string, type: Entry['type'], sizeBytes = 0, target?: string): Entry {
  const nameBytes = Buffer.from(name).toString('base64url');
  return { name, nameBytes, type, sizeBytes, modifiedAt: '2026-11-20T08:00:00.000Z', ...(target !== undefined && { target }) };
}

/** A small guest. */
const TREE: Readonly<Record<string, readonly Entry[]>> = {
  '': [entry('etc', 'directory'), entry('home', 'directory'), entry('bin', 'symlink', 0, 'usr/bin'), entry('swapfile', 'file', 2 ** 31)],
  '/etc': [entry('passwd', 'file', 1832), entry('hostname', 'file', 9), entry('ssh', 'directory')],
  '/etc/ssh': [entry('sshd_config', 'file', 3289)],
  '/home': [],
};

export function fakeListing(filesystem: unknown, path: string): Answer<'listFiles'> {
  const entries = filesystem === undefined ? [] : (TREE[Buffer.from(path, 'base64url').toString().replace(/\/$/, '')] ?? []);
  return { filesystems: FILESYSTEMS, entries: [...entries], truncated: false };
}
