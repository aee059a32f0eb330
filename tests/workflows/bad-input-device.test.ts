import { rm, writeFile } from 'node:fs/promises';
import { errorCode } from '@onevault/base';
import { datastoreId } from '@onevault/one-client';
import { backupVm, type DevicePort, type JobDeps, restoreVm } from '@onevault/orchestrator';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { countPoints, expectNoTrace, expectRestores, failureOf, type OlderPoint } from '../support/aftermath.ts';
import { interposed } from '../support/interposed.ts';
import { type Census, makeWorld, realDevices, type World } from '../support/world.ts';

const MIB = 1024 * 1024;

describe('a device that is not what it should be', () => {
  let world: World;
  let census: Census;
  let older: OlderPoint;
  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 40 }] }); // more than the scan reads ahead
    const bytes = await world.diskBytes(world.vm, 0);
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    older = { pointId, disks: [{ diskId: 0, bytes }] };
  });
  beforeEach(async () => {
    await world.sim.control.clearFaults();
    world.events.length = 0;
    census = await world.census();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  async function expectBackupFails(codes: readonly string[], overrides: Partial<JobDeps> = {}): Promise<void> {
    const error = await failureOf(backupVm(world.deps(overrides), world.backupRequest({ mode: 'full' })));
    expect(codes).toContain(errorCode(error));
    expect(error).toMatchObject({ hint: expect.any(String) });
    expect(await countPoints(world)).toBe(1);
    await expectNoTrace(world, census);
  }

  /** The proxy's disk that the run attached, as the simulator knows it. */
  async function attachedDisk(): Promise<number> {
    const proxy = (await world.sim.control.state()).vms.find((vm) => vm.id === world.proxyVm);
    return proxy?.disks.find((disk) => disk.serial?.startsWith('ov-'))?.diskId ?? -1;
  }

  /** Devices with which `act` happens right before the nth open, or in the middle of the first scan. */
  function devicesWith(when: { readonly beforeOpen: number } | { readonly afterBytes: number }, act: () => Promise<unknown>): DevicePort {
    let opens = 0;
    return {
      ...realDevices,
      async open(path, options) {
        if ('beforeOpen' in when && ++opens === when.beforeOpen) await act();
        return realDevices.open(path, options);
      },
      async *scan(device, options) {
        let acted = false;
        // One worker has four extents of 8 MiB: a larger device is never read whole before the first block is consumed.
        const scanned = realDevices.scan(device, { ...options, workers: 1 });
        for (let step = await scanned.next(); ; step = await scanned.next()) {
          if (step.done) return step.value;
          if ('afterBytes' in when && !acted && step.value.index * options.blockSizeBytes >= when.afterBytes) {
            acted = true;
            await act();
          }
          yield step.value;
        }
      },
    };
  }

  it('vanishes before it is read', async () => {
    const devices = devicesWith({ beforeOpen: 2 }, async () => world.sim.control.vanishDevice(world.proxyVm, await attachedDisk()));
    await expectBackupFails(['CBT_DEVICE_ABSENT'], { devices });
  });

  it('has shrunk when it is opened for the scan: a shorter disk is never stored as the disk', async () => {
    const devices = devicesWith({ beforeOpen: 2 }, async () => world.sim.control.shrinkDevice(world.proxyVm, await attachedDisk(), MIB));
    await expectBackupFails(['JOB_DEVICE_MISMATCH'], { devices });
  });

  it('shrinks while it is read', async () => {
    const devices = devicesWith({ afterBytes: 0 }, async () => world.sim.control.shrinkDevice(world.proxyVm, await attachedDisk(), 3 * MIB));
    await expectBackupFails(['CBT_SIZE_CHANGED', 'CBT_SHORT_READ'], { devices });
  });

  it('is smaller than the image', async () => {
    await world.sim.control.inject({ fault: 'device', sizeBytes: MIB });
    await expectBackupFails(['JOB_IMAGE_BROKEN']);
  });

  it('is larger than the image', async () => {
    await world.sim.control.inject({ fault: 'device', sizeBytes: 64 * MIB });
    await expectBackupFails(['JOB_IMAGE_BROKEN']);
  });

  it('does not show its serial: it is not guessed', async () => {
    await world.sim.control.inject({ fault: 'device', serial: 'QM00001' });
    await expectBackupFails(['ATTACH_DEVICE_ABSENT']);
  });

  it('shares its serial with another attached disk', async () => {
    const image = await world.must('one.image.allocate', 'NAME="twin"\nTYPE="DATABLOCK"\nSIZE="40"\n', 100, true);
    await world.sim.control.idle();
    const proxyDisks = async () => (await world.sim.control.state()).vms.find((vm) => vm.id === world.proxyVm)?.disks ?? [];
    /** A twin plugged right after the attach, so that the guest shows two devices with one serial. */
    const twin: JobDeps['cloud'] = new Proxy(world.cloud, {
      get(target, property: keyof JobDeps['cloud']) {
        const value = target[property];
        if (property !== 'attachDisk' || typeof value !== 'function') return value;
        return async (...args: Parameters<JobDeps['cloud']['attachDisk']>): Promise<void> => {
          await world.must('one.vm.attach', world.proxyVm, `DISK=[IMAGE_ID="${image}",SERIAL="${args[1]['SERIAL']}"]`);
          await world.sim.control.idle();
          await target.attachDisk(...args);
        };
      },
    });
    census = await world.census();
    const error = await failureOf(backupVm(world.deps({ cloud: twin }), world.backupRequest()));
    // Ours is detached again; as long as the twin shows our serial in /sys nobody can say that it is gone, so the run says that it cannot.
    expect(error).toMatchObject({ code: 'ATTACH_DETACH_FAILED', details: { after: 'ATTACH_DEVICE_AMBIGUOUS' } });
    expect(world.events.at(-1)).toMatchObject({ type: 'run.finished', residue: [expect.stringMatching(/^disk with serial ov-/)] });
    const twinDisk = (await proxyDisks()).find((disk) => disk.imageId === Number(image));
    expect(twinDisk, 'the disk that is not ours').toBeDefined();
    await world.must('one.vm.detach', world.proxyVm, twinDisk?.diskId ?? -1);
    await world.sim.control.idle();
    expect(await world.leftovers()).toEqual([]);
    expect(await countPoints(world)).toBe(1);
    await rm(world.journalPath, { recursive: true });
    await world.must('one.image.delete', Number(image), false);
    await world.sim.control.idle();
  });

  it('is not empty when a disk is restored onto it: nothing is written', async () => {
    const dirty = interposed(world.cloud, 'attachDisk', 1, async () => {
      const image = (await world.sim.control.state()).images.find((entry) => entry.name === 'web-restored-disk-0');
      await writeFile(image?.path ?? '', Buffer.alloc(40 * MIB, 7));
    });
    const error = await failureOf(restoreVm(world.deps({ cloud: dirty }), world.restoreRequest(older.pointId)));
    expect(error).toMatchObject({ code: 'JOB_DEVICE_NOT_EMPTY', details: { offset: 0 } });
    await expectNoTrace(world, census);
  });

  it('loses a write during a restore: reading back finds it', async () => {
    const devices: DevicePort = {
      ...realDevices,
      async openWritable(path, options) {
        const device = await realDevices.openWritable(path, options);
        let writes = 0;
        const writeFrom: typeof device.writeFrom = async (offset, data, call) => (writes++ === 2 ? undefined : device.writeFrom(offset, data, call));
        return new Proxy(device, {
          get: (target, property) => {
            if (property === 'writeFrom') return writeFrom;
            const value: unknown = Reflect.get(target, property, target);
            return typeof value === 'function' ? value.bind(target) : value;
          },
        });
      },
    };
    const error = await failureOf(restoreVm(world.deps({ devices }), world.restoreRequest(older.pointId)));
    expect(errorCode(error)).toBe('JOB_RESTORE_MISMATCH');
    await expectNoTrace(world, census);
  });

  it('has harmed nothing: the older restore point restores byte by byte', () => expectRestores(world, older));
});

