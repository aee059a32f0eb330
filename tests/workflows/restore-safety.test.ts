import { errorCode } from '@onevault/base';
import { backupVm, type DevicePort, type JobDeps, restoreDisk, restoreVm } from '@onevault/orchestrator';
import { createAttacher, parseSerial, type SysfsDisk } from '@onevault/proxy-attach';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectNoTrace, expectRestores, failureOf, type OlderPoint } from '../support/aftermath.ts';
import { type Census, makeWorld, realDevices, type World } from '../support/world.ts';

/** What the guest shows of our disk, from some look at it on. */
interface Trouble {
  readonly title: string;
  readonly change: Partial<SysfsDisk>;
  readonly code: string;
  /** The looks at /sys that still show the truth: the first sees the device appear, the later ones confirm it when it is opened. */
  readonly trueLooks: number;
}

const AT_ATTACH = 0;
const AT_OPEN = 1;

const TROUBLES: readonly Trouble[] = [
  { title: 'is mounted', change: { holders: ['/mnt'] }, code: 'ATTACH_DEVICE_IN_USE', trueLooks: AT_ATTACH },
  { title: 'is held by LVM', change: { holders: ['dm-0'] }, code: 'ATTACH_DEVICE_IN_USE', trueLooks: AT_ATTACH },
  { title: 'is used as swap', change: { holders: ['swap'] }, code: 'ATTACH_DEVICE_IN_USE', trueLooks: AT_ATTACH },
  { title: 'has another size', change: { sizeBytes: 4096 }, code: 'ATTACH_DEVICE_SIZE', trueLooks: AT_ATTACH },
  { title: 'has another serial', change: { serial: 'ov-0000000000000000' }, code: 'ATTACH_DEVICE_ABSENT', trueLooks: AT_ATTACH },
  { title: 'refuses writes', change: { readOnly: true }, code: 'ATTACH_DEVICE_READ_ONLY', trueLooks: AT_ATTACH },
  { title: 'is mounted once it was identified', change: { holders: ['/mnt'] }, code: 'ATTACH_DEVICE_IN_USE', trueLooks: AT_OPEN },
  { title: 'has another size once it was identified', change: { sizeBytes: 4096 }, code: 'ATTACH_DEVICE_CHANGED', trueLooks: AT_OPEN },
  { title: 'has another serial once it was identified', change: { serial: 'ov-0000000000000000' }, code: 'ATTACH_DEVICE_CHANGED', trueLooks: AT_OPEN },
  { title: 'has become another disk of the same name', change: { sequence: 99 }, code: 'ATTACH_DEVICE_CHANGED', trueLooks: AT_OPEN },
];

/** Every way in which bytes come into a new image. */
const FORMS: readonly { readonly form: string; readonly run: (world: World, deps: JobDeps, pointId: string) => Promise<unknown> }[] = [
  { form: 'to a new VM', run: (world, deps, pointId) => restoreVm(deps, world.restoreRequest(pointId)) },
  { form: 'by saveas', run: (world, deps, pointId) => restoreVm(deps, world.restoreRequest(pointId, { method: 'saveas' })) },
  {
    form: 'of one disk to a VM',
    run: (world, deps, pointId) => restoreDisk(deps, { pointId, diskId: 0, name: 'one', verify: true, scanWorkers: 1, attachTo: { vmId: world.vm } }),
  },
];

describe.each(FORMS)('a restore $form never writes to a device that', ({ run }) => {
  let world: World;
  let older: OlderPoint;
  let census: Census;
  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 3 }], volatileMiB: [] });
    const bytes = await world.diskBytes(world.vm, 0);
    older = { pointId: (await backupVm(world.deps(), world.backupRequest())).pointId, disks: [{ diskId: 0, bytes }] };
    census = await world.census();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it.each(TROUBLES)('$title: $code', async ({ change, code, trueLooks }) => {
    let looks = 0;
    let written = 0;
    /** Only while the run needs the device: a clean-up sees the guest as it is. */
    const sysfs = async (): Promise<readonly SysfsDisk[]> => {
      const disks = await world.attacherDeps.sysfs();
      const ours = disks.find((disk) => parseSerial(disk.serial) !== undefined);
      if (ours === undefined || looks > trueLooks + ABSENT_LOOKS || looks++ < trueLooks) return disks;
      return disks.map((disk) => (disk === ours ? { ...disk, ...change } : disk));
    };
    const devices: DevicePort = {
      ...realDevices,
      async openWritable(path, options) {
        const device = await realDevices.openWritable(path, options);
        return new Proxy(device, {
          get(target, property) {
            if (property === 'writeFrom') written++;
            const value: unknown = Reflect.get(target, property, target);
            return typeof value === 'function' ? value.bind(target) : value;
          },
        });
      },
    };
    const attacher = createAttacher({ ...world.attacherDeps, sysfs, timeouts: { deviceMs: ABSENT_LOOKS * 1_000 } });
    const error = await failureOf(run(world, world.deps({ attacher, devices }), older.pointId));
    expect(errorCode(error)).toBe(code);
    expect(error).toMatchObject({ hint: expect.any(String) });
    expect(written).toBe(0);
    await expectNoTrace(world, census);
  });

  it('and none of this harmed what is there', () => expectRestores(world, older));
});

/** So many looks, a second apart, are given to a device that is not there. */
const ABSENT_LOOKS = 3;
