import { chmod, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeviceUse } from '../src/index.ts';
import { startTestSimulator, type TestSimulator } from '../testing/index.ts';

/** The proxy's guest as its own kernel would show it. */
let one: TestSimulator;
let root: string;
const PROXY = 0;
beforeEach(async () => {
  one = await startTestSimulator();
  root = join(one.sim.dir, 'proxy', String(PROXY));
});
afterEach(() => one[Symbol.asyncDispose]());

async function image(name: string, extra = '', datastore = 100): Promise<number> {
  const id = Number(await one.must('one.image.allocate', `NAME="${name}"\nTYPE="DATABLOCK"\nSIZE="2"\n${extra}`, datastore, false));
  await one.sim.control.idle();
  return id;
}

async function attach(vector: string): Promise<void> {
  await one.must('one.vm.attach', PROXY, `DISK=[${vector}]`);
  await one.sim.control.idle();
}

const block = (path: string): Promise<string> => readFile(join(root, 'sys/block', path), 'utf8');
/** Without the context CD, which is always there. */
const devices = async (): Promise<string[]> => (await readdir(join(root, 'sys/block'))).filter((name) => name !== 'sr0');

test('the machine is known by the UUID of its VM body', async () => {
  const uuid = /<UUID><!\[CDATA\[(.*?)\]\]>/.exec(await one.must('one.vm.info', PROXY))?.[1];
  expect(await readFile(join(root, 'sys/class/dmi/id/product_uuid'), 'utf8')).toBe(`${uuid}\n`);
});

test('a proxy whose root disk is on the SCSI bus mounts it from there', async () => {
  const { vmId } = await one.sim.control.createVm({ name: 'other', disks: [{ sizeMiB: 2, devPrefix: 'sd' }], proxy: true });
  expect(await readFile(join(one.sim.dir, 'proxy', String(vmId), 'proc/mounts'), 'utf8')).toContain('/dev/sda1 / ext4');
});

test('its root disk has a mounted partition, and the context CD is an optical drive', async () => {
  expect(await block('vda/vda1/partition')).toBe('1\n');
  expect(await readFile(join(root, 'proc/mounts'), 'utf8')).toContain('/dev/vda1 / ext4');
  expect(await block('sr0/removable')).toBe('1\n');
  expect((await stat(join(root, 'dev/sr0'))).size).toBe(2 ** 20);
});

test('a vd disk is the next free letter, whatever its TARGET, and carries its serial, size and read-only flag', async () => {
  await attach(`IMAGE_ID="${await image('a')}",DEV_PREFIX="vd",TARGET="vdx",SERIAL="ov-1234567890abcdef",READONLY="YES"`);
  expect((await devices()).sort()).toEqual(['vda', 'vdb']);
  expect(await block('vdb/serial')).toBe('ov-1234567890abcdef'); // virtio_blk's serial_show ends without a line break
  expect(await block('vdb/size')).toBe('4096\n');
  expect(await block('vdb/ro')).toBe('1\n');
  expect(await block('vdb/queue/logical_block_size')).toBe('512\n');
  expect(await readdir(join(root, 'sys/block/vdb/holders'))).toEqual([]);
  expect(await readlink(join(root, 'dev/disk/by-id/virtio-ov-1234567890abcdef'))).toBe('../../vdb');
  const file = await stat(join(root, 'dev/vdb'));
  expect({ size: file.size, mode: file.mode & 0o777 }).toEqual({ size: 2 * 2 ** 20, mode: 0o444 });
});

test('an sd disk has the SCSI address of its TARGET letter and its serial on VPD page 80', async () => {
  await attach(`IMAGE_ID="${await image('a')}",DEV_PREFIX="sd",TARGET="sdk",SERIAL="ovsd12"`);
  await attach(`IMAGE_ID="${await image('b')}",DEV_PREFIX="sd",TARGET="sdb"`);
  expect((await devices()).sort()).toEqual(['sda', 'sdb', 'vda']);
  expect(await readlink(join(root, 'sys/block/sda/device'))).toMatch(/\/2:0:10:0$/);
  expect(await readlink(join(root, 'sys/block/sdb/device'))).toMatch(/\/2:0:1:0$/);
  expect(await readFile(join(root, 'sys/block/sda/device/vpd_pg80'))).toEqual(Buffer.from('\0\x80\0\x06ovsd12', 'latin1'));
  expect((await readFile(join(root, 'sys/block/sdb/device/vpd_pg80'), 'latin1')).slice(4)).toBe('drive-scsi0-0-1-0');
  expect(await block('sda/ro')).toBe('0\n');
});