describe('an image that is READY and cannot be read', () => {
  it('is found out before it becomes a restore point (local: a snapshot that has a parent)', async () => {
    await using world = await makeWorld({ disks: [{ sizeMiB: 2, datastore: datastoreId(1), format: 'qcow2' }] });
    await world.must('one.vm.disksnapshotcreate', world.vm, 0, 'somebody-elses');
    await world.sim.control.idle();
    const census = await world.census();
    // Planned, it is not even tried; but a copy may come out broken all the same.
    expect(errorCode(await failureOf(backupVm(world.deps(), world.backupRequest({ capture: 'snapshot' }))))).toBe('JOB_PLAN_REFUSED');
    await world.sim.control.inject({ fault: 'driver', operation: 'attach', text: 'Could not attach disk.2 (vdb) to the proxy' });
    const error = await failureOf(backupVm(world.deps(), world.backupRequest()));
    expect(error).toMatchObject({ code: 'JOB_IMAGE_BROKEN', details: { diskId: 0 }, hint: expect.stringContaining('local'), cause: expect.anything() });
    expect(await countPoints(world)).toBe(0);
    await expectNoTrace(world, census);
    const asPlanned = await backupVm(world.deps(), world.backupRequest());
    expect(asPlanned.disks.map((disk) => disk.method)).toEqual(['live-copy']);
  });
});
