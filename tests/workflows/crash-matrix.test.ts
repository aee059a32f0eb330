import { backupVm } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { crashMatrix } from '../support/crash-matrix.ts';
import { DRIVERS, worldOn } from '../support/drivers.ts';
import { backup, restore } from '../support/matrix-operations.ts';
import type { World } from '../support/world.ts';

/** Also the moments between which nothing is written or changed: for everybody but the process that dies they are the same. */
const everyMoment = process.env['ONEVAULT_LONG'] === '1';

describe.each(DRIVERS)('with images on driver $driver', (driver) => {
  let world: World;
  beforeAll(async () => {
    world = await worldOn(driver);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it('a backup that is killed at any moment is recovered from', { timeout: 300_000 }, async () => {
    const report = await crashMatrix(world, backup, { everyMoment });
    expect(report.killed).toBeGreaterThan(12);
    expect(report.removed).toEqual(expect.arrayContaining(['attachment', 'image']));
  });

  it('a restore that is killed at any moment is recovered from', { timeout: 300_000 }, async () => {
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    const report = await crashMatrix(world, restore(pointId), { everyMoment });
    expect(report.killed).toBeGreaterThan(20);
    expect(report.removed).toEqual(['attachment', 'image', 'template', 'vm']);
  });
});
