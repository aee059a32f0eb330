import { datastoreId } from '@onevault/one-client';
import { backupVm, restoreVm } from '@onevault/orchestrator';
import type { IdentifiedBy, WantedIdentification } from '@onevault/proxy-attach';
import { describe, expect, it } from 'vitest';
import { expectNoTrace, failureOf } from '../support/aftermath.ts';
import { makeWorld, type World, type WorldOptions } from '../support/world.ts';

/** 6.10.5 as it is installed: its default datastore has TM_MAD ssh, and SERIAL reaches no hot-attached disk. */
const STOCK: WorldOptions = {
  version: '6.10.5',
  disks: [
    { sizeMiB: 6, datastore: datastoreId(1) },
    { sizeMiB: 3, datastore: datastoreId(1), persistent: true, devPrefix: 'sd' },
  ],
};

async function disksOf(world: World, vm: number): Promise<Buffer[]> {
  return await Promise.all([0, 1].map((disk) => world.diskBytes(vm, disk)));
}

/** How the disks of a restore point were found in the proxy. */
async function identifiedBy(world: World, pointId: string): Promise<unknown[]> {
  const point = await world.repository.point(pointId);
  return point.disks.map(({ annotations }) => annotations['identifiedBy']);
}

describe('OpenNebula 6.10.5', () => {
  it.each<{ readonly how: IdentifiedBy; readonly identification: WantedIdentification | undefined }>([
    { how: 'scsi', identification: undefined },
    { how: 'difference', identification: { bus: 'vd', byDifference: true } },
  ])('is backed up, in full and incrementally, and restored byte by byte: devices by $how', async ({ how, identification }) => {
    await using world = await makeWorld({ ...STOCK, ...(identification && { identification }) });
    const first = await disksOf(world, world.vm);
    const full = await backupVm(world.deps(), world.backupRequest());
    await world.sim.control.writeRandom(world.vm, 0, { seed: 5, count: 3, blockBytes: 4096 });
    const second = await disksOf(world, world.vm);
    const incremental = await backupVm(world.deps(), world.backupRequest());
    expect(incremental.disks.map((disk) => disk.mode)).toEqual(['incremental', 'incremental']);
    for (const [{ pointId }, name, disks] of [
      [full, 'first', first],
      [incremental, 'second', second],
    ] as const) {
      expect(await identifiedBy(world, pointId)).toEqual([how, how]);
      const restored = await restoreVm(world.deps(), world.restoreRequest(pointId, { name }));
      expect(restored.residue).toEqual([]);
      expect((await disksOf(world, restored.vmId)).map((bytes, disk) => bytes.equals(disks[disk] ?? Buffer.alloc(0)))).toEqual([true, true]);
    }
    expect(await world.leftovers()).toEqual([]);
    expect(await world.sim.control.unexpectedErrors()).toEqual([]);
  });

  it('is refused on a bus where the device could only be guessed, and nothing is left behind', async () => {
    await using world = await makeWorld({ ...STOCK, identification: { bus: 'vd' } });
    const census = await world.census();
    expect(await failureOf(backupVm(world.deps(), world.backupRequest()))).toMatchObject({ code: 'ATTACH_UNIDENTIFIABLE', hint: expect.any(String) });
    await expectNoTrace(world, census);
  });
});

describe('OpenNebula 7.4.0 with disks on virtio-scsi', () => {
  it('is backed up and restored with devices of which serial and address agree', async () => {
    await using world = await makeWorld({ version: '7.4.0', disks: [{ sizeMiB: 3 }, { sizeMiB: 2 }], identification: { bus: 'sd' } });
    const bytes = await disksOf(world, world.vm);
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    expect(await identifiedBy(world, pointId)).toEqual(['serial+scsi', 'serial+scsi']);
    const { vmId } = await restoreVm(world.deps(), world.restoreRequest(pointId));
    expect((await disksOf(world, vmId)).map((disk, index) => disk.equals(bytes[index] ?? Buffer.alloc(0)))).toEqual([true, true]);
    expect(await world.leftovers()).toEqual([]);
  });
});
