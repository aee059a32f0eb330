import { errorCode } from '@onevault/base';
import type { FaultRule } from '@onevault/one-sim';
import { backupVm, restoreVm } from '@onevault/orchestrator';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { countPoints, expectNoTrace, expectRestores, failureOf, type OlderPoint } from '../support/aftermath.ts';
import { interposed } from '../support/interposed.ts';
import { type Census, makeWorld, type World } from '../support/world.ts';

describe('an oned that misbehaves in the middle of a run', () => {
  let world: World;
  let census: Census;
  let older: OlderPoint;
  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 1 }, { sizeMiB: 1, persistent: true }] });
    const disks = await Promise.all([0, 1].map(async (diskId) => ({ diskId, bytes: await world.diskBytes(world.vm, diskId) })));
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    older = { pointId, disks };
  });
  beforeEach(async () => {
    await world.sim.control.clearFaults();
    world.events.length = 0;
    census = await world.census();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** The fault strikes once, at a call in the middle; after it oned is well again, and clean-up must find everything. */
  const inject = (rule: FaultRule): Promise<void> => world.sim.control.inject(rule);

  describe.each([['one.vm.disksnapshotcreate'], ['one.vm.disksaveas'], ['one.vm.attach']])('at %s', (method) => {
    it.each<[string, string, FaultRule]>([
      ['drops the connection before it executes', 'ONE_UNREACHABLE', { fault: 'drop-before', method }],
      ['drops the connection after it executed', 'ONE_UNREACHABLE', { fault: 'drop-after', method }],
      ['hangs before it executes', 'ONE_TIMEOUT', { fault: 'hang', method }],
      ['hangs after it executed', 'ONE_TIMEOUT', { fault: 'hang', method, execute: true }],
      ['stops in the middle of its answer', 'ONE_RESPONSE_INVALID', { fault: 'truncate', method }],
      ['answers with 100 MB', 'ONE_RESPONSE_TOO_LARGE', { fault: 'huge-answer', method, bytes: 100_000_000 }],
      ['answers as a proxy that lost its oned', 'ONE_HTTP_STATUS', { fault: 'http-status', method, status: 502 }],
    ])('%s: %s, nothing is left', async (_, code, rule) => {
      const cloud = world.connect(rule.fault === 'hang' ? { callTimeoutMs: 20_000 } : {});
      await inject(rule);
      const error = await failureOf(backupVm(world.deps({ cloud }), world.backupRequest()));
      expect(errorCode(error)).toBe(code);
      expect(error).toMatchObject({ hint: expect.any(String) });
      expect(await countPoints(world)).toBe(1);
      await expectNoTrace(world, census);
    });
  });

  it('the older restore point is whole after all of that', () => expectRestores(world, older));

  it('a VM body that stops in the middle is no VM', async () => {
    await inject({ fault: 'truncate-body', method: 'one.vm.info' });
    expect(errorCode(await failureOf(backupVm(world.deps(), world.backupRequest())))).toBe('ONE_RESPONSE_INVALID');
    await expectNoTrace(world, census);
  });

  it('an oned that is gone for good ends the run soon; what is left is named in the journal, and is really there', async () => {
    const cloud = world.connect({ callTimeoutMs: 5_000, outageMs: 10_000 });
    const dying = interposed(cloud, 'saveDiskAs', 1, () => inject({ fault: 'drop-before', method: '*', count: 100_000 }));
    const error = await failureOf(backupVm(world.deps({ cloud: dying }), world.backupRequest()));
    expect(errorCode(error)).toBe('ONE_UNREACHABLE');
    await world.sim.control.clearFaults();
    const end = world.events.at(-1);
    expect(await world.leftovers()).toHaveLength(1);
    const [left] = await world.leftovers();
    expect(end).toMatchObject({ outcome: 'failed', residue: expect.arrayContaining([expect.stringContaining(left?.split(' ').at(-1) ?? '-')]) });
    expect(await world.unfinishedRuns()).toEqual([end?.runId]);
  });
});