test('what is written into a persistent image stays in it after detach; into a copy, it is lost', async () => {
  const kept = await image('kept', 'PERSISTENT="YES"\n');
  const lost = await image('lost');
  for (const id of [kept, lost]) await attach(`IMAGE_ID="${id}",SERIAL="s${id}",DEV_PREFIX="vd"`);
  for (const name of ['vdb', 'vdc']) await writeFile(join(root, 'dev', name), 'written', { flag: 'r+' });
  for (const disk of [2, 3]) {
    await one.must('one.vm.detach', PROXY, disk);
    await one.sim.control.idle();
  }
  expect(await devices()).toEqual(['vda']);
  const begin = async (id: number): Promise<string> => (await readFile(await one.sim.control.imagePath(id))).subarray(0, 7).toString('latin1');
  expect(await begin(kept)).toBe('written');
  expect(await begin(lost)).toBe('\0'.repeat(7));
});

test('a broken image is READY and does not attach, and a VM on it does not boot', async () => {
  const { vmId } = await one.sim.control.createVm({ name: 'vm', disks: [{ sizeMiB: 2, datastore: 1, format: 'qcow2' }] });
  for (let n = 0; n < 2; n++) {
    await one.must('one.vm.disksnapshotcreate', vmId, 0, 's');
    await one.sim.control.idle();
  }
  const broken = await one.must('one.vm.disksaveas', vmId, 0, 'broken', '', 1);
  await one.sim.control.idle();
  await attach(`IMAGE_ID="${broken}",DEV_PREFIX="vd",TARGET="vdx",SERIAL="broken"`);
  const state = await one.sim.control.state();
  expect(state.images.find((candidate) => candidate.id === Number(broken))).toMatchObject({ stateText: 'READY', vmIds: [] });
  expect(state.vms[0]?.error).toContain('ATTACHDISK: Could not attach');
  expect(await devices()).toEqual(['vda']);
  const booted = await one.must('one.template.instantiate', 0, 'on-broken', false, `DISK=[IMAGE_ID="${broken}"]`, false);
  await one.sim.control.idle();
  expect((await one.sim.control.state()).vms.find((vm) => vm.id === Number(booted))?.stateText).toBe('BOOT_FAILURE');
});

test('a failed attach leaves neither disk nor device, and the image free; a failed detach keeps both', async () => {
  const id = await image('a');
  await one.sim.control.inject({ fault: 'driver', operation: 'attach', text: 'no free slot' });
  await attach(`IMAGE_ID="${id}",DEV_PREFIX="vd",SERIAL="x"`);
  expect(await devices()).toEqual(['vda']);
  let state = await one.sim.control.state();
  expect(state.vms[0]).toMatchObject({ stateText: 'RUNNING', disks: [{ diskId: 0 }], error: expect.stringContaining('ATTACHDISK: no free slot') });
  expect(state.images.find((candidate) => candidate.id === id)).toMatchObject({ stateText: 'READY', vmIds: [] });
  await attach(`IMAGE_ID="${id}",DEV_PREFIX="vd",SERIAL="x"`);
  await one.sim.control.inject({ fault: 'driver', operation: 'detach', text: 'busy' });
  await one.must('one.vm.detach', PROXY, 2);
  await one.sim.control.idle();
  state = await one.sim.control.state();
  expect(state.vms[0]).toMatchObject({
    stateText: 'RUNNING',
    disks: [{ diskId: 0 }, { diskId: 2, guestDevice: 'vdb' }],
    error: expect.stringContaining('DETACHDISK: busy'),
  });
  expect(await devices()).toEqual(['vda', 'vdb']);
});

