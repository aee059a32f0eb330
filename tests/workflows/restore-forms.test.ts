import { errorCode } from '@onevault/base';
import { datastoreId, imageId, vmId } from '@onevault/one-client';
import { backupVm, restoreDisk, restoreVm } from '@onevault/orchestrator';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectNoTrace, failureOf } from '../support/aftermath.ts';
import { interposed } from '../support/interposed.ts';
import { diskId, makeWorld, type World } from '../support/world.ts';

describe('a restore', () => {
  let world: World;
  let pointId = '';
  beforeEach(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 2, persistent: true }, { sizeMiB: 1 }], volatileMiB: [1] });
    ({ pointId } = await backupVm(world.deps(), world.backupRequest()));
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const bytesOf = (vm: number): Promise<Buffer[]> => Promise.all([0, 1].map((disk) => world.diskBytes(vm, disk)));

  it.each(['direct', 'saveas'] as const)('by %s gives the same bytes, and images persistent or not as they were', async (method) => {
    const before = await bytesOf(world.vm);
    const { vmId: id, disks, residue } = await restoreVm(world.deps(), world.restoreRequest(pointId, { method }));
    expect(residue).toEqual([]);
    expect((await bytesOf(id)).map((bytes, at) => bytes.equals(before[at] ?? Buffer.alloc(0)))).toEqual([true, true]);
    expect(disks.map((disk) => [disk.method, disk.persistent, disk.verified])).toEqual([
      [method, true, true],
      [method, false, true],
    ]);
    const images = await Promise.all(disks.map((disk) => world.cloud.image(imageId(disk.imageId))));
    expect(images.map((image) => image.persistent)).toEqual([true, false]);
    expect(images.map((image) => image.template['ONEVAULT_STATE'])).toEqual(['RESTORED', 'RESTORED']);
    expect(await world.leftovers()).toEqual([]);
  });
});
