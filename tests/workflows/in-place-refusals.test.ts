import { imageId } from '@onevault/one-client';
import { findOrphans, listUndoSets, planInPlace, pruneUndo } from '@onevault/orchestrator';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { failureOf } from '../support/aftermath.ts';
import { contentByTarget, guestWritesTo, inPlace, inPlaceRequest, pointOf, undo } from '../support/in-place-world.ts';
import { refusalCodes, takeByHand, vmState } from '../support/snapshot-world.ts';
import { makeWorld, type World } from '../support/world.ts';

describe('an exchange of disks', () => {
  let world: World;
  let pointId: string;
  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 1, persistent: true }, { sizeMiB: 1 }], volatileMiB: [1] });
    pointId = await pointOf(world);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  afterEach(async () => {
    await world.sim.control.clearFaults();
    await world.sim.control.idle();
  });

  const DAY_MS = 86_400_000;

  /** Nothing was begun: no image, no stop. */
  async function expectRefused(run: Promise<unknown>, ...codes: readonly string[]): Promise<void> {
    const census = await world.census();
    const { states } = await world.sim.control.history(world.vm);
    expect(await refusalCodes(run)).toEqual(codes);
    expect(await world.census()).toEqual(census);
    expect((await world.sim.control.history(world.vm)).states).toEqual(states);
    expect(await world.unfinishedRuns()).toEqual([]);
  }

  it('is refused for a VM that is locked, suspended or the proxy, and for disks that are not there', async () => {
    await world.must('one.vm.lock', world.vm, 4, false);
    await expectRefused(inPlace(world, pointId), 'RESTORE_VM_LOCKED');
    await world.must('one.vm.unlock', world.vm);
    await expectRefused(inPlace(world, pointId, { disks: [0, 7] }), 'RESTORE_DISK_UNKNOWN');
    const proxy = await refusalCodes(inPlace(world, pointId, { vmId: world.proxyVm }));
    expect(proxy).toEqual(expect.arrayContaining(['RESTORE_VM_IS_PROXY', 'RESTORE_OTHER_VM']));
    await world.must('one.vm.action', 'suspend', world.vm);
    await world.sim.control.idle();
    await expectRefused(inPlace(world, pointId), 'RESTORE_VM_STATE');
    await world.must('one.vm.action', 'resume', world.vm);
    await world.sim.control.idle();
  });

  it('of disks with snapshots is refused, names what would become of each, and keeps to it when it is allowed', async () => {
    await takeByHand(world, 'precious', [0, 1]);
    await expectRefused(inPlace(world, pointId), 'RESTORE_SNAPSHOTS_LOST', 'RESTORE_SNAPSHOTS_LOST');
    const plan = await planInPlace(world.deps(), inPlaceRequest(world, pointId, { allowSnapshotLoss: true }));
    expect(plan.refusals).toEqual([]);
    expect(plan.disks.map(({ snapshots }) => snapshots.map(({ name, fate }) => `${name} ${fate}`))).toEqual([['precious with-undo'], ['precious lost']]);
    expect(plan.notes.map(({ code }) => code)).toEqual(expect.arrayContaining(['SNAPSHOTS_PARKED', 'SNAPSHOTS_LOST', 'DISK_STAYS']));
    const report = await inPlace(world, pointId, { allowSnapshotLoss: true });
    expect(report.disks.flatMap(({ snapshots }) => snapshots.map(({ fate }) => fate))).toEqual(['with-undo', 'lost']);
    expect((await vmState(world))?.snapshots).toEqual([]);
    await undo(world);
    const vm = await vmState(world);
    expect(vm?.snapshots.map(({ name, diskId }) => `${name} ${vm.disks.find((disk) => disk.diskId === diskId)?.target}`)).toEqual(['precious vda']);
    await pruneUndo(world.deps(), { discard: (await listUndoSets(world.cloud, world.vm))[0]?.set ?? '', dryRun: false });
    await world.must('one.vm.action', 'poweroff-hard', world.vm);
    await world.sim.control.idle();
  });

  it('undo is refused once somebody exchanged the disk or took an image of the way back away', async () => {
    // Without the snapshots that the first disk has: the second alone.
    const first = await inPlace(world, pointId, { disks: [1] });
    const second = await inPlace(world, pointId, { disks: [1] });
    const sets = await listUndoSets(world.cloud, world.vm);
    expect(sets.map(({ set }) => set)).toEqual([second.runId, first.runId]);
    await expectRefused(undo(world, { set: first.runId }), 'UNDO_UNCONFIRMED', 'UNDO_DISK_CHANGED');
    expect(await failureOf(undo(world, { set: 'nonsense' }))).toMatchObject({ code: 'JOB_UNDO_UNKNOWN' });
    for (const { set } of sets) await pruneUndo(world.deps(), { discard: set, dryRun: false });
    expect(await failureOf(undo(world))).toMatchObject({ code: 'JOB_UNDO_UNKNOWN' });
  });

  it('takes no image for a way back of a VM because its owner has written so', async () => {
    const { runId } = await inPlace(world, pointId, { disks: [1] });
    const [set] = await listUndoSets(world.cloud, world.vm);
    const own = set?.images[0]?.image;
    if (own === undefined) throw new Error('no way back');
    const marks = Object.fromEntries(Object.entries(own.template).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
    // The marks of the real one on images that have nothing to do with the VM: in a younger set, and in the very same.
    const forge = async (name: string, others: Readonly<Record<string, string>>): Promise<number> => {
      const id = Number(await world.must('one.image.allocate', `NAME=${name}\nSIZE=1\nTYPE=DATABLOCK\n`, 1, false));
      await world.sim.control.idle();
      await world.cloud.updateImage(imageId(id), { ...marks, ONEVAULT_NAME: name, ...others });
      return id;
    };
    const younger = '20990101t000000-aaaaaa';
    const forged = [await forge('evil', { ONEVAULT_RUN: younger, ONEVAULT_UNDO_SINCE: '2099-01-01T00:00:00Z' }), await forge('joined', {})];
    const sets = await listUndoSets(world.cloud, world.vm);
    expect(sets.map(({ set: id, confirmed, images }) => [id, confirmed, images.map(({ image }) => image.id)])).toEqual([
      [runId, true, [own.id]],
      [younger, false, forged.slice(0, 1)],
      [runId, false, forged.slice(1)],
    ]);
    await expectRefused(undo(world, { set: younger }), 'UNDO_UNCONFIRMED');
    await undo(world);
    const images = (await vmState(world))?.disks.map(({ imageId: id }) => id);
    expect(images).toContain(own.id);
    for (const id of forged) await world.must('one.image.delete', id);
    for (const one of await listUndoSets(world.cloud, world.vm)) await pruneUndo(world.deps(), { discard: one.set, dryRun: false });
  });

  it('leaves a way back that is listed as what it is, and removed by undo prune alone, when its time has come', async () => {
    const { runId } = await inPlace(world, pointId, { disks: [1], keepUndoMs: 2 * DAY_MS });
    const { orphans, spared } = await findOrphans(world.deps());
    expect(orphans).toEqual([]);
    expect(spared.map(({ why, runId: of }) => `${of} ${why.code}`)).toEqual([`${runId} UNDO`]);
    const inDays = (days: number) => {
      const deps = world.deps();
      return { ...deps, clock: { ...deps.clock, now: () => new Date(Date.now() + days * DAY_MS) } };
    };
    expect((await pruneUndo(inDays(1), { dryRun: false })).map(({ verdict }) => verdict)).toEqual(['kept']);
    const [planned] = await pruneUndo(inDays(3), { dryRun: true });
    expect(planned?.images.map(({ outcome }) => outcome)).toEqual(['planned']);
    // Renamed, it is somebody's.
    const image = planned?.images[0]?.imageId ?? -1;
    await world.must('one.image.rename', image, 'mine now');
    expect(await pruneUndo(inDays(3), { dryRun: false })).toEqual([]);
    await world.must('one.image.rename', image, planned?.images[0]?.name ?? '');
    const [gone] = await pruneUndo(inDays(3), { dryRun: false });
    expect(gone?.images.map(({ outcome }) => outcome)).toEqual(['removed']);
    expect(await listUndoSets(world.cloud)).toEqual([]);
  });

  it('of a chosen disk leaves the others as they are, and takes no other VM’s point unless told to', async () => {
    await guestWritesTo(world, ['vda', 'vdb'], 77);
    const before = await contentByTarget(world);
    await inPlace(world, pointId, { disks: [1] });
    const after = await contentByTarget(world);
    expect(after['vda']).toBe(before['vda']);
    expect(after['vdb']).not.toBe(before['vdb']);
  });
});
