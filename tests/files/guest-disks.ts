import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Requirement, requiresCommand, requiresLoopDevice } from '../support/requires.ts';

const MIB = 2 ** 20;

export const needsGuestDisks: readonly Requirement[] = [
  requiresLoopDevice(),
  ...(
    [
      ['sfdisk', 'fdisk'],
      ['lvm', 'lvm2'],
      ['mkfs.ext4', 'e2fsprogs'],
      ['mkfs.xfs', 'xfsprogs'],
      ['mkfs.vfat', 'dosfstools'],
      ['mcopy', 'mtools'],
      ['mkntfs', 'ntfs-3g'],
    ] as const
  ).map(([program, debianPackage]) => requiresCommand(program, `apt-get install ${debianPackage}`)),
];

const run = (command: string, args: readonly string[], input?: string): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'], ...(input !== undefined && { input }) });

/**
 * Three disks of a guest: the first two hold one LVM volume group in a partition each, with `/dev/vg/root` (ext4) and `/dev/vg/data` (xfs, on both disks);
 * the third FAT, NTFS and an encrypted partition. ext4 and xfs hold a copy of `tree`, FAT and NTFS what such names allow.
 *
 * LVM writes its metadata without the device-mapper, which containers lack; the file systems are made in files and copied to where LVM says.
 */
export function makeGuestDisks(dir: string, tree: string): readonly string[] {
  const disks = [join(dir, 'disk0.img'), join(dir, 'disk1.img'), join(dir, 'disk2.img')] as const;
  const segments = makeVolumeGroup(dir, disks[0], disks[1]);
  copyToVolume(
    makeExt4(dir, tree),
    segments.filter(({ volume }) => volume === 'root'),
  );
  copyToVolume(
    makeXfs(dir, tree),
    segments.filter(({ volume }) => volume === 'data'),
  );
  makeForeignDisk(dir, disks[2]);
  return disks;
}

/** Where a stretch of a volume lies in a disk file. */
interface Segment {
  readonly volume: string;
  readonly volumeOffset: number;
  readonly disk: string;
  readonly diskOffset: number;
  readonly length: number;
}

const PARTITION_OFFSET = MIB;

function makeVolumeGroup(dir: string, ...disks: readonly [string, string]): Segment[] {
  const sizes = [200 * MIB, 256 * MIB];
  const system = join(dir, 'lvm');
  mkdirSync(system);
  for (const [at, disk] of disks.entries()) {
    emptyFile(disk, sizes[at] ?? 0);
    run('sfdisk', ['-q', disk], 'label: gpt\nstart=2048, type=E6D6D379-F507-44C2-A23C-238F2A3DF928\n');
  }
  const loops = disks.map((disk, at) =>
    run('losetup', ['--find', '--show', '--offset', `${PARTITION_OFFSET}`, '--sizelimit', `${(sizes[at] ?? 0) - 2 * MIB}`, disk]).trim(),
  );
  const config = `devices{filter=[${loops.map((loop) => `"a|^${loop}$|"`).join(',')},"r|.*|"] use_devicesfile=0} global{locking_dir="${system}"} activation{udev_sync=0 udev_rules=0 monitoring=0} backup{backup=0 archive=0}`;
  const lvm = (command: string, ...args: string[]): string =>
    execFileSync('lvm', [command, '--driverloaded', 'n', '--config', config, ...args], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], LVM_SYSTEM_DIR: system, LVM_SUPPRESS_FD_WARNINGS: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  try {
    lvm('pvcreate', '-ff', '-y', ...loops);
    lvm('vgcreate', 'vg', ...loops);
    for (const [name, ...size] of [['root', '-L', '64M'] as const, ['data', '-l', '100%FREE'] as const])
      lvm('lvcreate', '-an', '-Zn', '-Wn', '-y', ...size, '-n', name, 'vg');
    const report = lvm(
      'lvs',
      '--noheadings',
      '--segments',
      '--units',
      'b',
      '--nosuffix',
      '-o',
      'lv_name,seg_start_pe,seg_size_pe,seg_pe_ranges,vg_extent_size',
    );
    const start = Number(lvm('pvs', '--noheadings', '--units', 'b', '--nosuffix', '-o', 'pe_start').trim().split(/\s+/)[0]);
    return report
      .trim()
      .split('\n')
      .map((line) => segmentOf(line, loops, disks, start));
  } finally {
    run('losetup', ['--detach', ...loops]);
  }
}

