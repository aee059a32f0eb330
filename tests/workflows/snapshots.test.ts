import { deleteSnapshots, pruneSnapshots, readSnapshots } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentOf, goBack, guestWrites, refusalCodes, snapshotLines, takeByHand, takeSet, vmState } from '../support/snapshot-world.ts';
import { makeWorld, type World } from '../support/world.ts';

const DISKS = [0, 1];
const DRIVERS = [
  { driver: 'qcow2', datastore: 100 },
  { driver: 'shared', datastore: 102 },
  { driver: 'ssh', datastore: 108 },
  { driver: 'ceph', datastore: 104 },
  { driver: 'the default one', datastore: 1 },
] as const;
const CASES = ['6.10.5', '7.0.2', '7.4.0'].flatMap((version) => DRIVERS.map((driver) => ({ version, ...driver })));

/** Where each snapshot stands by itself, none is active once the active one is deleted. */
const withoutActive = (line: string): string => line.replace(' active', '');

describe.each(CASES)('snapshots on $version with images on driver $driver', ({ version, driver, datastore }) => {
  let world: World;
  beforeAll(async () => {
    world = await makeWorld({
      version,
      disks: [
        { sizeMiB: 1, datastore, format: 'qcow2' },
        { sizeMiB: 1, datastore, format: 'qcow2' },
      ],
    });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it('are taken, found, reverted and deleted as a set beside foreign ones', { timeout: 60_000 }, async () => {
    await takeByHand(world, 'by hand', DISKS);
    const before = (await snapshotLines(world)).map(withoutActive);
    const report = await takeSet(world, 'before-upgrade');
    expect(report).toMatchObject({ action: 'create', residue: [], disks: [{ diskId: 0 }, { diskId: 1 }] });
    const [set] = readSnapshots(await world.cloud.vm(world.vm)).sets;
    expect(set).toMatchObject({ setId: report.runId, name: 'before-upgrade', missing: [] });

    await deleteSnapshots(world.deps(), { vmId: world.vm, snapshots: [{ reference: 'before-upgrade', foreign: false }] });
    expect((await snapshotLines(world)).map(withoutActive)).toEqual(before);

    await takeSet(world, 'again');
    const taken = await contentOf(world, DISKS);
    await guestWrites(world, DISKS);
    expect(await contentOf(world, DISKS)).not.toEqual(taken);
    const reverted = await goBack(world, 'again');
    expect(reverted).toMatchObject({ action: 'revert', residue: [], warnings: [] });
    expect(reverted.downMs).toBeGreaterThan(0);
    expect(await contentOf(world, DISKS)).toEqual(taken);
    expect(await vmState(world)).toMatchObject({ stateText: 'RUNNING' });

    const gone = deleteSnapshots(world.deps(), { vmId: world.vm, snapshots: [{ reference: 'again', foreign: false }] });
    if (driver === 'ceph') expect(await refusalCodes(gone)).toEqual(['SNAPSHOT_ACTIVE', 'SNAPSHOT_ACTIVE']);
    else expect((await gone).disks).toHaveLength(2);
    expect((await snapshotLines(world)).filter((line) => line.includes('by hand'))).toHaveLength(2);
    expect(await world.unfinishedRuns()).toEqual([]);
    expect(await world.sim.control.unexpectedErrors()).toEqual([]);
  });
});

describe('snapshots of a VM', () => {
  let world: World;
  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 1 }, { sizeMiB: 1 }] });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it('in POWEROFF are reverted without starting it', async () => {
    await takeSet(world, 'off');
    const taken = await contentOf(world, DISKS);
    await guestWrites(world, DISKS);
    await world.must('one.vm.action', 'poweroff-hard', world.vm);
    await world.sim.control.idle();
    const report = await goBack(world, 'off');
    expect(report.downMs).toBeUndefined();
    expect(await vmState(world)).toMatchObject({ stateText: 'POWEROFF' });
    expect(await contentOf(world, DISKS)).toEqual(taken);
    await world.must('one.vm.action', 'resume', world.vm);
    await world.sim.control.idle();
    await deleteSnapshots(world.deps(), { vmId: world.vm, snapshots: [{ reference: 'off', foreign: false }] });
  });

  it('of one disk leave the other alone', async () => {
    await takeSet(world, 'both');
    const taken = await contentOf(world, DISKS);
    await guestWrites(world, DISKS);
    const written = await contentOf(world, DISKS);
    await goBack(world, 'both', { disks: [1 as never] });
    expect(await contentOf(world, DISKS)).toEqual([written[0], taken[1]]);
    await deleteSnapshots(world.deps(), { vmId: world.vm, snapshots: [{ reference: 'latest', foreign: false }] });
    expect(await snapshotLines(world)).toEqual([]);
  });

  it('are taken first, when that is asked for, so that one can go back: and a revert can then be seen to have happened', async () => {
    await takeSet(world, 'target');
    await guestWrites(world, DISKS);
    const written = await contentOf(world, DISKS);
    const report = await goBack(world, 'target', { snapshotFirst: { maxChain: 3, allowLongFreeze: false, acceptPermanent: false, label: 'safety' } });
    expect(report.disks.map(({ proof }) => proof)).toEqual(['active-moved', 'active-moved']);
    expect(report.safetySet?.name).toBe('safety');
    await goBack(world, report.safetySet?.setId ?? '');
    expect(await contentOf(world, DISKS)).toEqual(written);
    const both = ['safety', 'target'].map((reference) => ({ reference, foreign: false }));
    await deleteSnapshots(world.deps(), { vmId: world.vm, snapshots: both });
    expect(await snapshotLines(world)).toEqual([]);
  });

  it('are pruned by number and age, oldest first, foreign ones never', async () => {
    await takeByHand(world, 'onevault-set-mine', DISKS);
    await takeSet(world, 'nightly-1');
    await takeSet(world, 'nightly-2', { maxChain: 9 });
    await takeSet(world, 'upgrade', { maxChain: 9 });
    const before = await snapshotLines(world);
    const request = { vmId: world.vm, policy: { keep: 1, namePrefix: 'nightly' } };
    const planned = await pruneSnapshots(world.deps(), { ...request, dryRun: true });
    expect(planned.sets.map(({ set, outcome }) => [set.name, outcome])).toEqual([
      ['nightly-2', 'kept'],
      ['nightly-1', 'would-delete'],
    ]);
    expect(await snapshotLines(world)).toEqual(before);
    const done = await pruneSnapshots(world.deps(), { ...request, dryRun: false });
    expect(done.sets.map(({ outcome }) => outcome)).toEqual(['kept', 'deleted']);
    const left = (await snapshotLines(world)).filter((line) => line.startsWith('0/')).map((line) => line.split(/[ @]/)[1]);
    expect(left).toEqual(['onevault-set-mine', 'nightly-2', 'upgrade']);
    const rest = await pruneSnapshots(world.deps(), { vmId: world.vm, policy: { maxAgeMs: 1 }, dryRun: false });
    expect(rest.sets.map(({ outcome }) => outcome)).toEqual(['deleted', 'deleted']);
    for (const place of ['0:', '1:']) {
      const id = (await vmState(world))?.snapshots.find(({ diskId }) => `${diskId}:` === place)?.id;
      await deleteSnapshots(world.deps(), { vmId: world.vm, snapshots: [{ reference: `${place}${id}`, foreign: true }] });
    }
    expect(await snapshotLines(world)).toEqual([]);
  });
});

