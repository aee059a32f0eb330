import { type JobDeps, listUndoSets, recoverRuns } from '@onevault/orchestrator';
import { faultyCloud } from '@onevault/orchestrator/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { everyDeath } from '../support/every-death.ts';
import { contentByTarget, dropUndo, guestWritesTo, inPlace, pointOf, undo } from '../support/in-place-world.ts';
import { vmState } from '../support/snapshot-world.ts';
import { makeWorld, type World } from '../support/world.ts';

/** Each takes every fifth moment, unless there is time. One disk that lives in its image and one that dies with its detach, on drivers that link, copy, clone and copy blocks. */
const DRIVERS = [
  { driver: 'qcow2', from: 0, datastore: 100 },
  { driver: 'ssh', from: 1, datastore: 108 },
  { driver: 'ceph', from: 2, datastore: 104 },
  { driver: 'fs_lvm', from: 3, datastore: 106 },
] as const;
const long = process.env['ONEVAULT_LONG'] === '1';
const TARGETS = ['vda', 'vdb'];

describe.each(DRIVERS)('an exchange of disks on $driver', ({ driver, datastore, from }) => {
  const share = long ? { every: 1, from: 0 } : { every: 5, from };
  let world: World;
  let pointId: string;
  let saved: Readonly<Record<string, string>>;
  let seed = 100;
  beforeAll(async () => {
    const disk = { sizeMiB: 1, datastore };
    world = await makeWorld({ disks: [{ ...disk, persistent: true }, disk], volatileMiB: [] });
    if (driver === 'fs_lvm') await world.must('one.vm.action', 'poweroff-hard', world.vm);
    await world.sim.control.idle();
    pointId = await pointOf(world);
    if (driver === 'fs_lvm') await world.must('one.vm.action', 'resume', world.vm);
    saved = await contentByTarget(world);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** The guest is at work again, and nothing of an earlier exchange is kept. */
  async function otherContent(): Promise<Readonly<Record<string, string>>> {
    await dropUndo(world);
    await guestWritesTo(world, TARGETS, seed++);
    return contentByTarget(world);
  }

  /** Wholly the one or wholly the other, running, and nothing of ours but what a way back consists of. */
  async function expectWhole(where: string, ...allowed: readonly Readonly<Record<string, string>>[]): Promise<Readonly<Record<string, string>>> {
    expect(await vmState(world), where).toMatchObject({ stateText: 'RUNNING' });
    const now = await contentByTarget(world);
    expect(
      allowed.filter((one) => one['vda'] === now['vda'] && one['vdb'] === now['vdb']),
      `${where}: neither old nor new`,
    ).toHaveLength(1);
    const kept: number[] = (await listUndoSets(world.cloud, world.vm)).flatMap(({ images }) => images.map(({ image }) => image.id));
    const { vms, images } = await world.sim.control.state();
    const used = vms.find(({ id }) => id === world.vm)?.disks.map(({ imageId }) => imageId) ?? [];
    const ours = images.filter(({ name }) => /^(onevault-2|web-vd[ab]-2)/.test(name)).map(({ id }) => id);
    expect(
      ours.filter((id) => !kept.includes(id) && !used.includes(id)),
      `${where}: left behind`,
    ).toEqual([]);
    expect(await world.unfinishedRuns(), where).toEqual([]);
    return now;
  }

  async function killed(
    act: (deps: JobDeps) => Promise<unknown>,
    start: () => Promise<void>,
    goal: () => Readonly<Record<string, string>>,
  ): Promise<Set<string>> {
    let before: Readonly<Record<string, string>> = {};
    const ends = new Set<string>();
    await everyDeath(
      world,
      async () => {
        await start();
        before = await contentByTarget(world);
      },
      act,
      async ({ where, records }) => {
        const now = await expectWhole(where, before, goal());
        const isNew = now['vda'] === goal()['vda'];
        expect(isNew, where).toBe(records.some(({ type }) => type === 'kept'));
        if (isNew) expect((await listUndoSets(world.cloud, world.vm))[0], where).toMatchObject({ complete: true, confirmed: true });
        ends.add(isNew ? 'new' : 'old');
      },
      share,
    );
    return ends;
  }

  it.runIf(long || driver === 'qcow2' || driver === 'ssh')(
    'that is killed at any moment ends old or new, never half, and the VM runs',
    { timeout: 600_000 },
    async () => {
      const ends = await killed(
        (deps) => inPlace(world, pointId, { verify: false }, deps),
        async () => void (await otherContent()),
        () => saved,
      );
      expect([...ends].sort()).toEqual(['new', 'old']);
    },
  );

  it.runIf(long || driver === 'ceph')('with --delta that is killed at any moment ends old or new', { timeout: 600_000 }, async () => {
    const ends = await killed(
      (deps) => inPlace(world, pointId, { delta: true, verify: false }, deps),
      async () => void (await otherContent()),
      () => saved,
    );
    expect([...ends].sort()).toEqual(['new', 'old']);
  });

  it.runIf(long || driver === 'fs_lvm')('undo that is killed at any moment ends old or new', { timeout: 600_000 }, async () => {
    let old: Readonly<Record<string, string>> = {};
    const ends = await killed(
      (deps) => undo(world, {}, deps),
      async () => {
        old = await otherContent();
        await inPlace(world, pointId, { verify: false });
      },
      () => old,
    );
    expect([...ends].sort()).toEqual(['new', 'old']);
  });

  it
    .runIf(long || driver === 'qcow2' || driver === 'fs_lvm')
    .each(long ? (['lost-answer', 'refused'] as const) : ([driver === 'qcow2' ? 'lost-answer' : 'refused'] as const))(
    'with a call that is %s ends old or new',
    { timeout: 600_000 },
    async (fault) => {
      for (let n = long ? 0 : from % 2; ; n += long ? 1 : 2) {
        const before = await otherContent();
        const cloud = faultyCloud(world.cloud, n, fault);
        const error = await inPlace(world, pointId, { verify: false }, world.deps({ cloud: cloud.api })).then(
          () => undefined,
          (thrown: unknown) => thrown ?? 'failed',
        );
        const call = cloud.calls[n];
        if (call === undefined) {
          expect(error).toBeUndefined();
          return;
        }
        await recoverRuns(world.deps());
        const where = `after call ${n}, ${call}, was ${fault}: ${String(error)}`;
        const now = await expectWhole(where, before, saved);
        if (error === undefined) expect(now, where).toEqual(saved);
      }
    },
  );

  it('whose VM does not start with the new disks has the old ones again', { timeout: 60_000 }, async () => {
    const before = await otherContent();
    await world.sim.control.inject({ fault: 'driver', operation: 'action', vm: world.vm, skip: 1 }); // the stop goes well
    await expect(inPlace(world, pointId, { verify: false })).rejects.toMatchObject({ code: 'JOB_VM_NOT_STARTED' });
    await expectWhole('after a start that failed', before);
    expect(await listUndoSets(world.cloud, world.vm)).toEqual([]);
  });

  it('that brings the old disks back, and is itself taken back, can be tried again', { timeout: 60_000 }, async () => {
    const before = await otherContent();
    await inPlace(world, pointId, { verify: false });
    await world.sim.control.inject({ fault: 'driver', operation: 'action', vm: world.vm, skip: 1 }); // the stop goes well
    await expect(undo(world)).rejects.toMatchObject({ code: 'JOB_VM_NOT_STARTED' });
    await expectWhole('after an undo that was taken back', saved);
    await undo(world);
    await expectWhole('after the undo that followed', before);
  });
});
