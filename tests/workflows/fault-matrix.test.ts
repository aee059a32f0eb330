import { backupVm } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { faultMatrix } from '../support/crash-matrix.ts';
import { DRIVERS, worldOn } from '../support/drivers.ts';
import { FAULTS } from '../support/faulty.ts';
import { backup, restore } from '../support/matrix-operations.ts';
import type { World } from '../support/world.ts';

/** Calls that only read, too. */
const everyMoment = process.env['ONEVAULT_LONG'] === '1';

describe.each(DRIVERS)('with images on driver $driver', (driver) => {
  let world: World;
  let pointId = '';
  beforeAll(async () => {
    world = await worldOn(driver);
    pointId = (await backupVm(world.deps(), world.backupRequest())).pointId;
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it.each(FAULTS)('a backup with a call that ends in %s leaves nothing behind', { timeout: 300_000 }, async (fault) => {
    expect((await faultMatrix(world, backup, fault, { everyMoment })).killed).toBeGreaterThan(3);
  });

  it.each(FAULTS)('a restore with a call that ends in %s leaves a whole VM or nothing', { timeout: 300_000 }, async (fault) => {
    expect((await faultMatrix(world, restore(pointId), fault, { everyMoment })).killed).toBeGreaterThan(8);
  });
});
