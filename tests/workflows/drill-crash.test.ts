import { drillVm } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { crashMatrix, faultMatrix, type MatrixOperation } from '../support/crash-matrix.ts';
import { type DrillWorld, makeDrillWorld } from '../support/drill-world.ts';
import { FAULTS } from '../support/faulty.ts';

const everyMoment = process.env['ONEVAULT_LONG'] === '1';

/** Nothing of a drill stays, however it ends: it has no product. */
function drillOf({ request }: DrillWorld): MatrixOperation {
  return {
    name: 'drill',
    act: (_world, deps, _attempt, options) => drillVm(deps, request({ signs: [{ kind: 'running', seconds: 0 }] }), options),
    product: { vms: 0, images: 0 },
  };
}

describe('a drill', () => {
  let drill: DrillWorld;
  beforeAll(async () => {
    drill = await makeDrillWorld({ disks: [{ sizeMiB: 1 }], volatileMiB: [] });
  });
  afterAll(() => drill[Symbol.asyncDispose]());

  it('that is killed at any moment is recovered from, and nothing of it is left', { timeout: 300_000 }, async () => {
    const report = await crashMatrix(drill.world, drillOf(drill), { everyMoment });
    expect(report.killed).toBeGreaterThan(20);
    expect(report.removed).toEqual(['attachment', 'image', 'template', 'vm']);
  });

  // What a restore survives in every form is its own matrix; a drill adds its end to it.
  it.each(everyMoment ? FAULTS : (['timeout-done'] as const))('with a call that ends in %s leaves nothing', { timeout: 300_000 }, async (fault) => {
    const report = await faultMatrix(drill.world, drillOf(drill), fault);
    expect(report.killed).toBeGreaterThan(6);
  });
});