describe('faults of devices', () => {
  test('a device vanishes while it is attached', async () => {
    await attach(`IMAGE_ID="${await image('a')}",DEV_PREFIX="vd",SERIAL="x"`);
    await one.sim.control.vanishDevice(PROXY, 2);
    expect(await devices()).toEqual(['vda']);
    await one.must('one.vm.detach', PROXY, 2);
    await one.sim.control.idle();
    expect((await one.sim.control.state()).vms[0]?.disks.length).toBe(1);
  });

  test('a device shrinks under its reader', async () => {
    await attach(`IMAGE_ID="${await image('a')}",DEV_PREFIX="vd",SERIAL="x",READONLY="YES"`);
    await one.sim.control.shrinkDevice(PROXY, 2, 2 ** 20);
    expect(await block('vdb/size')).toBe('2048\n');
    expect((await stat(join(root, 'dev/vdb'))).size).toBe(2 ** 20);
  });

  test('writing through a read-only device is noted as harm, writing through another is not', async () => {
    for (const [n, readonly] of ['YES', 'NO'].entries()) {
      await attach(`IMAGE_ID="${await image(`ro-${readonly}`)}",DEV_PREFIX="vd",SERIAL="x",READONLY="${readonly}"`);
      await chmod(join(root, 'dev/vdb'), 0o644); // what root does not need
      await writeFile(join(root, 'dev/vdb'), 'written', { flag: 'r+' });
      await one.must('one.vm.detach', PROXY, 2);
      await one.sim.control.idle();
      expect((await one.sim.control.history(PROXY)).harm.length, `${n}`).toBe(1);
    }
    expect((await one.sim.control.history(PROXY)).harm).toEqual(['disk 2 was attached read-only and has been written to']);
  });

  test('a device that the guest never notices is attached and can be detached', async () => {
    await one.sim.control.inject({ fault: 'device', unseen: true });
    await attach(`IMAGE_ID="${await image('a')}",DEV_PREFIX="vd",SERIAL="x"`);
    expect(await devices()).toEqual(['vda']);
    expect((await one.sim.control.state()).vms[0]?.disks.length).toBe(2);
    await one.must('one.vm.detach', PROXY, 2);
    await one.sim.control.idle();
    expect((await one.sim.control.state()).vms[0]?.disks.length).toBe(1);
  });

  test('two devices carry the same serial, or one another size', async () => {
    await attach(`IMAGE_ID="${await image('a')}",DEV_PREFIX="vd",SERIAL="x"`);
    await one.sim.control.inject({ fault: 'device', serial: 'x', sizeBytes: 2 ** 20 });
    await attach(`IMAGE_ID="${await image('b')}",DEV_PREFIX="vd",SERIAL="y"`);
    expect(await block('vdb/serial')).toBe('x');
    expect(await block('vdc/serial')).toBe('x');
    expect(await block('vdc/size')).toBe('2048\n');
  });
});

test.each([
  ['7.0.1', ''],
  ['6.10.5', ''],
  ['7.4.0', 'abc-1._x'],
])('%s: the guest sees the serial %j', async (version, seen) => {
  await using other = await startTestSimulator({ version });
  const id = await other.must('one.image.allocate', 'NAME="a"\nSIZE="1"', 100, false);
  await other.sim.control.idle();
  await other.must('one.vm.attach', PROXY, `DISK=[IMAGE_ID="${id}",DEV_PREFIX="vd",SERIAL="abc/-1._x"]`);
  await other.sim.control.idle();
  const guest = join(other.sim.dir, 'proxy/0');
  expect(await readFile(join(guest, 'sys/block/vdb/serial'), 'utf8')).toBe(seen);
  const byId = await readdir(join(guest, 'dev/disk/by-id'));
  expect(byId.filter((link) => link.startsWith('virtio-'))).toEqual(seen === '' ? [] : [`virtio-${seen}`]);
});

test.each([
  ['7.0.1', 'boot-1'],
  ['6.10.5', ''],
])('%s: after a boot the guest sees the serial %j of a disk of its template', async (version, seen) => {
  await using other = await startTestSimulator({ version });
  const id = await other.must('one.image.allocate', 'NAME="a"\nSIZE="1"', 100, false);
  await other.sim.control.idle();
  await other.must('one.vm.attach', PROXY, `DISK=[IMAGE_ID="${id}",DEV_PREFIX="vd",SERIAL="boot-1"]`);
  await other.sim.control.idle();
  for (const verb of ['poweroff-hard', 'resume']) {
    await other.must('one.vm.action', verb, PROXY);
    await other.sim.control.idle();
  }
  expect(await readFile(join(other.sim.dir, 'proxy/0/sys/block/vdb/serial'), 'utf8')).toBe(seen);
});

describe('SCSI addresses', () => {
  test('a disk is found by its address, below sys/class and by path, whatever its name', async () => {
    await attach(`IMAGE_ID="${await image('a')}",DEV_PREFIX="sd",TARGET="sdz",SERIAL="x"`);
    expect(await readdir(join(root, 'sys/class/scsi_device/2:0:25:0/device/block'))).toEqual(['sda']);
    expect(await readlink(join(root, 'dev/disk/by-path/pci-0000:00:05.0-scsi-0:0:25:0'))).toBe('../../sda');
    await one.must('one.vm.detach', PROXY, 2);
    await one.sim.control.idle();
    expect(await readdir(join(root, 'sys/class/scsi_device'))).toEqual([]);
    expect((await readdir(join(root, 'dev/disk/by-path'))).filter((link) => link.includes('scsi'))).toEqual([]);
  });

  test.each([
    ['6.10.5', false],
    ['7.0.2', false],
    ['7.4.0', true],
  ])('%s: sdaa beside sda works: %s', async (version, works) => {
    await using other = await startTestSimulator({ version });
    const { control } = other.sim;
    const targets = ['sdb', 'sdba'];
    for (const target of targets) {
      const id = await other.must('one.image.allocate', `NAME="${target}"\nSIZE="1"`, 100, false);
      await control.idle();
      await other.must('one.vm.attach', PROXY, `DISK=[IMAGE_ID="${id}",TARGET="${target}",DEV_PREFIX="sd"]`);
      await control.idle();
    }
    const proxy = (await control.state()).vms.find((vm) => vm.id === PROXY);
    expect(proxy?.disks.map((disk) => disk.target).filter((target) => targets.includes(target))).toEqual(works ? targets : ['sdb']);
    expect(proxy?.error?.includes('Could not attach') ?? false).toBe(!works);
    if (works) expect(await readdir(join(other.sim.dir, 'proxy/0/sys/class/scsi_device'))).toContain('2:0:52:0');
  });
});

