import { backupVm, restoreVm } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { crashMatrix, type MatrixOperation } from '../support/crash-matrix.ts';
import { makeWorld, type World } from '../support/world.ts';

/** Image datastores of the simulator, and how a VM on them is captured. */
const DRIVERS = [
  { driver: 'qcow2', datastore: 100 },
  { driver: 'shared', datastore: 102 },
  { driver: 'local', datastore: 1 },
  { driver: 'ssh', datastore: 108 },
  { driver: 'ceph', datastore: 104 },
] as const;

const backup: MatrixOperation = {
  name: 'backup',
  act: (world, deps, _attempt, options) => backupVm(deps, world.backupRequest({ parallelDisks: 1 }), options),
  product: { vms: 0, images: 0 },
};

function restore(pointId: string): MatrixOperation {
  return {
    name: 'restore',
    act: (world, deps, attempt, options) => restoreVm(deps, world.restoreRequest(pointId, { name: `restored-${attempt}` }), options),
    product: { vms: 1, images: 1 },
  };
}

describe.each(DRIVERS)('with images on driver $driver', ({ datastore }) => {
  let world: World;
  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 1, datastore }], volatileMiB: [] });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it('a backup that is killed at any moment is recovered from', { timeout: 120_000 }, async () => {
    const report = await crashMatrix(world, backup);
    expect(report.killed).toBeGreaterThan(12);
  });

  it('a restore that is killed at any moment is recovered from', { timeout: 120_000 }, async () => {
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    const report = await crashMatrix(world, restore(pointId));
    expect(report.killed).toBeGreaterThan(12);
  });
});
