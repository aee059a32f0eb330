import { deleteSnapshots, type JobDeps, readSnapshots } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { everyDeath } from '../support/every-death.ts';
import { contentOf, goBack, guestWrites, snapshotLines, takeByHand, takeSet, vmState } from '../support/snapshot-world.ts';
import { makeWorld, type World } from '../support/world.ts';

const DISKS = [0, 1];
const DRIVERS = [
  { driver: 'qcow2', datastore: 100 },
  { driver: 'shared', datastore: 102 },
  { driver: 'local', datastore: 1 },
  { driver: 'ssh', datastore: 108 },
  { driver: 'ceph', datastore: 104 },
] as const;

describe.each(DRIVERS)('killed at any moment, with images on $driver,', ({ driver, datastore }) => {
  let world: World;
  let taken: string[];
  beforeAll(async () => {
    world = await makeWorld({
      disks: [
        { sizeMiB: 1, datastore, format: 'qcow2' },
        { sizeMiB: 1, datastore, format: 'qcow2' },
      ],
      volatileMiB: [],
    });
    await takeByHand(world, 'by hand', DISKS);
    await takeSet(world, 'target');
    taken = await contentOf(world, DISKS);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const withoutActive = async (): Promise<string[]> => (await snapshotLines(world)).map((line) => line.replace(' active', ''));

  it('a revert is not begun or finished, never half; the VM runs again, and the next revert works', { timeout: 120_000 }, async () => {
    const snapshots = await withoutActive();
    let written: string[] = [];
    const ends = new Set<string>();
    const deaths = await everyDeath(
      world,
      async () => {
        await guestWrites(world, DISKS);
        written = await contentOf(world, DISKS);
      },
      (deps) => goBack(world, 'target', {}, deps),
      async ({ where }) => {
        expect(await vmState(world), where).toMatchObject({ stateText: 'RUNNING' });
        expect(await withoutActive(), where).toEqual(snapshots);
        const now = await contentOf(world, DISKS);
        const isBack = now.map((bytes, at) => bytes === taken[at]);
        if (isBack.includes(false)) expect(now, where).toEqual(written);
        ends.add(isBack.join());
        await goBack(world, 'target');
        expect(await contentOf(world, DISKS), where).toEqual(taken);
      },
    );
    expect(deaths).toBeGreaterThan(10);
    expect([...ends].sort()).toEqual(['false,false', 'true,true']);
  });

  // Twice as many moments as the others: on a driver with chains and on one without.
  it.runIf(['qcow2', 'ceph'].includes(driver))('a revert with a set taken first leaves that set whole, or nothing of it', { timeout: 120_000 }, async () => {
    const snapshots = await withoutActive();
    const safety = { maxChain: 9, allowLongFreeze: false, acceptPermanent: false, label: 'safety' };
    const drop = async (): Promise<void> => {
      const { sets } = readSnapshots(await world.cloud.vm(world.vm));
      const made = sets.find(({ name }) => name === 'safety');
      if (made !== undefined) await deleteSnapshots(world.deps(), { vmId: world.vm, snapshots: [{ reference: made.setId, foreign: false }] });
    };
    await everyDeath(
      world,
      async () => {
        await drop();
        await guestWrites(world, DISKS);
      },
      (deps) => goBack(world, 'target', { snapshotFirst: safety }, deps),
      async ({ where }) => {
        expect(await vmState(world), where).toMatchObject({ stateText: 'RUNNING' });
        const made = readSnapshots(await world.cloud.vm(world.vm)).sets.find(({ name }) => name === 'safety');
        if (made !== undefined) expect(made.missing, where).toEqual([]);
        // On from the safety set the disks are where they were told to go, or as they were.
        await goBack(world, 'target', { allowBranch: true });
        await drop();
        expect(await withoutActive(), where).toEqual(snapshots);
      },
    );
    await drop();
  });

  it('a create has taken the whole set, or nothing', { timeout: 120_000 }, async () => {
    const before = await withoutActive();
    const remove = async (): Promise<unknown> => deleteSnapshots(world.deps(), { vmId: world.vm, snapshots: [{ reference: 'made', foreign: false }] });
    const made = async (): Promise<boolean> =>
      readSnapshots(await world.cloud.vm(world.vm)).sets.some(({ name, missing }) => name === 'made' && missing.length === 0);
    await everyDeath(
      world,
      async () => {
        if (await made()) await remove();
      },
      (deps) => takeSet(world, 'made', { maxChain: 9 }, deps),
      async ({ where, records }) => {
        expect(await vmState(world), where).toMatchObject({ stateText: 'RUNNING' });
        expect(await made(), where).toBe(records.some(({ type }) => type === 'kept'));
        if (await made()) await remove();
        expect(await withoutActive(), where).toEqual(before);
      },
    );
  });

  it('a deletion can be given again, and ends where it should', { timeout: 120_000 }, async () => {
    const before = await withoutActive();
    const remove = (deps: JobDeps): Promise<unknown> => deleteSnapshots(deps, { vmId: world.vm, snapshots: [{ reference: 'made', foreign: false }] });
    await everyDeath(
      world,
      () => takeSet(world, 'made', { maxChain: 9 }),
      remove,
      async ({ where }) => {
        expect(await vmState(world), where).toMatchObject({ stateText: 'RUNNING' });
        if (readSnapshots(await world.cloud.vm(world.vm)).sets.some(({ name }) => name === 'made')) await remove(world.deps());
        expect(await withoutActive(), where).toEqual(before);
      },
    );
  });
});
