import { errorCode } from '@onevault/base';
import { vmId } from '@onevault/one-client';
import { backupVm, DEFAULT_PATIENCE, type JobDeps } from '@onevault/orchestrator';
import { afterEach, describe, expect, it } from 'vitest';
import { countPoints, expectNoTrace, expectRestores, failureOf } from '../support/aftermath.ts';
import { interposed } from '../support/interposed.ts';
import { type Census, makeWorld, type World, type WorldOptions } from '../support/world.ts';

let world: World;
afterEach(() => world[Symbol.asyncDispose]());

const SMALL = { disks: [{ sizeMiB: 1 }, { sizeMiB: 1, persistent: true }] };

/** A world with one restore point already in it. */
async function withOlderPoint(
  options: WorldOptions = SMALL,
): Promise<{ readonly census: Census; readonly expectAsBefore: (census?: Census) => Promise<void> }> {
  world = await makeWorld(options);
  const disks = await Promise.all([0, 1].map(async (diskId) => ({ diskId, bytes: await world.diskBytes(world.vm, diskId) })));
  const { pointId } = await backupVm(world.deps(), world.backupRequest());
  const census = await world.census();
  return { census, expectAsBefore: (now = census) => expectNoTrace(world, now, [{ pointId, disks }]) };
}

describe('a VM that cannot be backed up is refused before anything is done to it', () => {
  async function expectRefused(code: string, options: WorldOptions, prepare: () => Promise<unknown> = async () => undefined, vm?: number): Promise<unknown> {
    world = await makeWorld({ ...SMALL, ...options });
    await prepare();
    const census = await world.census();
    const error = await failureOf(backupVm(world.deps(), world.backupRequest(vm === undefined ? {} : { vmId: vmId(vm) })));
    expect(errorCode(error)).toBe(code);
    expect(await countPoints(world)).toBe(0);
    expect(world.events).toEqual([]);
    await expectNoTrace(world, census);
    return error;
  }

  it('one that does not exist', () => expectRefused('ONE_NO_EXISTS', {}, undefined, 4711));

  it('one that does not run on KVM', async () => {
    const error = await expectRefused('JOB_PLAN_REFUSED', { hypervisor: 'lxc' });
    expect(error).toMatchObject({ details: { reasons: expect.arrayContaining(['REFUSE_VM_NOT_KVM']) } });
  });

  it('one with nothing but volatile disks', () => expectRefused('JOB_PLAN_EMPTY', { disks: [], volatileMiB: [4, 8] }));

  it('one that is locked', async () => {
    const error = await expectRefused('JOB_PLAN_REFUSED', {}, () => world.must('one.vm.lock', world.vm, 4, false));
    expect(error).toMatchObject({ details: { reasons: ['REFUSE_VM_LOCKED'] }, hint: expect.stringContaining('onevm unlock') });
  });

  it('the proxy VM itself', async () => {
    world = await makeWorld(SMALL);
    const error = await failureOf(backupVm(world.deps(), world.backupRequest({ vmId: world.proxyVm })));
    expect(error).toMatchObject({ details: { reasons: expect.arrayContaining(['REFUSE_VM_IS_PROXY']) } });
  });
});

describe('a VM that somebody else works on', () => {
  /** Somebody plugs a disk into the VM right before our first snapshot, and it does not end until `release`. */
  const busyVm = (): JobDeps['cloud'] =>
    interposed(world.cloud, 'createDiskSnapshot', 1, async () => {
      await world.sim.control.hold(['snapshot']);
      await world.must('one.vm.disksnapshotcreate', world.vm, 0, 'somebody-elses');
    });

  it('is waited for, and backed up when it is free', async () => {
    world = await makeWorld(SMALL);
    const run = backupVm(world.deps({ cloud: busyVm() }), world.backupRequest());
    while (!(await world.sim.control.state()).waiting.includes('snapshot')) await new Promise(setImmediate);
    await world.sim.control.release();
    const report = await run;
    expect(report.residue).toEqual([]);
    const vm = (await world.sim.control.state()).vms.find((entry) => entry.id === world.vm);
    expect(vm?.snapshots.map((snapshot) => snapshot.name)).toEqual(['somebody-elses']);
    expect((await world.verify()).damaged).toBe(0);
  });

  it('is given up on after a while, and nothing was made', async () => {
    world = await makeWorld(SMALL);
    const census = await world.census();
    const deps = world.deps({ cloud: busyVm(), patience: { ...DEFAULT_PATIENCE, busyMs: 10_000 } });
    const error = await failureOf(backupVm(deps, world.backupRequest()));
    expect(error).toMatchObject({ code: 'JOB_VM_BUSY', retryable: true });
    expect(world.events.filter((event) => event.type === 'cleanup.failed')).toEqual([]);
    await world.sim.control.release();
    await world.sim.control.idle();
    await expectNoTrace(world, census);
  });

  it('does not hold up Ctrl-C: a call that never left needs no clean-up', async () => {
    world = await makeWorld(SMALL);
    const abort = new AbortController();
    const run = failureOf(backupVm(world.deps({ cloud: busyVm() }), world.backupRequest(), { signal: abort.signal }));
    while (!(await world.sim.control.state()).waiting.includes('snapshot')) await new Promise(setImmediate);
    abort.abort();
    expect(await run).toBe(abort.signal.reason);
    expect(world.events.filter((event) => event.type === 'step.started').map((event) => event.step)).toEqual(['snapshot']);
    expect(await world.unfinishedRuns()).toEqual([]);
    await world.sim.control.release();
  });
});

