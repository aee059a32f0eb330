import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { crashMatrix, faultMatrix } from '../support/crash-matrix.ts';
import { DRIVERS, worldOn } from '../support/drivers.ts';
import { FAULTS } from '../support/faulty.ts';
import { revert } from '../support/matrix-operations.ts';
import { takeSet } from '../support/snapshot-world.ts';
import type { World } from '../support/world.ts';

const everyMoment = process.env['ONEVAULT_LONG'] === '1';

/** Two disks, so that a revert can be half done. */
describe.each(DRIVERS.filter(({ noSnapshots }) => noSnapshots !== true))('with images on driver $driver', (driver) => {
  let world: World;
  beforeAll(async () => {
    world = await worldOn(driver, 2);
    await takeSet(world, 'target');
    await revert.act(world, world.deps(), 0, {}); // some drivers call a snapshot active only after that
  }, 60_000);
  afterAll(() => world[Symbol.asyncDispose]());

  // The other drivers: snapshot-crash.test.ts, which looks at the bytes too.
  it.runIf(driver.agent === true || everyMoment)('a revert that is killed at any moment ends in a VM that runs', { timeout: 300_000 }, async () => {
    const report = await crashMatrix(world, revert, { everyMoment });
    expect(report.killed).toBeGreaterThan(8);
    expect(report.removed).toEqual(expect.arrayContaining(['power']));
  });

  it.each(FAULTS)('a revert with a call that ends in %s ends in a VM that runs', { timeout: 300_000 }, async (fault) => {
    expect((await faultMatrix(world, revert, fault, { everyMoment })).killed).toBeGreaterThan(3);
  });
});
