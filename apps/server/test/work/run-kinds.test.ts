import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { StreamEvent } from '@onevault/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runLogHandlers } from '../../src/logs/run-log.ts';
import type { Call } from '../../src/ports/call.ts';
import { callOf } from '../../testing/call-of.ts';
import { makeWorkWorld, type WorkWorld } from '../../testing/work-world.ts';

let world: WorkWorld;
beforeAll(async () => {
  world = await makeWorkWorld();
  await world.worker('proxy-1');
}, 180_000);
afterAll(() => world[Symbol.asyncDispose](), 60_000);

/** The newest point; the catalog of the test has them in the order of the repository. */
const ofPoint = (): { readonly repository: string; readonly pointId: string } => ({ repository: 'main', pointId: world.points().at(-1)?.id ?? '' });
const stateOf = async (id: number): Promise<string | undefined> => (await world.simulator.sim.control.state()).vms.find((vm) => vm.id === id)?.stateText;

describe('a worker does every kind of run', { timeout: 30_000 }, () => {
  it('a backup, and another one that goes on from it; with its steps and disks in the row', async () => {
    const backup = { kind: 'backup', vmId: world.vm, repository: 'main', mode: 'auto' } as const;
    const first = await world.do(backup);
    expect(first).toMatchObject({ state: 'succeeded', attempt: 1, vmName: 'web', report: { kind: 'backup', mode: 'full' } });
    expect(first.progress).toMatchObject({
      disks: [{ phase: 'scan' }, { phase: 'scan' }],
      steps: expect.arrayContaining([expect.objectContaining({ step: 'commit', outcome: 'done' })]),
    });
    expect(await world.do(backup)).toMatchObject({ state: 'succeeded', report: { mode: 'incremental' } });
  });

  it('a restore as a new VM, which becomes the one’s who asked', async () => {
    const owner = await world.simulator.sim.control.createUser({ name: 'bob', password: 'secret' });
    await world.simulator.must('one.vm.chown', world.vm, owner.userId, owner.groupId);
    const run = await world.do({ kind: 'restore', ...ofPoint(), name: 'web-2', method: 'auto', hold: false }, { owner });
    await world.simulator.must('one.vm.chown', world.vm, 0, 0);
    expect(run).toMatchObject({ state: 'succeeded', vmId: world.vm, report: { kind: 'restore', vmName: 'web-2' } });
    const restored = Number(run.report?.['vmId']);
    expect(await stateOf(restored)).toBe('RUNNING');
    expect((await world.simulator.must('one.vm.info', restored)).match(/<UID>(\d+)/)?.[1]).toBe(String(owner.userId));
  });

  it('a restore that an administrator gives to somebody else, by name, with rights', async () => {
    const { userId } = await world.simulator.sim.control.createUser({ name: 'carol', password: 'secret' });
    const wish = { owner: 'carol', group: 'oneadmin', permissions: '640' };
    const run = await world.do({ kind: 'restore', ...ofPoint(), name: 'web-of-carol', method: 'auto', hold: false, ...wish });
    expect(run).toMatchObject({ state: 'succeeded' });
    const info = await world.simulator.must('one.vm.info', Number(run.report?.['vmId']));
    expect([info.match(/<UID>(\d+)/)?.[1], info.match(/<GID>(\d+)/)?.[1], info.match(/<GROUP_U>(\d)/)?.[1]]).toEqual([String(userId), '0', '1']);
    const unknown = await world.do({ kind: 'restore', ...ofPoint(), name: 'web-of-nobody', method: 'auto', hold: false, owner: 'nobody' });
    expect(unknown).toMatchObject({ state: 'failed', failure: { code: 'SERVER_REQUEST_INVALID' } });
  });

  it('a restore in place, and back again', async () => {
    const inPlace = await world.do({ kind: 'restore-in-place', ...ofPoint(), keepUndo: '7d', delta: false });
    expect(inPlace).toMatchObject({ state: 'succeeded', report: { kind: 'swap', action: 'in-place' } });
    expect(await world.do({ kind: 'undo', vmId: world.vm })).toMatchObject({ state: 'succeeded', report: { action: 'undo' } });
    expect(await stateOf(world.vm)).toBe('RUNNING');
  });

  it('snapshots: taken, gone back to after a safety set, deleted', async () => {
    expect(await world.do({ kind: 'snapshot-create', vmId: world.vm, name: 'before' })).toMatchObject({ state: 'succeeded', report: { action: 'create' } });
    const revert = await world.do({ kind: 'snapshot-revert', vmId: world.vm, set: 'before', safety: true });
    expect(revert).toMatchObject({ state: 'succeeded', report: { action: 'revert', safetySet: expect.anything() } });
    const { setId } = (revert.report?.['safetySet'] ?? {}) as { readonly setId: string };
    expect(await world.do({ kind: 'snapshot-delete', vmId: world.vm, set: setId })).toMatchObject({ state: 'succeeded', report: { action: 'delete' } });
  });

  it('a drill', async () => {
    expect(await world.do({ kind: 'drill', ...ofPoint() })).toMatchObject({ state: 'succeeded', report: { kind: 'drill', outcome: 'passed' } });
  });

  it('chores of the repository', async () => {
    expect(await world.do({ kind: 'verify', repository: 'main', mode: 'all' })).toMatchObject({ state: 'succeeded', report: { damaged: 0 } });
    expect(await world.do({ kind: 'gc', repository: 'main' })).toMatchObject({ state: 'succeeded', report: { kind: 'gc' } });
    const { pointId } = ofPoint();
    expect(await world.do({ kind: 'forget', repository: 'main', pointId })).toMatchObject({ state: 'succeeded', report: { pointId } });
    expect(world.points().map(({ id }) => id)).not.toContain(pointId);
    expect(await world.do({ kind: 'forget', ...ofPoint() })).toMatchObject({ state: 'failed', failure: { code: 'REPO_POINT_LAST_GOOD' } });
    expect(await world.do({ kind: 'recover' })).toMatchObject({ state: 'succeeded', report: { runs: [] } });
  });

  it('retention of a policy: of what was taken for it, and of nothing else', async () => {
    const policy = { name: 'nightly', timezone: 'UTC', select: { include: ['name=web'] }, schedules: [{ at: 'every 4h' }] };
    world.setPolicies({ ...policy, kind: 'backup', repository: 'main', retention: { keepLast: 1 }, excludeDisks: ['vdb', '17'] });
    const before = world.points().length;
    const wanted = { kind: 'backup', vmId: world.vm, repository: 'main', mode: 'auto', policy: 'nightly' } as const;
    for (let n = 0; n < 2; n++) expect(await world.do(wanted)).toMatchObject({ state: 'succeeded', report: { disks: [{ target: 'vda' }] } });
    expect(await world.do({ kind: 'retention', repository: 'main', policy: 'nightly' })).toMatchObject({ state: 'succeeded', report: { forgotten: 1 } });
    expect(world.points()).toHaveLength(before + 1);
  });

  it('a scheduled run of the VM that the worker itself runs in is left out, and says why', async () => {
    const policy = { name: 'all', timezone: 'UTC', select: { include: ['*'] }, schedules: [{ at: 'every 1d' }] };
    world.setPolicies({ ...policy, kind: 'backup', repository: 'main', retention: { keepLast: 1 } });
    await world.look();
    const vmId = Number(world.place.settings.proxyVm);
    const schedule = { origin: { kind: 'schedule', name: 'all' }, slot: new Date() } as const;
    const run = await world.do({ kind: 'backup', vmId, repository: 'main', mode: 'auto', policy: 'all' }, schedule);
    expect(run).toMatchObject({ state: 'skipped', report: { reason: { code: 'VM_IS_PROXY' } } });
    const asked = await world.do({ kind: 'backup', vmId, repository: 'main', mode: 'auto' });
    expect(asked).toMatchObject({ state: 'failed', failure: { code: 'JOB_PLAN_REFUSED' } });
  });

  it('snapshots of a policy: the newest of its own stay', async () => {
    const policy = { name: 'hourly', timezone: 'UTC', select: { include: ['name=web'] }, schedules: [{ at: 'every 1h' }] };
    world.setPolicies({ ...policy, kind: 'snapshot', keep: 1 });
    const wanted = { kind: 'snapshot-create', vmId: world.vm, policy: 'hourly' } as const;
    const first = await world.do(wanted);
    const [{ setId }] = (first.report?.['sets'] ?? [{}]) as unknown as [{ readonly setId: string }];
    expect((await world.do(wanted)).report?.['pruned']).toEqual(expect.arrayContaining([{ setId, outcome: 'deleted' }]));
  });

  it('what its worker logged is in the log of the run, without secrets', async () => {
    await world.simulator.sim.control.inject({ fault: 'driver', operation: 'detach', text: 'virsh: hunter2-hunter2 is busy' });
    world.place.redactor.know('hunter2-hunter2');
    const { id } = await world.do({ kind: 'backup', vmId: world.vm, repository: 'main', mode: 'auto' });
    const watchRun = ({ params, signal }: Call<{ readonly runId: string }>) => world.runs.watch(params.runId, { signal });
    const log = runLogHandlers({ watchRun, redactor: world.place.redactor })['runLog'] as (call: Call) => Promise<{ readonly body: Readable }>;
    const lines = (await text((await log(callOf({ params: { runId: id } }))).body))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as StreamEvent);
    expect(lines.map(({ type }) => type)).toEqual(expect.arrayContaining(['run.taken', 'run.started', 'log', 'run.ended']));
    expect(lines.find(({ type }) => type === 'log')).toMatchObject({
      runId: id,
      data: { level: 'warn', message: expect.any(String), fields: { diskId: expect.any(Number) } },
    });
    expect(JSON.stringify(lines)).not.toContain('hunter2');
  });

  it('and leaves nothing behind', async () => {
    expect(await world.leftovers()).toEqual(expect.not.arrayContaining([expect.stringMatching(/attach|template/)]));
    await using repository = await world.openRepository();
    for await (const damage of repository.verify()) expect(damage).toBeUndefined();
  });
});
