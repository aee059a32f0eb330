import { backupVm, type JobDeps, restoreVm } from '@onevault/orchestrator';
import { type CloudFault, faultyCloud } from '@onevault/orchestrator/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeWorld, type World } from '../support/world.ts';

/** Every call that changes the cloud never arrives, once. What arrives and goes wrong then: fault-matrix.test.ts, on every driver. */
describe.each<CloudFault>(['unreachable'])('a changing call that is %s', (fault) => {
  let world: World;
  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 1 }, { sizeMiB: 1, persistent: true }] });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** Runs `work` once for each changing call it makes, that call failing; tells which runs succeeded all the same. */
  async function everyCall(work: (deps: JobDeps) => Promise<unknown>, check: (succeeded: boolean, call: string) => Promise<void>): Promise<string[]> {
    const survived: string[] = [];
    for (let n = 0; ; n++) {
      const cloud = faultyCloud(world.cloud, n, fault);
      const outcome = await work(world.deps({ cloud: cloud.api })).then(
        () => undefined,
        (error: unknown) => error ?? 'failed',
      );
      const call = cloud.calls[n];
      if (call === undefined) {
        expect(outcome, 'the run without a fault').toBeUndefined();
        return survived;
      }
      if (outcome === undefined) survived.push(call);
      await check(outcome === undefined, call);
    }
  }

  it('leaves nothing behind after a backup, and no half restore point', { timeout: 120_000 }, async () => {
    let points = await countPoints(world);
    const survived = await everyCall(
      (deps) => backupVm(deps, world.backupRequest()),
      async (succeeded, call) => {
        expect(await world.leftovers(), `after a failing ${call}`).toEqual([]);
        if (succeeded) points++;
        expect(await countPoints(world)).toBe(points);
      },
    );
    // What fails on the way back is tried once more when the run ends; what fails on the way there fails the run.
    expect(new Set(survived)).toEqual(new Set(['deleteDiskSnapshot', 'detachDisk', 'deleteImage']));
    expect((await world.verify()).damaged).toBe(0);
    expect(await unfinishedJournals(world)).toBe(0);
  });

  it('leaves a whole VM after a restore, or nothing at all', { timeout: 120_000 }, async () => {
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    const original = await Promise.all([0, 1].map((disk) => world.diskBytes(world.vm, disk)));
    let n = 0;
    let before = await objectCount(world);
    await everyCall(
      (deps) => restoreVm(deps, world.restoreRequest(pointId, { name: `restored-${fault}-${n++}` })),
      async (succeeded, call) => {
        expect(await world.leftovers(), `after a failing ${call}`).toEqual([]);
        const now = await objectCount(world);
        expect(now, `VMs, images and templates after a failing ${call}`).toEqual(
          succeeded ? { vms: before.vms + 1, images: before.images + 2, templates: before.templates } : before,
        );
        before = now;
        if (!succeeded) return;
        const restored = (await world.sim.control.state()).vms.filter((vm) => vm.name.startsWith('restored-')).at(-1);
        for (const [disk, bytes] of original.entries()) expect((await world.diskBytes(restored?.id ?? -1, disk)).equals(bytes)).toBe(true);
      },
    );
    expect(await unfinishedJournals(world)).toBe(0);
  });
});

async function countPoints(world: World): Promise<number> {
  let count = 0;
  for await (const _ of world.repository.points()) count++;
  return count;
}

/** DONE VMs stay in the simulator's books as they do in OpenNebula's. */
async function objectCount(world: World): Promise<{ vms: number; images: number; templates: number }> {
  const state = await world.sim.control.state();
  return { vms: state.vms.filter((vm) => vm.stateText !== 'DONE').length, images: state.images.length, templates: state.templates.length };
}

async function unfinishedJournals(world: World): Promise<number> {
  let count = 0;
  for await (const _ of world.journals.unfinished()) count++;
  return count;
}
