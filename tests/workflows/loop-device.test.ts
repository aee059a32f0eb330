import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorCode } from '@onevault/base';
import type { BlockDevice } from '@onevault/block-cbt';
import { backupVm, type DevicePort, restoreVm } from '@onevault/orchestrator';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectNoTrace, expectRestores, failureOf } from '../support/aftermath.ts';
import { describeWith, requiresCommand, requiresLoopDevice } from '../support/requires.ts';
import { makeWorld, realDevices, type World } from '../support/world.ts';

const run = (command: string, ...args: string[]): string => execFileSync(command, args, { encoding: 'utf8' }).trim();

interface LoopDevices extends DevicePort {
  /** How each device was opened. */
  readonly opened: { readonly writable: boolean; readonly direct: boolean; readonly path: string }[];
}

/** Every file behind the simulator's devices as a real block device, for as long as it is open. `hold` may keep one busy before it is opened for writing. */
function loopDevices(hold?: (path: string) => () => void): LoopDevices {
  const opened: LoopDevices['opened'] = [];
  async function open<D extends BlockDevice>(file: string, writable: boolean, openIt: (path: string) => Promise<D>): Promise<D> {
    const path = run('losetup', '--find', '--show', ...(writable ? [] : ['--read-only']), file);
    const letGo = writable ? hold?.(path) : undefined;
    try {
      const device = await openIt(path);
      opened.push({ writable, direct: device.direct, path });
      return detaching(device, () => {
        letGo?.();
        run('losetup', '--detach', path);
      });
    } catch (error) {
      letGo?.();
      run('losetup', '--detach', path);
      throw error;
    }
  }
  return {
    opened,
    scan: realDevices.scan,
    open: (file, options) => open(file, false, (path) => realDevices.open(path, options)),
    openWritable: (file, options) => open(file, true, (path) => realDevices.openWritable(path, options)),
  };
}

function detaching<D extends BlockDevice>(device: D, detach: () => void): D {
  return new Proxy(device, {
    get(target, property) {
      if (property === Symbol.asyncDispose) return () => target[Symbol.asyncDispose]().then(detach);
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

describeWith([requiresLoopDevice(), requiresCommand('mkfs.ext4', 'apt-get install e2fsprogs')], 'through real block devices', () => {
  let world: World;
  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 20 }, { sizeMiB: 9, persistent: true }] });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const disksNow = () => Promise.all([0, 1].map(async (diskId) => ({ diskId, bytes: await world.diskBytes(world.vm, diskId) })));

  it('a VM is backed up past the page cache, changed, backed up again, and both states are restored byte by byte', async () => {
    const devices = loopDevices();
    const first = await disksNow();
    const full = await backupVm(world.deps({ devices }), world.backupRequest());
    await world.sim.control.writeRandom(world.vm, 0, { seed: 5, count: 3, blockBytes: 4096 });
    await world.sim.control.writeRandom(world.vm, 1, { seed: 6, count: 3, blockBytes: 4096 });
    const second = await disksNow();
    const incremental = await backupVm(world.deps({ devices }), world.backupRequest());
    expect(incremental.disks.map((disk) => [disk.mode, disk.readBytes])).toEqual([
      ['incremental', 20 * 1024 * 1024],
      ['incremental', 9 * 1024 * 1024],
    ]);
    expect(devices.opened.length).toBeGreaterThanOrEqual(8);
    expect(devices.opened.filter((device) => !device.direct)).toEqual([]);

    for (const [{ pointId }, name, disks] of [
      [full, 'loop-first', first],
      [incremental, 'loop-second', second],
    ] as const) {
      const restored = await restoreVm(world.deps({ devices }), world.restoreRequest(pointId, { name }));
      for (const { diskId, bytes } of disks) expect((await world.diskBytes(restored.vmId, diskId)).equals(bytes), `disk ${diskId} of ${name}`).toBe(true);
    }
    expect(devices.opened.filter((device) => device.writable)).toHaveLength(4);
    expect(await world.leftovers()).toEqual([]);
    expect(run('losetup', '--list', '--noheadings', '--output', 'BACK-FILE')).not.toContain(world.sim.dir);
  });

  /** A filesystem on it, mounted. */
  function mounted(path: string): () => void {
    const directory = mkdtempSync(join(tmpdir(), 'onevault-mount-'));
    run('mkfs.ext4', '-q', path);
    run('mount', path, directory);
    return () => {
      run('umount', directory);
      rmdirSync(directory);
    };
  }

  /** As LVM, md or a second restore would hold it. */
  function claimed(path: string): () => void {
    const descriptor = openSync(path, constants.O_RDWR | constants.O_EXCL);
    return () => closeSync(descriptor);
  }

  it.each([
    ['mounted', mounted],
    ['claimed by somebody else', claimed],
  ])('a device that is %s is not written to', async (_, hold) => {
    const bytes = await disksNow();
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    const census = await world.census();
    const error = await failureOf(restoreVm(world.deps({ devices: loopDevices(hold) }), world.restoreRequest(pointId, { name: 'loop-busy' })));
    expect(errorCode(error)).toBe('CBT_DEVICE_BUSY');
    await expectNoTrace(world, census);
    await expectRestores(world, { pointId, disks: bytes });
  });
});
