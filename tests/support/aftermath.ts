import { restoreVm } from '@onevault/orchestrator';
import { expect } from 'vitest';
import type { Census, World } from './world.ts';

/** A restore point from before the trouble, and what it must still give back. */
export interface OlderPoint {
  readonly pointId: string;
  readonly disks: readonly { readonly diskId: number; readonly bytes: Buffer }[];
}

let restores = 0;

/**
 * After a run that failed: nothing of ours in the cloud, nothing else missing or added, no run unfinished, the repository whole, and every older point
 * restored byte by byte. `census` is what there was before the run.
 */
export async function expectNoTrace(world: World, census: Census, older: readonly OlderPoint[] = []): Promise<void> {
  expect(await world.leftovers()).toEqual([]);
  expect(await world.census()).toEqual(census);
  expect(await world.unfinishedRuns()).toEqual([]);
  expect((await world.verify()).damaged).toBe(0);
  expect(await world.sim.control.unexpectedErrors()).toEqual([]);
  for (const point of older) await expectRestores(world, point);
}

/** The point restores to a running VM with exactly these bytes. */
export async function expectRestores(world: World, older: OlderPoint): Promise<void> {
  const { vmId, residue } = await restoreVm(world.deps(), world.restoreRequest(older.pointId, { name: `again-${restores++}` }));
  expect(residue).toEqual([]);
  for (const { diskId, bytes } of older.disks) expect((await world.diskBytes(vmId, diskId)).equals(bytes), `disk ${diskId} of ${older.pointId}`).toBe(true);
}

export async function countPoints(world: World): Promise<number> {
  let count = 0;
  for await (const _ of world.repository.points()) count++;
  return count;
}

/** The error a run ends with; fails when it does not. */
export async function failureOf(run: Promise<unknown>): Promise<unknown> {
  try {
    await run;
  } catch (error) {
    return error;
  }
  expect.fail('the run should have failed');
}
