import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSysfsDisks } from '../src/index.ts';
import { parseUnitSerialPage } from '../src/sysfs.ts';
import { unitSerialPage, writeSysfsTree } from '../testing/index.ts';

const SERIAL = 'ov-1234567890abcdef';
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ov-sysfs-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('readSysfsDisks', () => {
  it('reads a virtio disk: serial, size in bytes, read-only flag, path', async () => {
    await writeSysfsTree(root, [{ name: 'vdb', sizeBytes: 34_603_008, readOnly: true, serial: SERIAL }]);
    expect(await readSysfsDisks(root)).toEqual([
      { name: 'vdb', devicePath: join(root, 'dev/vdb'), serial: SERIAL, sizeBytes: 34_603_008, readOnly: true, holders: [] },
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
