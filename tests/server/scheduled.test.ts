import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeScheduledWorld, type ScheduledWorld, type ToldRun } from '../support/scheduled-world.ts';

/** What apps/server/test/scheduler shows with a scheduler alone is seen here when there is time. */
const itAtLength = (title: string, test: () => Promise<void>): void => {
  if (process.env['ONEVAULT_LONG'] === '1') it(title, test);
};

let stage: ScheduledWorld;
beforeAll(async () => {
  stage = await makeScheduledWorld('2026-12-01T12:00:00Z');
}, 120_000);
afterEach(() => stage.world.sim.control.clearFaults());
afterAll(() => stage?.[Symbol.asyncDispose](), 60_000);

const policy = (name: string, overrides: object = {}): object => ({
  kind: 'backup',
  name,
  repository: 'main',
  timezone: 'UTC',
  select: { include: ['name=web'] },
  schedules: [{ at: '*:00' }],
  retry: { times: 0 },
  ...overrides,
});
const stateOf = async (): Promise<string | undefined> => (await stage.world.sim.control.state()).vms.find(({ id }) => id === Number(stage.world.vm))?.stateText;
const sayings = (run: ToldRun): string[] => stage.logged.filter(({ fields }) => fields['runId'] === run.id).map(({ message }) => message);

describe('a window', { timeout: 300_000 }, () => {
  it('that ends before anybody could begin the run: the run is skipped, by whoever looks, and says so everywhere', async () => {
    await stage.policies(policy('windowed', { schedules: [{ at: '22:00', window: '22:00-23:00' }] }));
    await stage.stopWorker();
    const queued = await stage.slot('windowed', '2026-12-01T22:00:10Z', ({ state }) => state === 'queued');
    expect(queued).toMatchObject({ waitsFor: { code: 'WAITS_FOR_WORKER' } });
    const skippedBefore = await stage.metric('onevault_runs_total{kind="backup",outcome="skipped"');
    stage.wall.set('2026-12-01T23:00:30Z');
    const run = await stage.ended(queued.id);
    expect(run).toMatchObject({ state: 'skipped', waitsFor: { code: 'NOT_BEGUN_IN_TIME', text: expect.stringContaining('2026-12-01T23:00:00.000Z') } });
    expect((await stage.eventsOf(run.id)).at(-1)).toMatchObject({ type: 'run.ended', data: { state: 'skipped', reason: { code: 'NOT_BEGUN_IN_TIME' } } });
    await stage.becomes(
      () => stage.metric('onevault_runs_total{kind="backup",outcome="skipped"'),
      (count) => count === skippedBefore + 1,
    );
    await stage.becomes(stage.told, (told) => told.some((text) => text.startsWith('skipped: backup of VM web')), 'told');
    await stage.startWorker();
  });

  it('that ends while the run is at work: it is stopped in order, leaves nothing, and the next slot does it', async () => {
    await stage.policies(policy('stopped', { schedules: [{ at: '01:00', window: '01:00-02:00', stopAtWindowEnd: true }] }));
    await stage.world.sim.control.inject({ fault: 'delay', method: 'one.vm.attach', ms: 1500 });
    const begun = await stage.slot('stopped', '2026-12-02T01:20:00Z', ({ state }) => state === 'running');
    await stage.becomes(
      () => stage.detail(begun.id),
      ({ steps }) => steps.some(({ step, outcome }) => step === 'attach' && outcome === 'running'),
      'the disk is about to be attached',
    );
    stage.wall.set('2026-12-02T02:00:01Z');
    const run = await stage.ended(begun.id);
    expect(run).toMatchObject({ state: 'cancelled', waitsFor: { code: 'SERVER_WINDOW_ENDED' }, residue: [] });
    expect((await stage.eventsOf(run.id)).at(-1)).toMatchObject({ type: 'run.ended', data: { reason: { code: 'SERVER_WINDOW_ENDED' } } });
    expect(sayings(run)).toContain('run ends');
    expect(await stage.world.leftovers()).toEqual([]);
    expect(await stateOf()).toBe('RUNNING');
    await stage.world.sim.control.clearFaults();
    expect(await stage.slot('stopped', '2026-12-03T01:00:01Z')).toMatchObject({ state: 'succeeded' });
    // Of what was skipped the day before, and now is done.
    await stage.becomes(stage.told, (told) => told.some((text) => text.startsWith('skipped: backup of VM web (1): in order again')), 'told');
  });
});

