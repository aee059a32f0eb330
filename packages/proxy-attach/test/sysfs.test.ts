import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSysfsDisks } from '../src/index.ts';
import { parseUnitSerialPage } from '../src/sysfs.ts';
import { unitSerialPage, writeSysfsTree } from '../testing/index.ts';

const SERIAL = 'ov-1234567890abcdef';
const UNKNOWN = { scsi: undefined, sequence: undefined, writtenSectors: undefined };
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ov-sysfs-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('readSysfsDisks', () => {
  it('reads a virtio disk: serial, size in bytes, read-only flag, path', async () => {
    await writeSysfsTree(root, [{ name: 'vdb', sizeBytes: 34_603_008, readOnly: true, serial: SERIAL }]);
    expect(await readSysfsDisks(root)).toEqual([
      { name: 'vdb', devicePath: join(root, 'dev/vdb'), serial: SERIAL, sizeBytes: 34_603_008, readOnly: true, holders: [], ...UNKNOWN },
    ]);
  });

  it('reads the serial of a SCSI disk from its page 80h and of an NVMe disk from its controller', async () => {
    await writeSysfsTree(root, [
      { name: 'sda', sizeBytes: 1024, unitSerialPage: unitSerialPage(SERIAL) },
      { name: 'nvme0n1', sizeBytes: 1024, nvmeSerial: `${SERIAL}   \n` },
      { name: 'vda', sizeBytes: 1024, serial: '' },
    ]);
    expect((await readSysfsDisks(root)).map((disk) => [disk.name, disk.serial])).toEqual([
      ['nvme0n1', SERIAL],
      ['sda', SERIAL],
      ['vda', undefined],
    ]);
  });

  it('leaves out loop, memory, mapper, RAID and optical devices', async () => {
    const names = ['loop0', 'ram1', 'zram0', 'dm-0', 'md127', 'sr0', 'fd0', 'nbd3', 'vdb', 'sdc', 'xvda'];
    await writeSysfsTree(
      root,
      names.map((name) => ({ name, sizeBytes: 512 })),
    );
    expect((await readSysfsDisks(root)).map((disk) => disk.name)).toEqual(['sdc', 'vdb', 'xvda']);
  });

  it('names who holds the disk or a partition of it, and where either is mounted', async () => {
    await writeSysfsTree(
      root,
      [
        { name: 'vdb', sizeBytes: 512, holders: ['dm-0'], partitions: { vdb1: ['dm-1', 'md0'], vdb2: [] } },
        { name: 'nvme0n1', sizeBytes: 512, partitions: { nvme0n1p1: [] } },
        { name: 'vdc', sizeBytes: 512 },
      ],
      '/dev/vdb2 /mnt/with\\040blank ext4 rw 0 0\n/dev/nvme0n1p1 / ext4 rw 0 0\nproc /proc proc rw 0 0\n/dev/vdcc /x ext4 rw 0 0\n',
    );
    expect((await readSysfsDisks(root)).map((disk) => [disk.name, disk.holders])).toEqual([
      ['nvme0n1', ['/']],
      ['vdb', ['dm-0', 'dm-1', 'md0', '/mnt/with blank']],
      ['vdc', []],
    ]);
  });

  it('finds by number what is mounted under another name, and by name what has an anonymous number', async () => {
    await writeSysfsTree(root, [
      { name: 'vdb', sizeBytes: 512, deviceNumber: [252, 16], partitions: { vdb1: [] } },
      { name: 'vdc', sizeBytes: 512, deviceNumber: [252, 32] },
      { name: 'vdd', sizeBytes: 512, deviceNumber: [252, 48] },
    ]);
    await mkdir(join(root, 'proc/self'));
    await writeFile(
      join(root, 'proc/self/mountinfo'),
      [
        '24 1 252:17 / / rw,relatime shared:1 - ext4 /dev/root rw',
        '25 24 0:5 / /dev rw shared:2 master:3 - devtmpfs udev rw',
        '30 24 0:44 /@ /data\\040two rw,relatime - btrfs /dev/vdc rw',
      ].join('\n'),
    );
    expect((await readSysfsDisks(root)).map((disk) => [disk.name, disk.holders])).toEqual([
      ['vdb', ['/']],
      ['vdc', ['/data two']],
      ['vdd', []],
    ]);
  });

  it('names swap, software RAID and btrfs that a disk or its partition is part of, and what a disk is made of', async () => {
    const names = ['vdb', 'vdc', 'vdd', 'vde', 'vdf'];
    await writeSysfsTree(root, [
      ...names.map((name) => ({ name, sizeBytes: 512, partitions: { [`${name}1`]: [] } })),
      { name: 'sdm', sizeBytes: 512, slaves: ['sda', 'sdb'] },
    ]);
    await writeFile(join(root, 'proc/swaps'), 'Filename\t\t\tType\t\tSize\tUsed\tPriority\n/dev/vdb1 partition\t1048572\t\t0\t-2\n');
    await writeFile(
      join(root, 'proc/mdstat'),
      'Personalities : [raid1]\nmd127 : inactive vdd[1](S) vdc1[0](F)\n      1048512 blocks super 1.2\n\nunused devices: <none>\n',
    );
    await mkdir(join(root, 'sys/fs/btrfs/5f1c/devices/vde'), { recursive: true });
    await mkdir(join(root, 'sys/fs/btrfs/features'), { recursive: true });
    expect((await readSysfsDisks(root)).map((disk) => [disk.name, disk.holders])).toEqual([
      ['sdm', ['made of sda', 'made of sdb']],
      ['vdb', ['swap']],
      ['vdc', ['md127']],
      ['vdd', ['md127']],
      ['vde', ['btrfs 5f1c']],
      ['vdf', []],
    ]);
  });

  it('reads the address of a SCSI disk with the driver of its adapter, the number of a disk, and what was written to it', async () => {
    const scsi = { host: 2, channel: 0, target: 10, lun: 0, driver: 'virtio_scsi' };
    await writeSysfsTree(root, [
      { name: 'sda', sizeBytes: 512, scsi, sequence: 7, written: [48, 8] },
      { name: 'sdb', sizeBytes: 512, scsi: { host: 0, channel: 0, target: 0, lun: 0, driver: undefined } },
    ]);
    await mkdir(join(root, 'sys/devices/pci0000:00/0000:00:00.0/virtio0/host0/scsi_host/host0'), { recursive: true });
    await writeFile(join(root, 'sys/devices/pci0000:00/0000:00:00.0/virtio0/host0/scsi_host/host0/proc_name'), 'ahci\n');
    expect(await readSysfsDisks(root)).toMatchObject([
      { name: 'sda', scsi, sequence: 7, writtenSectors: 56 },
      { name: 'sdb', scsi: { host: 0, driver: 'ahci' }, ...{ sequence: undefined, writtenSectors: undefined } },
    ]);
  });

  it('sees a whole disk that is mounted without partitions', async () => {
    await writeSysfsTree(root, [{ name: 'vdb', sizeBytes: 512 }], '/dev/vdb /mnt ext4 rw 0 0\n');
    expect((await readSysfsDisks(root))[0]?.holders).toEqual(['/mnt']);
  });

  it('leaves out a device that vanished between the listing and the reading', async () => {
    await writeSysfsTree(root, [{ name: 'vdb', sizeBytes: 512 }]);
    await symlink(join(root, 'sys/devices/gone'), join(root, 'sys/block/vdc'));
    await mkdir(join(root, 'sys/block/vdd')); // its attributes went first
    await mkdir(join(root, 'sys/block/vde'));
    await writeFile(join(root, 'sys/block/vde/size'), 'garbage\n');
    expect((await readSysfsDisks(root)).map((disk) => disk.name)).toEqual(['vdb']);
  });

  it('takes a disk without holders directory or mount table as held by nobody', async () => {
    await writeSysfsTree(root, [{ name: 'vdb', sizeBytes: 512 }]);
    await rm(join(root, 'sys/block/vdb/holders'), { recursive: true });
    await rm(join(root, 'proc'), { recursive: true });
    expect((await readSysfsDisks(root))[0]?.holders).toEqual([]);
  });

  it('turns the ! of a sysfs name into the slash of /dev', async () => {
    await writeSysfsTree(root, [{ name: 'cciss!c0d0', sizeBytes: 512 }]);
    expect((await readSysfsDisks(root))[0]?.devicePath).toBe(join(root, 'dev/cciss/c0d0'));
  });

  it('stops with the reason of an aborted signal', async () => {
    await writeSysfsTree(root, []);
    const reason = new Error('stop');
    await expect(readSysfsDisks(root, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('says so when there is no /sys at all', async () => {
    await expect(readSysfsDisks(join(root, 'nowhere'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('reads this machine without failing', async () => {
    for (const disk of await readSysfsDisks()) expect(disk).toMatchObject({ devicePath: expect.stringMatching(/^\/dev\//), sizeBytes: expect.any(Number) });
  });
});

describe('parseUnitSerialPage', () => {
  it('takes the length from bytes 2 and 3 and trims the padding', () => {
    expect(parseUnitSerialPage(Buffer.concat([unitSerialPage(`  ${SERIAL}`), Buffer.from('rest')]))).toBe(SERIAL);
    expect(parseUnitSerialPage(unitSerialPage('x'.repeat(300)))).toBe('x'.repeat(300));
  });

  it.each([[[]], [[0, 0x80, 0]], [[0, 0x83, 0, 1, 65]], [[0, 0x80, 0, 2, 65]], [[0, 0x80, 0, 0]]])('gives none for the bytes %j', (bytes) => {
    expect(parseUnitSerialPage(Uint8Array.from(bytes))).toBeUndefined();
  });
});
