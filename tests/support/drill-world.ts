import type { DrillRecord } from '@onevault/backup-format';
import { backupVm, type DrillRequest } from '@onevault/orchestrator';
import { makeWorld, type World, type WorldOptions } from './world.ts';

export const DRILL_PREFIX = 'onevault-drill-';

/** A VM that was backed up, and what a drill of the point is asked by default: RUNNING, which everything that starts shows. */
export interface DrillWorld extends AsyncDisposable {
  readonly world: World;
  readonly pointId: string;
  request(overrides?: Partial<DrillRequest>): DrillRequest;
  records(): Promise<readonly DrillRecord[]>;
}

export async function makeDrillWorld(options: WorldOptions = {}): Promise<DrillWorld> {
  const world = await makeWorld({ disks: [{ sizeMiB: 2 }, { sizeMiB: 1, persistent: true }], volatileMiB: [1], ...options });
  const { pointId } = await backupVm(world.deps(), world.backupRequest());
  return {
    world,
    pointId,
    request: (overrides = {}) => ({
      pointId,
      signs: [{ kind: 'running', seconds: 1 }],
      need: 'all',
      limitMs: 600_000,
      network: 'none',
      verify: false,
      scanWorkers: 1,
      ...overrides,
    }),
    async records() {
      const records: DrillRecord[] = [];
      for await (const record of world.repository.drills.list()) records.push(record);
      return records;
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}