describe('a run that fails', { timeout: 300_000 }, () => {
  it('by what may be over is tried again when the policy says, so often as it says, and its last failure is told once', async () => {
    await stage.policies(policy('patient', { retry: { times: 2, after: '20m' } }));
    await stage.world.sim.control.inject({ fault: 'driver', operation: 'attach', count: 100 });
    const first = await stage.slot('patient', '2026-12-04T03:00:01Z', ({ state, waitsFor }) => state === 'queued' && waitsFor?.code === 'WAITS_FOR_RETRY');
    expect(first).toMatchObject({
      attempt: 1,
      waitsFor: { text: expect.stringContaining('2026-12-04T03:20') },
      failure: { code: 'ATTACH_FAILED' },
    });
    stage.wall.set('2026-12-04T03:19:00Z');
    await stage.looked();
    expect(await stage.detail(first.id)).toMatchObject({ state: 'queued', attempt: 1 });
    stage.wall.set('2026-12-04T03:21:00Z');
    await stage.becomes(
      () => stage.detail(first.id),
      ({ state, attempt }) => state === 'queued' && attempt === 2,
    );
    expect(stage.told().filter((text) => text.startsWith('failed: '))).toEqual([]);
    stage.wall.set('2026-12-04T03:42:00Z');
    expect(await stage.ended(first.id)).toMatchObject({ state: 'failed', attempt: 3, failure: { code: 'ATTACH_FAILED' }, residue: [] });
    await stage.world.sim.control.clearFaults();
    await stage.becomes(stage.told, (told) => told.some((text) => text.startsWith('failed: ')), 'told');
    expect((await stage.eventsOf(first.id)).filter(({ type }) => type === 'run.waits').map(({ data }) => data['attempt'])).toEqual([1, 2]);
    expect(await stage.slot('patient', '2026-12-04T04:00:01Z')).toMatchObject({ state: 'succeeded', attempt: 1 });
    await stage.becomes(stage.told, (told) => told.some((text) => text.startsWith('recovered: ')), 'told');
    expect(stage.told().filter((text) => text.startsWith('failed: '))).toHaveLength(1);
  });

  it('by what will be so again is not: what the policy asks for cannot be done to this VM', async () => {
    await stage.policies(policy('final', { retry: { times: 2, after: '20m' }, capture: 'offline' }));
    expect(await stage.slot('final', '2026-12-05T03:00:01Z')).toMatchObject({ state: 'failed', attempt: 1, failure: { code: 'JOB_PLAN_REFUSED' } });
  });
});

describe('the circuit breaker', { timeout: 300_000 }, () => {
  it('opens after so many failures in a row, stays open over a restart, lets one through when the pause is over, and closes when that goes well', async () => {
    const flag = join(stage.scratch, 'healed');
    const commands = { before: { command: ['test', '-e', flag] } };
    await stage.policies(policy('broken', { circuitBreaker: { failures: 2, pause: '12h' }, commands }));
    const state = async (time: string): Promise<[string, string | undefined]> => {
      const run = await stage.slot('broken', time);
      return [run.state, run.state === 'failed' ? run.failure?.code : run.waitsFor?.code];
    };
    expect(await state('2026-12-06T03:00:01Z')).toEqual(['failed', 'SERVER_COMMAND_FAILED']);
    expect(await state('2026-12-06T04:00:01Z')).toEqual(['failed', 'SERVER_COMMAND_FAILED']);
    const open = await stage.slot('broken', '2026-12-06T05:00:01Z');
    expect(open).toMatchObject({ state: 'skipped', waitsFor: { code: 'BREAKER_OPEN', text: expect.stringContaining('left alone until 2026-12-06T16:00') } });
    expect((await stage.eventsOf(open.id)).at(-1)).toMatchObject({ type: 'run.ended', data: { state: 'skipped', reason: { code: 'BREAKER_OPEN' } } });
    expect(stage.logged.find(({ fields }) => fields['runId'] === open.id && fields['reason'] !== undefined)?.fields).toMatchObject({
      state: 'skipped',
      reason: { code: 'BREAKER_OPEN' },
    });
    await stage.becomes(stage.told, (told) => told.some((text) => text.includes('the last 2 runs of this VM for this policy have failed')), 'told');
    await stage.stop();
    await stage.start();
    expect(await state('2026-12-06T06:00:01Z')).toEqual(['skipped', 'BREAKER_OPEN']);
    // Half-open: one is let through, and fails.
    expect(await state('2026-12-06T17:00:01Z')).toEqual(['failed', 'SERVER_COMMAND_FAILED']);
    expect(await state('2026-12-06T18:00:01Z')).toEqual(['skipped', 'BREAKER_OPEN']);
    await writeFile(flag, '');
    expect(await state('2026-12-06T19:00:01Z')).toEqual(['skipped', 'BREAKER_OPEN']);
    expect(await state('2026-12-07T06:00:01Z')).toEqual(['succeeded', undefined]);
    expect(await state('2026-12-07T07:00:01Z')).toEqual(['succeeded', undefined]);
  });

  it('is closed by a run that somebody asked for and that went well', async () => {
    const flag = join(stage.scratch, 'mended');
    await stage.policies(policy('mended', { circuitBreaker: { failures: 1, pause: '7d' }, commands: { before: { command: ['test', '-e', flag] } } }));
    expect(await stage.slot('mended', '2026-12-08T03:00:01Z')).toMatchObject({ state: 'failed' });
    expect(await stage.slot('mended', '2026-12-08T04:00:01Z')).toMatchObject({ state: 'skipped' });
    await writeFile(flag, '');
    const { json } = await stage.ask('POST', '/runs', { kind: 'backup', vmId: Number(stage.world.vm), repository: 'main', mode: 'auto' });
    expect(await stage.ended(json.id)).toMatchObject({ state: 'succeeded' });
    expect(await stage.slot('mended', '2026-12-08T05:00:01Z')).toMatchObject({ state: 'succeeded' });
  });
});

