import { isBaseError } from '@onevault/base';
import { diskId, type VmAction } from '@onevault/one-client';
import { backupVm, type JobEvent } from '@onevault/orchestrator';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectRestores, failureOf } from '../support/aftermath.ts';
import { interposed } from '../support/interposed.ts';
import { makeWorld, type World } from '../support/world.ts';

describe('a VM in whatever state', () => {
  let world: World;
  beforeEach(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 3 }, { sizeMiB: 2, persistent: true }], volatileMiB: [] });
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const stateOf = async (): Promise<string> => {
    const vm = await world.cloud.vm(world.vm);
    return `${vm.state}/${vm.lcmState}`;
  };
  const act = async (action: VmAction): Promise<void> => {
    await world.cloud.vmAction(world.vm, action);
    await world.sim.control.idle();
  };

  it.each<[VmAction, string]>([
    ['suspend', '5/0'],
    ['stop', '4/0'],
    ['undeploy', '9/0'],
    ['poweroff-hard', '8/0'],
  ])('after %s is backed up as it lies, restores, and is as it was', async (action, state) => {
    await act(action);
    expect(await stateOf()).toBe(state);
    const disks = await Promise.all([0, 1].map(async (disk) => ({ diskId: disk, bytes: await world.diskBytes(world.vm, disk) })));
    const report = await backupVm(world.deps(), world.backupRequest());
    expect(report.disks.map((disk) => disk.method)).toEqual(['offline', 'offline']);
    expect(await stateOf()).toBe(state);
    expect(await world.leftovers()).toEqual([]);
    await expectRestores(world, { pointId: report.pointId, disks });
    expect(await stateOf()).toBe(state);
  });

  it('that somebody is at work on is waited for, and then backed up', async () => {
    await world.sim.control.hold(['saveas']);
    const foreign = await world.cloud.saveDiskAs(world.vm, diskId(0), 'somebody', undefined);
    const running = backupVm(world.deps(), world.backupRequest());
    while (!world.events.some((event) => event.type === 'vm.waiting')) await new Promise(setImmediate);
    expect(world.events.some((event) => event.type === 'run.started')).toBe(false);
    await world.sim.control.release();
    const report = await running;
    const [waiting, started] = [find('vm.waiting'), find('run.started')];
    expect(waiting).toMatchObject({ state: 'HOTPLUG_SAVEAS', runId: started?.runId });
    expect(report.residue).toEqual([]);
    expect((await world.cloud.image(foreign)).name).toBe('somebody');
  });

  it('that somebody never lets go of ends in an error with the state, since when, and what ends it', async () => {
    await world.sim.control.hold(['saveas']);
    await world.cloud.saveDiskAs(world.vm, diskId(0), 'somebody', undefined);
    const patience = { actionMs: 60_000, copyMs: 60_000, copyMsPerGiB: 1000, startMs: 60_000, busyMs: 5_000 };
    const error = await failureOf(backupVm(world.deps({ patience }), world.backupRequest()));
    expect(isBaseError(error) && error.code).toBe('JOB_VM_BUSY');
    expect(isBaseError(error) && error.details).toMatchObject({ state: 'HOTPLUG_SAVEAS' });
    expect(isBaseError(error) && error.hint).toContain(`onevm recover --failure ${world.vm}`);
    expect(await world.unfinishedRuns()).toEqual([]);
    await world.sim.control.release();
  });

  it('that was off, started and off again between two disks ends the backup: they would be of different moments', async () => {
    await act('poweroff-hard');
    const cloud = interposed(world.cloud, 'saveDiskAs', 2, async () => {
      await act('resume');
      await act('poweroff-hard');
    });
    // The look before the call is at the VM as it was before: what happened is seen when the copy is there.
    const error = await failureOf(backupVm(world.deps({ cloud }), world.backupRequest({ parallelDisks: 1 })));
    expect(isBaseError(error) && error.code).toBe('JOB_DISK_CHANGED');
    expect(await world.leftovers()).toEqual([]);
  });

  it('is never acted on', async () => {
    const actions: unknown[] = [];
    const cloud = new Proxy(world.cloud, {
      get: (target, property) => {
        const value = Reflect.get(target, property);
        return property === 'vmAction' ? (...args: unknown[]) => actions.push(args) : value;
      },
    });
    for (const action of ['suspend', 'resume', 'poweroff-hard'] as const) {
      await act(action);
      await backupVm(world.deps({ cloud }), world.backupRequest());
    }
    expect(actions).toEqual([]);
  });

  function find<T extends JobEvent['type']>(type: T): Extract<JobEvent, { readonly type: T }> | undefined {
    return world.events.find((event): event is Extract<JobEvent, { readonly type: T }> => event.type === type);
  }
});

describe('a snapshot that OpenNebula accepts and its driver refuses', () => {
  let world: World;
  beforeEach(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 3 }, { sizeMiB: 2 }], volatileMiB: [] });
  });
  afterEach(() => world[Symbol.asyncDispose]());

  it('is followed by a live copy of that disk alone, and by live copies from then on', async () => {
    await world.sim.control.inject({ fault: 'driver', operation: 'snapshot-create', text: 'Cannot perform a live DISKSNAPSHOTCREATE operation' });
    const bytes = await Promise.all([0, 1].map(async (disk) => ({ diskId: disk, bytes: await world.diskBytes(world.vm, disk) })));
    const report = await backupVm(world.deps(), world.backupRequest());
    expect(report.disks.map((disk) => disk.method)).toEqual(['live-copy', 'snapshot']);
    expect(report.disks[0]?.reasons[0]?.code).toBe('CAPTURE_FELL_BACK');
    expect(report.warnings.map((warning) => warning.code)).toEqual(['CAPTURE_FELL_BACK']);
    expect(report.residue).toEqual([]);
    expect(await world.leftovers()).toEqual([]);
    await expectRestores(world, { pointId: report.pointId, disks: bytes });

    const again = await backupVm(world.deps(), world.backupRequest());
    expect(again.disks[0]).toMatchObject({ method: 'live-copy' });
    expect(again.disks[0]?.reasons.map((reason) => reason.code)).toContain('SNAPSHOT_NUMBERING_DRIFT');
    expect(again.warnings).toEqual([]);
  });

  it('is an error for whoever demanded it', async () => {
    await world.sim.control.inject({ fault: 'driver', operation: 'snapshot-create', text: 'no room' });
    const error = await failureOf(backupVm(world.deps(), world.backupRequest({ capture: 'snapshot' })));
    expect(isBaseError(error) && error.code).toBe('JOB_EFFECT_MISSING');
    expect(await world.leftovers()).toEqual([]);
  });
});