describe('a driver that fails', () => {
  let world: World;
  let census: Census;
  beforeEach(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 1 }] });
    census = await world.census();
    return () => world[Symbol.asyncDispose]();
  });

  it.each([
    ['snapshot-create', 'JOB_EFFECT_MISSING', 'snapshot'], // with auto it falls back: vm-states.test.ts
    ['saveas', 'JOB_EFFECT_MISSING', 'auto'],
    ['attach', 'ATTACH_FAILED', 'auto'],
  ] as const)('%s fails the backup with %s, and the driver is quoted', async (operation, code, capture) => {
    await world.sim.control.inject({ fault: 'driver', operation, text: 'no route to storage' });
    const error = await failureOf(backupVm(world.deps(), world.backupRequest({ capture })));
    expect(errorCode(error)).toBe(code);
    expect(String(error)).toContain('no route to storage');
    await expectNoTrace(world, census);
  });

  it.each(['snapshot-delete', 'detach', 'image-delete'] as const)('%s is tried again, and the restore point is there', async (operation) => {
    await world.sim.control.inject({ fault: 'driver', operation });
    const { pointId, residue } = await backupVm(world.deps(), world.backupRequest());
    expect(residue).toEqual([]);
    const bytes = await world.diskBytes(world.vm, 0);
    await expectNoTrace(world, census, [{ pointId, disks: [{ diskId: 0, bytes }] }]);
  });

  it('a snapshot that can never be deleted is residue by name; the data is safe', async () => {
    await world.sim.control.inject({ fault: 'driver', operation: 'snapshot-delete', count: 100 });
    const { residue, runId } = await backupVm(world.deps(), world.backupRequest());
    expect(residue).toEqual([expect.stringMatching(new RegExp(`^snapshot onevault-${runId}-vm${world.vm}-disk0 `))]);
    expect(world.events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'residue', residue });
    expect(world.events.filter((event) => event.type === 'cleanup.failed')).toHaveLength(2);
    expect(await world.unfinishedRuns()).toEqual([]);
    expect(await world.residue()).toMatchObject([{ runId, object: { kind: 'snapshot' } }]);
    expect((await world.verify()).damaged).toBe(0);
  });

  it('a restored disk that cannot be detached is no restored disk', async () => {
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    await world.sim.control.inject({ fault: 'driver', operation: 'detach', count: 100 });
    const error = await failureOf(restoreVm(world.deps(), world.restoreRequest(pointId)));
    expect(errorCode(error)).toBe('JOB_CLEANUP_FAILED');
    expect(world.events.at(-1)).toMatchObject({
      outcome: 'failed',
      residue: [expect.stringMatching(/^image web-restored-disk-0/), expect.stringMatching(/^disk with serial/)],
    });
  });

  it('a VM that the hypervisor does not start is taken away again', async () => {
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    await world.sim.control.inject({ fault: 'driver', operation: 'deploy' });
    const error = await failureOf(restoreVm(world.deps(), world.restoreRequest(pointId)));
    expect(errorCode(error)).toBe('JOB_VM_NOT_STARTED');
    await expectNoTrace(world, census);
  });
});

describe('no room, no such place, a name that is taken', () => {
  let world: World;
  let census: Census;
  beforeEach(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 1 }, { sizeMiB: 1, persistent: true }] });
    census = await world.census();
    return () => world[Symbol.asyncDispose]();
  });

  it('a datastore that is full: the plan sees it', async () => {
    await world.sim.control.setDatastoreFree(100, 0);
    const error = await failureOf(backupVm(world.deps(), world.backupRequest()));
    expect(error).toMatchObject({
      code: 'JOB_PLAN_REFUSED',
      details: { reasons: expect.arrayContaining(['REFUSE_NO_SPACE']) },
      hint: expect.stringContaining('make room'),
    });
    expect(await countPoints(world)).toBe(0);
    await expectNoTrace(world, census);
  });

  it('a datastore that is full at the export, and has not been monitored since', async () => {
    await world.sim.control.setDatastoreFree(100, 0, { monitored: false });
    const error = await failureOf(backupVm(world.deps(), world.backupRequest()));
    expect(errorCode(error)).toBe('JOB_EFFECT_MISSING');
    expect(await countPoints(world)).toBe(0);
    await expectNoTrace(world, census);
  });

  it('a datastore that is full at the restore: nothing was written', async () => {
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    await world.sim.control.setDatastoreFree(100, 1);
    const error = await failureOf(restoreVm(world.deps(), world.restoreRequest(pointId)));
    expect(error).toMatchObject({ code: 'JOB_RESTORE_REFUSED', details: { codes: expect.arrayContaining(['SPACE_IMAGE']) } });
    expect(world.events.some((event) => event.type === 'step.started' && event.step === 'write')).toBe(false);
    await expectNoTrace(world, census);
  });

  it('an image of that name: somebody else’s stays, and nothing was made', async () => {
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    const foreign = Number(await world.must('one.image.allocate', 'NAME="web-restored-disk-1"\nTYPE="DATABLOCK"\nSIZE="1"\n', 100, true));
    await world.sim.control.idle();
    census = await world.census();
    const error = await failureOf(restoreVm(world.deps(), world.restoreRequest(pointId)));
    expect(errorCode(error)).toBe('JOB_NAME_TAKEN');
    expect(world.events.some((event) => event.type === 'step.started' && event.step === 'allocate-image')).toBe(false);
    await expectNoTrace(world, census);
    expect((await world.sim.control.state()).images.find((image) => image.id === foreign)?.stateText).toMatch(/READY|rdy/i);
  });

  it.each([
    ['a datastore that does not exist', { imageDatastore: 999 }, 'JOB_DATASTORE_INVALID'],
    ['a system datastore for an image', { imageDatastore: 101 }, 'JOB_DATASTORE_INVALID'],
    ['a name that OpenNebula refuses', { name: 'a/b' }, 'JOB_NAME_INVALID'],
    ['a name that is too long for its images', { name: 'n'.repeat(126) }, 'JOB_NAME_INVALID'],
  ])('%s', async (_, request, code) => {
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    const error = await failureOf(restoreVm(world.deps(), world.restoreRequest(pointId, request as object)));
    expect(errorCode(error)).toBe(code);
    await expectNoTrace(world, census);
  });
});