describe('commands of a policy', { timeout: 300_000 }, () => {
  it('run around a scheduled backup and are told in it: the one before stops it, the one after runs however it ended', async () => {
    const say = (phase: string): string[] => ['sh', '-c', `echo ${phase} $ONEVAULT_POLICY $ONEVAULT_VM_NAME $ONEVAULT_OUTCOME; env`];
    const commands = { before: { command: say('first') }, after: { command: say('last') } };
    await stage.policies(policy('quiesced', { commands }));
    const outputs = async (run: ToldRun): Promise<string[]> =>
      (await stage.eventsOf(run.id)).filter(({ type }) => type === 'command.finished').map(({ data }) => String(data['output']));
    const done = await stage.slot('quiesced', '2026-12-09T03:00:01Z');
    expect(done.state).toBe('succeeded');
    const said = await outputs(done);
    expect(said.map((text) => text.split('\n', 1)[0])).toEqual(['first quiesced web', 'last quiesced web succeeded']);
    expect(said.join()).not.toContain('hush-hush');
    expect(said.join()).not.toContain('DATABASE_URL');
    const types = (await stage.eventsOf(done.id)).map(({ type }) => type);
    expect(types.indexOf('command.finished')).toBeLessThan(types.indexOf('step.started'));

    await stage.policies(policy('quiesced', { commands: { ...commands, before: { command: ['sh', '-c', 'echo no; exit 7'] } } }));
    const refused = await stage.slot('quiesced', '2026-12-09T04:00:01Z');
    expect(refused).toMatchObject({ state: 'failed', failure: { code: 'SERVER_COMMAND_FAILED', message: expect.stringContaining('ended with 7') }, steps: [] });
    expect((await outputs(refused)).map((text) => text.split('\n', 1)[0])).toEqual(['no', 'last quiesced web failed']);

    await stage.policies(policy('quiesced', { commands: { ...commands, before: { command: ['sh', '-c', 'sleep 600 & wait'] } } }));
    const running = await stage.slot('quiesced', '2026-12-09T05:00:01Z', ({ state }) => state === 'running');
    await stage.becomes(
      () => stage.eventsOf(running.id, { untilNow: true }),
      (events) => events.some(({ type }) => type === 'command.started'),
    );
    expect((await stage.ask('POST', `/runs/${running.id}/cancel`)).status).toBe(202);
    expect(await stage.ended(running.id)).toMatchObject({ state: 'cancelled', steps: [] });
    expect((await outputs(running)).map((text) => text.split('\n', 1)[0])).toEqual(['last quiesced web cancelled']);
  });
});

