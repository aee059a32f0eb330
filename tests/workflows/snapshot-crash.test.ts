import { deleteSnapshots, fileJournals, type JobDeps, type RecoverReport, readSnapshots, recoverRuns } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Processes } from '../support/crash-matrix.ts';
import { Mortal } from '../support/mortal.ts';
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

interface Death {
  /** `killed after append intent`, for messages. */
  readonly where: string;
  readonly report: RecoverReport;
  /** Records of the journal when it died. */
  readonly records: readonly { readonly type: string }[];
}

/** Runs `act` to its end once, then kills it at every moment that is different for the cloud or the journal, each time recovering with fresh dependencies. */
async function everyDeath(
  world: World,
  prepare: () => Promise<unknown>,
  act: (deps: JobDeps) => Promise<unknown>,
  check: (death: Death) => Promise<void>,
): Promise<number> {
  const processes = new Processes();
  const live = async (mortal: Mortal): Promise<unknown> => {
    const identity = processes.start();
    const journals = mortal.journals(fileJournals({ directory: world.journalPath, identity }));
    const end = await act(world.deps({ cloud: mortal.cloud(world.cloud), journals })).then(
      () => undefined,
      (error: unknown) => error,
    );
    processes.end(identity);
    await world.sim.control.idle();
    return end;
  };
  const recover = async (): Promise<RecoverReport> => {
    const identity = processes.start();
    const report = await recoverRuns(world.deps({ journals: fileJournals({ directory: world.journalPath, identity }) }));
    processes.end(identity);
    await world.sim.control.idle();
    return report;
  };
  await prepare();
  const counted = new Mortal();
  expect(await live(counted), 'the run that nobody kills').toBeUndefined();
  const progress = counted.moments.map((moment) => moment.progress);
  const chosen = [...new Set(progress)].map((figures) => progress.indexOf(figures));
  for (const at of chosen) {
    await prepare();
    const mortal = new Mortal(at);
    const end = await live(mortal);
    if (mortal.died === undefined) expect.fail(`moment ${at} never came; the run ended with ${String(end)}`);
    const where = `killed ${mortal.died.name} (moment ${at}; ${mortal.died.progress})`;
    const report = await recover();
    expect(
      report.runs.filter(({ outcome }) => outcome !== 'recovered'),
      where,
    ).toEqual([]);
    expect(await world.unfinishedRuns(), where).toEqual([]);
    await check({ where, report, records: mortal.records });
  }
  return chosen.length;
}

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