function segmentOf(line: string, loops: readonly string[], disks: readonly string[], peStart: number): Segment {
  const [volume = '', first = '', count = '', range = '', extent = ''] = line.trim().split(/\s+/);
  const [, loop = '', from = ''] = /^(.*):(\d+)-\d+$/.exec(range) ?? [];
  return {
    volume,
    volumeOffset: Number(first) * Number(extent),
    disk: disks[loops.indexOf(loop)] ?? '',
    diskOffset: PARTITION_OFFSET + peStart + Number(from) * Number(extent),
    length: Number(count) * Number(extent),
  };
}

function makeExt4(dir: string, tree: string): string {
  const image = join(dir, 'ext4.img');
  emptyFile(image, 64 * MIB);
  run('mkfs.ext4', ['-q', '-L', 'root', '-d', tree, image]);
  return image;
}

/** Only its own kernel driver writes xfs: it is mounted to be filled. */
function makeXfs(dir: string, tree: string): string {
  const image = join(dir, 'xfs.img');
  const at = join(dir, 'xfs');
  emptyFile(image, 384 * MIB);
  mkdirSync(at);
  run('mkfs.xfs', ['-q', '-L', 'data', image]);
  run('mount', ['-o', 'loop', image, at]);
  try {
    run('cp', ['-a', '--sparse=always', `${tree}/.`, at]);
  } finally {
    run('umount', [at]);
  }
  return image;
}

function makeForeignDisk(dir: string, disk: string): void {
  emptyFile(disk, 40 * MIB);
  run('sfdisk', ['-q', disk], 'label: dos\nstart=2048, size=32768, type=c\nstart=34816, size=32768, type=7\nstart=67584, type=83\n');
  const fat = join(dir, 'fat.img');
  emptyFile(fat, 16 * MIB);
  run('mkfs.vfat', ['-n', 'FAT', fat]);
  const file = join(dir, 'Größe.txt');
  writeFileSync(file, 'fat');
  run('mmd', ['-i', fat, '::/Program Files']);
  execFileSync('mcopy', ['-i', fat, file, '::/Program Files/'], { env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' } });
  const ntfs = join(dir, 'ntfs.img');
  emptyFile(ntfs, 16 * MIB);
  run('mkntfs', ['-q', '-Q', '-F', '-L', 'NTFS', '-p', '0', '-H', '0', '-S', '0', ntfs]);
  writeFileSync(join(dir, 'ntfs.txt'), 'ntfs');
  run('ntfscp', ['-f', ntfs, join(dir, 'ntfs.txt'), 'Größe und Maß.txt']);
  const luks = Buffer.alloc(MIB);
  luks.write('LUKS\xba\xbe\x00\x01', 'latin1');
  luks.write('aes', 8);
  luks.write('xts-plain64', 40);
  luks.write('sha256', 72);
  luks.write('6f9c6b3e-0a53-4c0c-9f2b-4c7bd3b0d6c1', 168);
  const out = openSync(disk, 'r+');
  copyInto(out, 2048 * 512, fat, 0, 16 * MIB);
  copyInto(out, 34_816 * 512, ntfs, 0, 16 * MIB);
  writeSync(out, luks, 0, luks.length, 67_584 * 512);
  closeSync(out);
}

function copyToVolume(image: string, segments: readonly Segment[]): void {
  for (const { disk, diskOffset, volumeOffset, length } of segments) {
    const out = openSync(disk, 'r+');
    copyInto(out, diskOffset, image, volumeOffset, length);
    closeSync(out);
  }
}

/** What is not zero. */
function copyInto(out: number, offset: number, file: string, from: number, length: number): void {
  const source = openSync(file, 'r');
  const buffer = Buffer.alloc(64 * 1024);
  for (let at = 0; at < length; at += buffer.length) {
    const count = readSync(source, buffer, 0, Math.min(buffer.length, length - at), from + at);
    if (count === 0) break;
    if (buffer.subarray(0, count).some((byte) => byte !== 0)) writeSync(out, buffer, 0, count, offset + at);
  }
  closeSync(source);
}

function emptyFile(path: string, sizeBytes: number): void {
  writeFileSync(path, '');
  truncateSync(path, sizeBytes);
}
