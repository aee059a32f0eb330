import { open, readFile } from 'node:fs/promises';
import { imageId } from '@onevault/one-client';
import { backupVm, type DevicePort, type JobDeps, type OverwriteRequest, overwriteImage } from '@onevault/orchestrator';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { failureOf } from '../support/aftermath.ts';
import { everyDeath } from '../support/every-death.ts';
import { makeWorld, realDevices, type World } from '../support/world.ts';

const MIB = 2 ** 20;

describe('a disk of a restore point written over an image', () => {
  let world: World;
  let pointId: string;
  let saved: Buffer;
  let image: number;
  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 25 }], volatileMiB: [] });
    saved = await world.diskBytes(world.vm, 0);
    pointId = (await backupVm(world.deps(), world.backupRequest())).pointId;
    image = await copyOfDisk('target');
  });
  afterAll(() => world[Symbol.asyncDispose]());
  afterEach(() => world.sim.control.clearFaults());

  /** An image that holds what the disk holds now. */
  async function copyOfDisk(name: string): Promise<number> {
    const id = Number(await world.must('one.vm.disksaveas', world.vm, 0, name, '', -1));
    await world.sim.control.idle();
    return id;
  }

  function overwrite(facts: Partial<OverwriteRequest> = {}, deps: JobDeps = world.deps()) {
    return overwriteImage(deps, { pointId, diskId: 0, imageId: imageId(image), overwrite: true, verify: true, scanWorkers: 1, ...facts });
  }

  const bytes = async (): Promise<Buffer> => readFile(await world.sim.control.imagePath(image));
  const look = () => world.cloud.image(imageId(image));

  /** A hundredth of the disk, at its beginning. */
  async function differ(): Promise<void> {
    const path = await world.sim.control.imagePath(image);
    await using file = await open(path, 'r+');
    await file.write(Buffer.alloc(MIB / 4, 0xee), 0, MIB / 4, 3 * MIB);
  }

  it('reads it all, writes the hundredth that differs, and gives it back as persistent as it was', async () => {
    await differ();
    const report = await overwrite();
    expect(report).toMatchObject({ scannedBytes: 25 * MIB, writtenBytes: MIB / 4, verified: true, residue: [] });
    expect((await bytes()).equals(saved)).toBe(true);
    expect(await look()).toMatchObject({ persistent: false, vmIds: [], template: { ONEVAULT_STATE: 'RESTORED' } });
    expect((await overwrite()).writtenBytes).toBe(0);
  });

  it('is refused without leave, for another size, a used image, and one with a way back on it', async () => {
    await differ();
    const before = await bytes();
    const codes = async (run: Promise<unknown>) => ((await failureOf(run)) as { code: string }).code;
    expect(await codes(overwrite({ overwrite: false }))).toBe('JOB_RESTORE_REFUSED');
    expect(await codes(overwrite({ diskId: 5 }))).toBe('JOB_RESTORE_REFUSED');
    const disk = (await world.cloud.vm(world.vm)).disks[0];
    expect(await codes(overwrite({ imageId: imageId(Number(disk?.imageId)) }))).toBe('JOB_RESTORE_REFUSED');
    const other = await world.cloud.allocateImage({ NAME: 'other', TYPE: 'DATABLOCK', SIZE: '26' }, (await look()).datastoreId);
    await world.sim.control.idle();
    expect(await codes(overwrite({ imageId: other }))).toBe('JOB_RESTORE_REFUSED');
    await world.cloud.updateImage(imageId(image), { ONEVAULT_STATE: 'UNDO' });
    expect(await codes(overwrite())).toBe('JOB_RESTORE_REFUSED');
    await world.cloud.updateImage(imageId(image), { ONEVAULT_STATE: 'RESTORED' });
    expect((await bytes()).equals(before)).toBe(true);
  });

  it('never writes to a device of another serial', async () => {
    await differ();
    const before = await bytes();
    await world.sim.control.inject({ fault: 'device', serial: 'somebody-elses', count: 9 });
    await failureOf(overwrite());
    expect((await bytes()).equals(before)).toBe(true);
  });

  it('never writes to a device of another size', async () => {
    await differ();
    const before = await bytes();
    const devices: DevicePort = {
      ...realDevices,
      async open(path, options) {
        const real = await realDevices.open(path, options);
        return Object.create(real, { sizeBytes: { value: 24 * MIB }, [Symbol.asyncDispose]: { value: () => real[Symbol.asyncDispose]() } });
      },
    };
    expect(await failureOf(overwrite({}, world.deps({ devices })))).toMatchObject({ code: 'JOB_DEVICE_MISMATCH' });
    expect((await bytes()).equals(before)).toBe(true);
  });

  it('never writes to a device that is mounted or held, which opening it exclusively tells', async () => {
    await differ();
    const before = await bytes();
    const busy = Object.assign(new Error('busy'), { code: 'CBT_DEVICE_BUSY' });
    const devices: DevicePort = { ...realDevices, openWritable: () => Promise.reject(busy) };
    expect(await failureOf(overwrite({}, world.deps({ devices })))).toMatchObject({ code: 'CBT_DEVICE_BUSY' });
    expect((await bytes()).equals(before)).toBe(true);
    expect(await look()).toMatchObject({ persistent: false, vmIds: [], template: { ONEVAULT_STATE: 'OVERWRITING' } });
  });

  it('that is killed at any moment leaves an image that nobody holds and that says what it is; the next one finishes it', { timeout: 300_000 }, async () => {
    await everyDeath(
      world,
      differ,
      (deps) => overwrite({ verify: false }, deps),
      async ({ where }) => {
        const now = await look();
        expect([now.persistent, now.vmIds], where).toEqual([false, []]);
        if (!(await bytes()).equals(saved) && now.template['ONEVAULT_STATE'] !== 'OVERWRITING')
          expect((await bytes()).subarray(0, 3 * MIB)).toEqual(saved.subarray(0, 3 * MIB));
        await overwrite({ verify: false });
        expect((await bytes()).equals(saved), where).toBe(true);
        expect((await look()).template['ONEVAULT_STATE'], where).toBe('RESTORED');
        expect(await world.leftovers(), where).toEqual([]);
      },
      process.env['ONEVAULT_LONG'] === '1' ? { every: 1, from: 0 } : { every: 8, from: 2 },
    );
  });
});