test('an IDE target takes no hot-plug, and PCI slots come to an end', async () => {
  const first = await image('hd');
  await attach(`IMAGE_ID="${first}",DEV_PREFIX="hd"`);
  expect((await one.sim.control.state()).vms[0]?.error).toContain(`ATTACHDISK: Could not attach`);
  for (let n = 0; n < 25; n++) await attach(`IMAGE_ID="${await image(`vd${n}`)}",DEV_PREFIX="vd"`);
  expect((await one.sim.control.state()).vms[0]?.disks.length).toBe(25); // with the root disk
});

describe('a disk that the guest uses', () => {
  test.each<readonly [DeviceUse, (held: string) => Promise<void>]>([
    [
      { kind: 'lvm', name: 'guestvg-root' },
      async (name) => {
        expect(await readdir(join(root, 'sys/block', name, 'holders'))).toEqual(['dm-0']);
        expect(await readdir(join(root, 'sys/block/dm-0/slaves'))).toEqual([name]);
        expect(await block('dm-0/dm/name')).toBe('guestvg-root\n');
        expect(await block('dm-0/dm/uuid')).toMatch(/^LVM-/);
        expect(await readlink(join(root, 'dev/mapper/guestvg-root'))).toBe('../dm-0');
      },
    ],
    [{ kind: 'multipath', name: 'mpatha' }, async () => expect(await block('dm-0/dm/uuid')).toMatch(/^mpath-/)],
    [
      { kind: 'mount', name: '/mnt/a b' },
      async (name) => {
        expect(await readFile(join(root, 'proc/mounts'), 'utf8')).toContain(`/dev/${name} /mnt/a\\040b ext4`);
        expect(await readFile(join(root, 'proc/self/mountinfo'), 'utf8')).toContain(`252:16 / /mnt/a\\040b`);
      },
    ],
    [{ kind: 'swap', name: '' }, async (name) => expect(await readFile(join(root, 'proc/swaps'), 'utf8')).toContain(`/dev/${name} `)],
    [{ kind: 'md', name: '' }, async (name) => expect(await readFile(join(root, 'proc/mdstat'), 'utf8')).toContain(`md127 : active raid1 ${name}[0]`)],
  ])('$kind: leaves its traces, and the disk cannot be detached until it lets go', async (use, traces) => {
    await attach(`IMAGE_ID="${await image('a')}",DEV_PREFIX="vd",SERIAL="x"`);
    await one.sim.control.useDevice(PROXY, 2, use);
    await traces('vdb');
    await one.must('one.vm.detach', PROXY, 2);
    await one.sim.control.idle();
    const state = await one.sim.control.state();
    expect(state.vms[0]).toMatchObject({ stateText: 'RUNNING', error: expect.stringContaining('Could not detach') });
    expect(state.vms[0]?.disks.length).toBe(2);
    await one.sim.control.letGoDevice(PROXY, 2);
    await one.must('one.vm.detach', PROXY, 2);
    await one.sim.control.idle();
    expect((await one.sim.control.state()).vms[0]?.disks.length).toBe(1);
    expect((await readdir(join(root, 'sys/block'))).sort()).toEqual(['sr0', 'vda']);
  });
});

test('a guest that is powered off has no devices; the disks are there again when it runs', async () => {
  await attach(`IMAGE_ID="${await image('a')}",DEV_PREFIX="vd",SERIAL="x"`);
  await one.must('one.vm.action', 'poweroff-hard', PROXY);
  await one.sim.control.idle();
  await expect(devices()).rejects.toThrow('ENOENT');
  await one.must('one.vm.action', 'resume', PROXY);
  await one.sim.control.idle();
  expect((await devices()).sort()).toEqual(['vda', 'vdb']);
});
