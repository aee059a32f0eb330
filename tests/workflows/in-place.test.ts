import { listUndoSets, pruneUndo } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentByTarget, guestWritesTo, inPlace, pointOf, undo } from '../support/in-place-world.ts';
import { vmState } from '../support/snapshot-world.ts';
import { makeWorld, type World } from '../support/world.ts';

const MIB = 2 ** 20;
const DRIVERS = [
  { driver: 'qcow2', datastore: 100 },
  { driver: 'ssh', datastore: 108 },
  // Their exchange alone: in-place-crash.test.ts.
  ...(process.env['ONEVAULT_LONG'] === '1'
    ? [
        { driver: 'ceph', datastore: 104 },
        { driver: 'fs_lvm', datastore: 106 },
      ]
    : []),
] as const;

describe.each(DRIVERS)('in place, with images on $driver,', ({ driver, datastore }) => {
  let world: World;
  let pointId: string;
  let saved: Readonly<Record<string, string>>;
  beforeAll(async () => {
    world = await makeWorld({
      disks: [
        { sizeMiB: 2, datastore, persistent: true },
        { sizeMiB: 1, datastore, devPrefix: 'sd' },
        { sizeMiB: 1, datastore, devPrefix: 'hd' },
      ],
      volatileMiB: [1],
    });
    if (driver === 'fs_lvm') await world.must('one.vm.action', 'poweroff-hard', world.vm);
    await world.sim.control.idle();
    pointId = await pointOf(world);
    if (driver === 'fs_lvm') await world.must('one.vm.action', 'resume', world.vm);
    saved = await contentByTarget(world);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it.each([{ delta: false }, { delta: true }])(
    'brings every disk to the restore point, and undo brings it back byte for byte (delta: $delta)',
    async ({ delta }) => {
      const disksBefore = (await world.cloud.vm(world.vm)).disks;
      const volatile = disksBefore.find(({ imageId }) => imageId === undefined)?.target ?? '';
      await guestWritesTo(world, [...Object.keys(saved)], 5);
      const before = await contentByTarget(world);
      expect(before).not.toEqual(saved);

      const report = await inPlace(world, pointId, { delta });
      expect(report).toMatchObject({ action: 'in-place', residue: [], pointId });
      expect(report.downMs).toBeGreaterThan(0);
      expect(await contentByTarget(world)).toEqual({ ...saved, [volatile]: before[volatile] });
      expect(await vmState(world)).toMatchObject({ stateText: 'RUNNING' });
      const after = (await world.cloud.vm(world.vm)).disks;
      for (const old of disksBefore) {
        const now = after.find(({ target }) => target === old.target);
        expect(now, old.target).toMatchObject({ persistent: old.persistent, sizeMiB: old.sizeMiB, format: old.format, devPrefix: old.devPrefix });
      }
      if (delta) for (const disk of report.disks) expect([disk.method, disk.scannedBytes]).toEqual(['delta', disk.sizeMiB * MIB]);

      const [set] = await listUndoSets(world.cloud, world.vm);
      expect(set).toMatchObject({ set: report.runId, complete: true, pointId });
      expect(await undo(world)).toMatchObject({ action: 'undo', residue: [] });
      expect(await contentByTarget(world)).toEqual(before);
      expect(await vmState(world)).toMatchObject({ stateText: 'RUNNING' });

      // What it replaced is the way forward again.
      await undo(world);
      expect(await contentByTarget(world)).toEqual({ ...saved, [volatile]: before[volatile] });
      expect(await world.unfinishedRuns()).toEqual([]);
      expect((await world.sim.control.history(world.vm)).harm).toEqual([]);
      expect(await world.sim.control.unexpectedErrors()).toEqual([]);
    },
  );

  it('keeps the order of booting, and a VM that stood stands', async () => {
    const idOf = async (target: string): Promise<number> => Number((await world.cloud.vm(world.vm)).disks.find((disk) => disk.target === target)?.diskId);
    await world.must('one.vm.action', 'poweroff-hard', world.vm);
    await world.sim.control.idle();
    await world.cloud.updateVmConfiguration(world.vm, { OS: { BOOT: `disk${await idOf('sda')},disk${await idOf('vda')}` } });
    const report = await inPlace(world, pointId);
    expect(report.downMs).toBeUndefined();
    const vm = await world.cloud.vm(world.vm);
    expect(vm.template['OS']).toMatchObject({ BOOT: `disk${await idOf('sda')},disk${await idOf('vda')}` });
    expect(vm.disks.find(({ target }) => target === 'vda')?.attributes['ORDER']).toBe('2');
    expect(await vmState(world)).toMatchObject({ stateText: 'POWEROFF' });
    expect((await pruneUndo(world.deps(), { vmId: world.vm, dryRun: false })).map(({ verdict }) => verdict)).not.toContain('expired');
  });
});