describe('a VM that changes between two steps', () => {
  /** Backs up with `act` happening right before the nth call of `method`; the run fails with `code` and leaves no trace. */
  async function expectFails(code: string, method: keyof JobDeps['cloud'], nth: number, act: () => Promise<unknown>): Promise<void> {
    const cloud = interposed(world.cloud, method, nth, act);
    const error = await failureOf(backupVm(world.deps({ cloud }), world.backupRequest()));
    expect(errorCode(error)).toBe(code);
    expect(world.events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'failed', residue: [] });
  }
  const settled = (act: Promise<unknown>): Promise<void> => act.then(() => world.sim.control.idle());
  const detach = (disk: number): Promise<void> => settled(world.must('one.vm.detach', world.vm, disk));
  const terminate = (): Promise<void> => settled(world.must('one.vm.action', 'terminate-hard', world.vm));

  it.each([
    ['createDiskSnapshot', 1],
    ['saveDiskAs', 1],
    ['saveDiskAs', 2],
    ['deleteDiskSnapshot', 1],
  ] as const)('terminated before %s %i: the run fails, nothing is left', async (method, nth) => {
    const { census, expectAsBefore } = await withOlderPoint();
    await expectFails('JOB_VM_GONE', method, nth, terminate);
    await expectAsBefore({ ...census, vms: census.vms.filter((name) => name !== 'web') });
  });

  it('a disk detached before its copy', async () => {
    const { expectAsBefore } = await withOlderPoint();
    await expectFails('JOB_DISK_CHANGED', 'attachDisk', 1, () => detach(1));
    await expectAsBefore();
  });

  it('another disk under the same DISK_ID is never taken for the one that was planned', async () => {
    world = await makeWorld({ ...SMALL, volatileMiB: [] });
    const swap = async (): Promise<void> => {
      await detach(1);
      const image = await world.must('one.image.allocate', 'NAME="foreign"\nTYPE="DATABLOCK"\nSIZE="1"\n', 100, true);
      await world.sim.control.idle();
      await settled(world.must('one.vm.attach', world.vm, `DISK=[IMAGE_ID="${image}",TARGET="vdb"]`));
    };
    const cloud = interposed(world.cloud, 'attachDisk', 1, swap);
    const error = await failureOf(backupVm(world.deps({ cloud }), world.backupRequest()));
    expect(errorCode(error)).toBe('JOB_DISK_CHANGED');
    expect(await countPoints(world)).toBe(0);
    expect(await world.leftovers()).toEqual([]);
  });

  it('a disk resized before its copy', async () => {
    const { expectAsBefore } = await withOlderPoint();
    await expectFails('JOB_DISK_CHANGED', 'attachDisk', 1, () => settled(world.must('one.vm.diskresize', world.vm, 1, '3')));
    await expectAsBefore();
    const report = await backupVm(world.deps(), world.backupRequest());
    expect(report.disks.map((disk) => disk.sizeBytes)).toEqual([1024 * 1024, 3 * 1024 * 1024]);
    const bytes = await world.diskBytes(world.vm, 1);
    await expectRestores(world, { pointId: report.pointId, disks: [{ diskId: 1, bytes }] });
  });

  it('a VM that was off and is started before its copy: a running disk is not saved as if it lay still', async () => {
    const { expectAsBefore } = await withOlderPoint();
    await settled(world.must('one.vm.action', 'poweroff-hard', world.vm));
    await expectFails('JOB_DISK_CHANGED', 'attachDisk', 1, () => settled(world.must('one.vm.action', 'resume', world.vm)));
    await expectAsBefore();
  });

  it('a snapshot that went home with its detached persistent disk is named, and remembered', async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 1 }, { sizeMiB: 1, persistent: true }] });
    const cloud = interposed(world.cloud, 'saveDiskAs', 2, () => detach(1));
    await failureOf(backupVm(world.deps({ cloud }), world.backupRequest({ capture: 'snapshot' })));
    const end = world.events.at(-1);
    expect(end).toMatchObject({ type: 'run.finished', outcome: 'failed', residue: [expect.stringMatching(/^snapshot onevault-.* of disk 1 of VM/)] });
    expect(await world.unfinishedRuns()).toEqual([]);
    expect(await world.residue()).toMatchObject([{ runId: end?.runId, why: { code: 'JOB_OBJECT_CHANGED' } }]);
  });
});

describe('an object of ours that somebody made theirs', () => {
  it('a renamed temporary image is left alone and named', async () => {
    world = await makeWorld({ ...SMALL, disks: [{ sizeMiB: 1 }] });
    const rename = async (): Promise<void> => {
      const ours = (await world.sim.control.state()).images.find((image) => image.name.startsWith('onevault-20'));
      await world.must('one.image.rename', ours?.id ?? -1, 'keep-me');
    };
    const report = await backupVm(world.deps({ cloud: interposed(world.cloud, 'detachDisk', 1, rename) }), world.backupRequest());
    expect(report.residue).toEqual([expect.stringMatching(/^image onevault-/)]);
    expect((await world.census()).images).toContain('keep-me');
    expect(world.events).toContainEqual(expect.objectContaining({ type: 'cleanup.failed', error: expect.objectContaining({ code: 'JOB_OBJECT_CHANGED' }) }));
  });
});
