import { backupVm, restoreVm } from '@onevault/orchestrator';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { diskId, makeWorld, type World } from '../support/world.ts';

describe('a VM backed up, changed, backed up again and restored', () => {
  let world: World;
  beforeEach(async () => {
    world = await makeWorld();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const imageDisks = [0, 1];
  const disksOf = (vm: number): Promise<Buffer[]> => Promise.all(imageDisks.map((disk) => world.diskBytes(vm, disk)));

  async function expectRestored(pointId: string, name: string, disks: readonly Buffer[]): Promise<void> {
    const report = await restoreVm(world.deps(), world.restoreRequest(pointId, { name }));
    const now = await disksOf(report.vmId);
    for (const [i, disk] of disks.entries()) expect(now[i]?.equals(disk), `disk ${i} of ${name}`).toBe(true);
    expect(report.residue).toEqual([]);
    const vm = (await world.sim.control.state()).vms.find((entry) => entry.id === report.vmId);
    expect(vm?.stateText).toBe('RUNNING');
    expect(vm?.disks).toHaveLength(3);
  }

  it('restores both states byte by byte, and leaves nothing but the restored VMs', async () => {
    const first = await disksOf(world.vm);
    const full = await backupVm(world.deps(), world.backupRequest());
    expect(full).toMatchObject({ mode: 'full', residue: [], warnings: [] });
    expect(full.skipped.map((disk) => disk.reasons.map((reason) => reason.code))).toEqual([['SKIP_VOLATILE']]);
    expect(await world.leftovers()).toEqual([]);

    await world.sim.control.writeRandom(world.vm, 0, { seed: 7, count: 5, blockBytes: 4096 });
    await world.sim.control.writeRandom(world.vm, 1, { seed: 8, count: 2, blockBytes: 65_536 });
    const second = await disksOf(world.vm);
    const incremental = await backupVm(world.deps(), world.backupRequest());
    expect(incremental).toMatchObject({ mode: 'incremental', parentId: full.pointId, residue: [] });

    expect((await world.verify()).damaged).toBe(0);
    await expectRestored(incremental.pointId, 'web-second', second);
    await expectRestored(full.pointId, 'web-first', first);
    expect(await world.leftovers()).toEqual([]);
    expect(await world.sim.control.unexpectedErrors()).toEqual([]);
  });

  it('reads each disk once and stores just what changed', async () => {
    await backupVm(world.deps(), world.backupRequest());
    const before = await world.diskBytes(world.vm, 0);
    await world.sim.control.writeRandom(world.vm, 0, { seed: 9, count: 3, blockBytes: 4096 });
    const after = await world.diskBytes(world.vm, 0);
    const size = world.repository.config.blockSizeBytes;
    let changed = 0;
    for (let at = 0; at < after.length; at += size) if (!after.subarray(at, at + size).equals(before.subarray(at, at + size))) changed++;
    expect(changed).toBeGreaterThan(0);

    const { disks, stats } = await backupVm(world.deps(), world.backupRequest());
    expect(disks[0]?.stats).toMatchObject({ changedBlocks: changed, newChunks: changed, newBytes: changed * size });
    expect(disks[1]?.stats).toMatchObject({ changedBlocks: 0, newChunks: 0, storedBytes: 0 });
    expect(stats.newChunks).toBe(changed);
    expect(disks.every((disk) => disk.readBytes <= disk.sizeBytes)).toBe(true);
  });

  it('restores the second point after the first one is forgotten: there are no chains', async () => {
    const full = await backupVm(world.deps(), world.backupRequest());
    await world.sim.control.writeRandom(world.vm, 0, { seed: 10, count: 3, blockBytes: 4096 });
    const second = await disksOf(world.vm);
    const incremental = await backupVm(world.deps(), world.backupRequest());
    await world.repository.forgetPoint(full.pointId);
    await expectRestored(incremental.pointId, 'web-second', second);
  });

  it('a full trusts nothing and stores nothing twice', async () => {
    await backupVm(world.deps(), world.backupRequest());
    const again = await backupVm(world.deps(), world.backupRequest({ mode: 'full' }));
    expect(again.disks.map((disk) => disk.modeReason)).toEqual(['FULL_REQUESTED', 'FULL_REQUESTED']);
    expect(again.stats).toMatchObject({ unchangedBlocks: 0, newChunks: 0 });
    expect(again.stats.dedupBlocks).toBeGreaterThan(0);
  });

  it('captures the moment of the snapshot, whatever the guest writes afterwards', async () => {
    const captured = await disksOf(world.vm);
    await world.sim.control.hold(['saveas']);
    const running = backupVm(world.deps(), world.backupRequest());
    await waitForStep(world, 'saveas');
    await world.sim.control.writeRandom(world.vm, 0, { seed: 11, count: 20, blockBytes: 4096 });
    await world.sim.control.writeRandom(world.vm, 1, { seed: 12, count: 20, blockBytes: 4096 });
    await world.sim.control.release();
    const { pointId } = await running;
    await expectRestored(pointId, 'web-moment', captured);
  });

  it('saves a powered-off VM as it lies', async () => {
    await world.cloud.vmAction(world.vm, 'poweroff-hard');
    await world.sim.control.idle();
    const disks = await disksOf(world.vm);
    const report = await backupVm(world.deps(), world.backupRequest());
    expect(report.disks.map((disk) => disk.method)).toEqual(['offline', 'offline']);
    await expectRestored(report.pointId, 'web-off', disks);
  });

  it('an excluded disk comes back empty, of the same size', async () => {
    const report = await backupVm(world.deps(), world.backupRequest({ excludeDisks: [diskId(1)] }));
    const restored = await restoreVm(world.deps(), world.restoreRequest(report.pointId));
    expect(restored.notes.map((note) => note.code)).toContain('DISK_EMPTY');
    const disk = await world.diskBytes(restored.vmId, 1);
    expect(disk.length).toBe(6 * 1024 * 1024);
    expect(disk.every((byte) => byte === 0)).toBe(true);
  });
});

async function waitForStep(world: World, step: string): Promise<void> {
  while (!(await world.sim.control.state()).waiting.includes(step)) await new Promise(setImmediate);
}