describe('what is refused', () => {
  let world: World;
  beforeAll(async () => {
    world = await makeWorld({
      disks: [
        { sizeMiB: 1, datastore: 102, format: 'qcow2' },
        { sizeMiB: 1, datastore: 102, format: 'qcow2', persistent: true },
        { sizeMiB: 1, datastore: 102, format: 'raw' },
      ],
    });
    await takeSet(world, 'x', { disks: [0 as never] });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const cases: readonly (readonly [string, () => Promise<unknown>, readonly string[]])[] = [
    ['a snapshot of every disk, some of which can have none that is harmless', () => takeSet(world, 'y'), ['SNAPSHOT_PERMANENT', 'SNAPSHOT_LONG_FREEZE']],
    ['a snapshot above the limit', () => takeSet(world, 'y', { disks: [0 as never], maxChain: 1 }), ['SNAPSHOT_CHAIN_FULL']],
    ['a disk that is not there', () => takeSet(world, 'y', { disks: [9 as never] }), ['SNAPSHOT_DISK_UNKNOWN']],
    ['a name that could be taken for ours', () => takeSet(world, 'onevault-x', { disks: [0 as never] }), ['JOB_NAME_INVALID']],
    ['a set that is not there', () => goBack(world, 'nothing'), ['JOB_SNAPSHOT_UNKNOWN']],
    ['a disk that the set does not have', () => goBack(world, 'x', { disks: [0 as never, 1 as never] }), ['SNAPSHOT_MISSING']],
    ['to stop the VM it runs in', () => goBack(world, 'x', { ownVm: world.vm }), ['SNAPSHOT_VM_IS_PROXY']],
    ['a policy without a limit', () => pruneSnapshots(world.deps(), { vmId: world.vm, policy: {}, dryRun: false }), ['JOB_SNAPSHOT_POLICY_INVALID']],
  ];
  it.each(cases)('%s: before anything is done', async (_, act, codes) => {
    const before = await vmState(world);
    expect(await refusalCodes(act())).toEqual(codes);
    expect(await vmState(world)).toEqual(before);
    expect(await world.unfinishedRuns()).toEqual([]);
  });

  it('a SUSPENDED VM, with the commands that make it possible', async () => {
    await world.must('one.vm.action', 'suspend', world.vm);
    await world.sim.control.idle();
    const before = await vmState(world);
    await expect(goBack(world, 'x')).rejects.toMatchObject({ code: 'JOB_SNAPSHOT_REFUSED', hint: expect.stringContaining('onevm resume') });
    expect(await refusalCodes(takeSet(world, 'y', { disks: [0 as never] }))).toEqual(['SNAPSHOT_VM_SUSPENDED']);
    expect(await vmState(world)).toEqual(before);
    await world.must('one.vm.action', 'resume', world.vm);
    await world.sim.control.idle();
  });

  it('a disk that was resized since', async () => {
    await world.must('one.vm.diskresize', world.vm, 0, '2');
    await world.sim.control.idle();
    expect(await refusalCodes(goBack(world, 'x'))).toEqual(['SNAPSHOT_DISK_RESIZED']);
    expect(await vmState(world)).toMatchObject({ stateText: 'RUNNING' });
  });
});
