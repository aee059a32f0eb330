import { errorCode } from '@onevault/base';
import { imageId, vmId } from '@onevault/one-client';
import { backupVm, type RestoreDiskRequest, restoreDisk } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectNoTrace, failureOf } from '../support/aftermath.ts';
import { interposed } from '../support/interposed.ts';
import { diskId, makeWorld, type World } from '../support/world.ts';

describe('one disk of a restore point', () => {
  let world: World;
  let pointId = '';
  let bytes: Buffer;
  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 1 }, { sizeMiB: 2, persistent: true }, { sizeMiB: 1 }], volatileMiB: [1] });
    bytes = await world.diskBytes(world.vm, 1);
    ({ pointId } = await backupVm(world.deps(), world.backupRequest({ excludeDisks: [diskId(2)] })));
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const request = (overrides: Partial<RestoreDiskRequest>): RestoreDiskRequest => ({
    pointId,
    diskId: 1,
    name: 'rescued',
    verify: true,
    scanWorkers: 1,
    ...overrides,
  });
  const imageBytes = async (image: number): Promise<Buffer> => (await import('node:fs/promises')).readFile(await world.sim.control.imagePath(image));

  it.each(['direct', 'saveas'] as const)('becomes a new image by %s, and nothing else', async (method) => {
    const census = await world.census();
    const { disk, attached, residue } = await restoreDisk(world.deps(), request({ name: `alone-${method}`, method }));
    expect({ attached, residue }).toEqual({ attached: undefined, residue: [] });
    expect(disk).toMatchObject({ diskId: 1, method, persistent: true, verified: true, imageName: `alone-${method}` });
    expect((await imageBytes(disk.imageId)).equals(bytes)).toBe(true);
    expect(await world.census()).toEqual({ ...census, images: [...census.images, `alone-${method}`].sort() });
    expect(await world.leftovers()).toEqual([]);
  });

  it.each([
    ['runs', undefined, true],
    ['runs', 'sdm', false],
    ['is powered off', 'vdm', true],
  ] as const)('becomes a disk of a VM that %s, as %s, persistent: %s', async (how, target, persistent) => {
    if (how === 'is powered off') await world.must('one.vm.action', 'poweroff-hard', world.vm);
    await world.sim.control.idle();
    const name = `${how}-${target}-${persistent}`;
    const { attached, disk } = await restoreDisk(world.deps(), request({ name, persistent, attachTo: { vmId: world.vm, ...(target && { target }) } }));
    const vm = await world.cloud.vm(world.vm);
    expect(vm.disks.find((one) => one.diskId === attached?.diskId)).toMatchObject({ imageId: disk.imageId, target: attached?.target, persistent });
    if (target !== undefined) expect(attached?.target).toBe(target);
    expect((await world.diskBytes(world.vm, attached?.diskId ?? -1)).equals(bytes)).toBe(true);
    expect((await world.cloud.image(imageId(disk.imageId))).template['ONEVAULT_STATE']).toBe('RESTORED');
    expect(await world.unfinishedRuns()).toEqual([]);
    if (how === 'is powered off') await world.must('one.vm.action', 'resume', world.vm);
    await world.sim.control.idle();
  });

  it.each<[string, string, Partial<RestoreDiskRequest>]>([
    ['it was not captured', 'JOB_DISK_UNKNOWN', { diskId: 2 }],
    ['it was volatile', 'JOB_DISK_UNKNOWN', { diskId: 3 }],
    ['there is none', 'JOB_DISK_UNKNOWN', { diskId: 9 }],
    ['its name is none', 'JOB_NAME_INVALID', { name: 'a"b' }],
    ['the VM is the proxy', 'JOB_ATTACH_REFUSED', { attachTo: { vmId: vmId(0) } }],
    ['there is no such VM', 'ONE_NO_EXISTS', { attachTo: { vmId: vmId(4711) } }],
  ])('is refused before anything is made when %s: %s', async (_why, code, overrides) => {
    const census = await world.census();
    expect(errorCode(await failureOf(restoreDisk(world.deps(), request(overrides))))).toBe(code);
    await expectNoTrace(world, census);
  });

  it('is refused before anything is made when the target is taken, the name is, or the VM is at rest otherwise', async () => {
    const census = await world.census();
    const [disk] = (await world.cloud.vm(world.vm)).disks;
    const refusal = async (overrides: Partial<RestoreDiskRequest>): Promise<string | undefined> => {
      const code = errorCode(await failureOf(restoreDisk(world.deps(), request(overrides))));
      expect(await world.census()).toEqual(census);
      return code;
    };
    expect(await refusal({ attachTo: { vmId: world.vm, target: disk?.target ?? '' } })).toBe('JOB_ATTACH_REFUSED');
    expect(await refusal({ name: disk?.imageName ?? '' })).toBe('JOB_NAME_TAKEN');
    await world.must('one.vm.action', 'suspend', world.vm);
    await world.sim.control.idle();
    expect(await refusal({ attachTo: { vmId: world.vm } })).toBe('JOB_ATTACH_REFUSED');
    await world.must('one.vm.action', 'resume', world.vm);
    await world.sim.control.idle();
  });

  it('that the VM cannot take after all is neither a disk nor an image in the end, or stays when it was told to', async () => {
    const census = await world.census();
    const before = (await world.cloud.vm(world.vm)).disks.length;
    /** The second attach is the VM's; the first is the proxy's. Accepted, and then it fails. */
    const cloud = () => interposed(world.cloud, 'attachDisk', 2, () => world.sim.control.inject({ fault: 'driver', operation: 'attach' }));
    const failing = (overrides: Partial<RestoreDiskRequest>) =>
      restoreDisk(world.deps({ cloud: cloud() }), request({ attachTo: { vmId: world.vm }, ...overrides }));
    expect(errorCode(await failureOf(failing({})))).toBe('JOB_EFFECT_MISSING');
    await expectNoTrace(world, census);
    expect((await world.cloud.vm(world.vm)).disks).toHaveLength(before);
    await failureOf(failing({ keepOnFailure: true }));
    expect(await world.census()).toEqual({ ...census, images: [...census.images, 'rescued'].sort() });
  });
});