describe('several schedules', { timeout: 300_000 }, () => {
  it('of two policies that mean a VM at the same minute: each does its own, one after the other', async () => {
    await stage.policies(policy('left'), policy('right', { priority: 90 }), {
      kind: 'snapshot',
      name: 'sets',
      timezone: 'UTC',
      select: { include: ['name=web'] },
      schedules: [{ at: '*:00' }],
      keep: 1,
    });
    await stage.slot('left', '2026-12-10T03:00:01Z');
    const all = async (): Promise<ToldRun[]> => (await Promise.all(['left', 'right', 'sets'].map((name) => stage.runs(name)))).flat();
    const runs = await stage.becomes(all, (found) => found.length === 3 && found.every(({ state }) => state === 'succeeded'), 'three runs');
    const times = runs.map(({ startedAt, endedAt }) => [Date.parse(startedAt ?? ''), Date.parse(endedAt ?? '')] as const).sort(([a], [b]) => a - b);
    for (const [index, [startedMs]] of times.slice(1).entries()) expect(startedMs).toBeGreaterThanOrEqual(times[index]?.[1] ?? Number.NaN);
  });

  it('of a snapshot policy: sets are taken, and its own that are too many go', async () => {
    const [first] = await stage.runs('sets');
    const { report } = await stage.detail(first?.id ?? '');
    const [set] = (report?.['sets'] ?? []) as readonly { readonly setId: string }[];
    const setId = set?.setId ?? expect.fail('it has no set');
    const second = await stage.slot('sets', '2026-12-10T04:00:01Z');
    expect(second).toMatchObject({ state: 'succeeded', report: { pruned: expect.arrayContaining([{ setId, outcome: 'deleted' }]) } });
  });

  itAtLength('of one policy at the same minute: the full backup is the one that is made, wherever it stands in the list', async () => {
    await stage.policies(policy('weekly', { schedules: [{ at: '03:00' }, { at: 'Fri 03:00', mode: 'full' }] }));
    expect(await stage.slot('weekly', '2026-12-11T03:00:01Z')).toMatchObject({ request: { mode: 'full' }, state: 'succeeded' });
    await stage.looked();
    expect(await stage.runs('weekly')).toHaveLength(1);
  });
});

describe('a clock that is set, and a server that was down', { timeout: 300_000 }, () => {
  const SCHEDULES = ['hourly', 'nightly', 'strict'];
  const counts = async (): Promise<number[]> =>
    Promise.all(SCHEDULES.map(async (name) => (await stage.runs(name)).filter(({ request }) => request.kind === 'backup').length));

  it('brings one run of each policy that makes up for it, none of one that does not, however many were missed', async () => {
    await stage.policies(
      policy('hourly'),
      policy('nightly', { schedules: [{ at: '22:00' }] }),
      policy('strict', { schedules: [{ at: '22:00', missed: 'skip' }] }),
    );
    await stage.stop();
    stage.wall.set('2026-12-15T12:30:00Z');
    await stage.start();
    await stage.becomes(counts, ([hourly, nightly]) => hourly === 1 && nightly === 1, 'made up for');
    await stage.idle();
    expect(await counts()).toEqual([1, 1, 0]);
    expect((await stage.runs('nightly')).map(({ state }) => state)).toEqual(['succeeded']);
    expect(stage.logged.filter(({ message }) => message === 'a scheduled run was missed and is left out').map(({ fields }) => fields['policy'])).toEqual([
      'strict',
    ]);
  });

  it('set forward by days while it runs it is the same, and set back again it brings nothing twice', async () => {
    stage.wall.set('2026-12-20T12:30:00Z');
    await stage.becomes(counts, ([hourly, nightly]) => hourly === 2 && nightly === 2, 'made up for');
    await stage.idle();
    expect(await counts()).toEqual([2, 2, 0]);
    stage.wall.set('2026-12-20T11:30:00Z');
    await stage.looked();
    // The hour that is gone through a second time.
    stage.wall.set('2026-12-20T12:00:01Z');
    await stage.looked();
    expect(await counts()).toEqual([2, 2, 0]);
    // Days back: what was begun for its slot is there; an hour that never had one gets it.
    stage.wall.set('2026-12-16T09:59:00Z');
    await stage.looked();
    expect(await counts()).toEqual([2, 2, 0]);
    expect(await stage.slot('hourly', '2026-12-16T10:00:01Z')).toMatchObject({ state: 'succeeded' });
    await stage.idle();
    expect(await counts()).toEqual([3, 2, 0]);
  });

  itAtLength('in the year in which machines without a clock begin, it does nothing, and loses nothing once it is right', async () => {
    await stage.stop();
    stage.wall.set('1970-01-01T00:00:10Z');
    await stage.start();
    await stage.looked();
    expect(await counts()).toEqual([3, 2, 0]);
    stage.wall.set('2026-12-16T10:30:00Z');
    await stage.looked();
    await stage.idle();
    expect(await counts()).toEqual([3, 2, 0]);
    expect(await stage.slot('hourly', '2026-12-16T11:00:01Z')).toMatchObject({ state: 'succeeded' });
  });
});
