import type { Clock } from '@onevault/base';
import { beforeEach, describe, expect, it } from 'vitest';
import { ServerError } from '../../src/errors.ts';
import { policyDocument, ScheduleStage, vmOf } from './schedule-stage.ts';

const HOUR = 3_600_000;
let stage: ScheduleStage;
beforeEach(() => {
  stage = new ScheduleStage('2026-11-27T21:00:00Z');
});

describe('scheduled runs, by the clock on the wall', () => {
  it.each([
    [
      'a night in which the clock goes forward',
      '02:30',
      'Europe/Berlin',
      '2026-03-27T12:00Z',
      '2026-03-30T12:00Z',
      ['2026-03-28T01:30Z', '2026-03-29T01:00Z', '2026-03-30T00:30Z'],
    ],
    ['a night in which it goes back', '02:30', 'Europe/Berlin', '2026-10-24T12:00Z', '2026-10-26T12:00Z', ['2026-10-25T00:30Z', '2026-10-26T01:30Z']],
    [
      'every hour of that night',
      '*:00',
      'Europe/Berlin',
      '2026-10-24T23:30Z',
      '2026-10-25T02:30Z',
      ['2026-10-25T00:00Z', '2026-10-25T01:00Z', '2026-10-25T02:00Z'],
    ],
    [
      'true time through it',
      'every 4h',
      'Europe/Berlin',
      '2026-03-28T22:30Z',
      '2026-03-29T07:30Z',
      ['2026-03-28T23:00Z', '2026-03-29T03:00Z', '2026-03-29T07:00Z'],
    ],
    [
      'the last day of each month',
      '*-*-~01 03:00',
      'UTC',
      '2028-01-30T12:00Z',
      '2028-05-01T00:00Z',
      ['2028-01-31T03:00Z', '2028-02-29T03:00Z', '2028-03-31T03:00Z', '2028-04-30T03:00Z'],
    ],
    [
      'the 31st, where there is one',
      '0 3 31 * *',
      'UTC',
      '2027-01-30T12:00Z',
      '2027-06-01T00:00Z',
      ['2027-01-31T03:00Z', '2027-03-31T03:00Z', '2027-05-31T03:00Z'],
    ],
  ])('%s', async (_title, at, timezone, from, to, expected) => {
    stage = new ScheduleStage(from);
    stage.setPolicies(policyDocument({ timezone, schedules: [{ at }] }));
    await stage.until(stage.scheduler(), to, HOUR / 2);
    expect(stage.slotsOf('backup')).toEqual(expected);
  });

  it('a policy that is new begins with its next run, and so does one whose schedule is changed', async () => {
    stage = new ScheduleStage('2026-11-27T22:30:00Z');
    stage.setPolicies(policyDocument());
    const scheduler = stage.scheduler();
    await stage.until(scheduler, '2026-11-27T23:30:00Z');
    stage.setPolicies(policyDocument({ schedules: [{ at: '23:00' }] }));
    await stage.until(scheduler, '2026-11-28T23:30:00Z');
    expect(stage.slotsOf('backup')).toEqual(['2026-11-28T23:00Z']);
    expect(stage.handled.size).toBe(1);
  });

  it('a long sleep brings one run, or none where missed ones are skipped', async () => {
    stage.setPolicies(policyDocument(), policyDocument({ name: 'strict', schedules: [{ at: '22:00', missed: 'skip' }] }));
    const scheduler = stage.scheduler();
    await scheduler.tick();
    stage.pass(75 * HOUR); // at midnight, three runs later
    await stage.until(scheduler, '2026-12-01T21:00:00Z');
    expect(stage.begun.map(({ slot, options }) => `${options.origin.name} ${slot}`)).toEqual(['nightly 2026-11-30T22:00Z']);
    expect(stage.logged.map(({ message }) => message)).toContain('a scheduled run was missed and is left out');
    await stage.until(scheduler, '2026-12-01T22:30:00Z');
    expect(stage.begun.slice(1).map(({ options }) => options.origin.name)).toEqual(['nightly', 'strict']);
  });

  it('a clock that is set back brings no run a second time, one that was years ahead does not silence what comes', async () => {
    stage.setPolicies(policyDocument());
    const scheduler = stage.scheduler();
    await stage.until(scheduler, '2026-11-27T22:10:00Z');
    stage.wallMs -= HOUR;
    await stage.until(scheduler, '2026-11-27T23:00:00Z');
    expect(stage.slotsOf('backup')).toEqual(['2026-11-27T22:00Z']);
    stage.wallMs = Date.parse('2031-05-05T22:05:00Z');
    await scheduler.tick();
    stage.wallMs = Date.parse('2026-11-28T12:00:00Z');
    await stage.until(scheduler, '2026-11-28T22:30:00Z');
    expect(stage.slotsOf('backup')).toEqual(['2026-11-27T22:00Z', '2031-05-05T22:00Z', '2026-11-28T22:00Z']);
    expect(stage.logged.filter(({ message }) => message.startsWith('the clock was set'))).toHaveLength(3);
  });

  it('sleeps until the next run, and never for longer than it takes to notice a clock that is set', async () => {
    stage.setPolicies(policyDocument());
    const scheduler = stage.scheduler();
    expect(await scheduler.tick()).toBe(30_000);
    stage.wallMs = Date.parse('2026-11-27T21:59:50Z');
    expect(await scheduler.tick()).toBe(10_000);
  });
});

describe('a window', () => {
  it('lets runs begin when it opens, says until when, and holds what is too late to that', async () => {
    const window = '23:00-02:00';
    stage.setPolicies(
      policyDocument({ schedules: [{ at: '22:30', window, stopAtWindowEnd: true }] }),
      policyDocument({ name: 'waits', schedules: [{ at: '22:00', window, startWithin: '10m' }] }),
      policyDocument({ name: 'strict', schedules: [{ at: '22:00', window, startWithin: '10m', missed: 'skip' }] }),
    );
    const scheduler = stage.scheduler();
    await stage.until(scheduler, '2026-11-27T22:50:00Z');
    expect(stage.begun).toEqual([]);
    await stage.until(scheduler, '2026-11-28T12:00:00Z');
    const closes = Date.parse('2026-11-28T02:00:00Z');
    expect(stage.begun.map(({ slot, options: { origin, startByMs, stopAtMs } }) => [origin.name, slot, startByMs, stopAtMs])).toEqual([
      ['nightly', '2026-11-27T22:30Z', closes, closes],
      ['waits', '2026-11-27T22:00Z', closes, undefined],
    ]);
  });
});

describe('a window that closes while OpenNebula is asked', () => {
  it('lets nothing begin that knew no end', async () => {
    stage.setPolicies(policyDocument({ schedules: [{ at: '22:00', window: '22:00-22:05', stopAtWindowEnd: true }] }));
    const scheduler = stage.scheduler();
    await scheduler.tick();
    stage.wallMs = Date.parse('2026-11-27T22:04:59Z');
    stage.onRefresh = () => stage.pass(2000);
    await scheduler.tick();
    expect(stage.begun).toEqual([]);
    stage.onRefresh = () => undefined;
    await stage.until(scheduler, '2026-11-28T22:00:00Z');
    expect(stage.slotsOf('backup')).toEqual(['2026-11-28T22:00Z']);
  });
});

describe('a machine that does not know the time yet', () => {
  it('begins nothing, and forgets nothing of what was handled', async () => {
    stage.setPolicies(policyDocument(), policyDocument({ name: 'hourly', schedules: [{ at: 'every 1h' }] }));
    await stage.until(stage.scheduler(), '2026-11-27T22:10:00Z');
    const before = stage.begun.length;
    const handled = new Map(stage.handled);
    stage.wallMs = 10_000;
    const scheduler = stage.scheduler();
    await stage.until(scheduler, '1970-01-01T06:00:00Z');
    expect(stage.handled).toEqual(handled);
    stage.wallMs = Date.parse('2026-11-27T22:20:00Z');
    await scheduler.tick();
    expect(stage.begun).toHaveLength(before);
  });
});

describe('what is begun', () => {
  it('is a run for each VM that is there and is meant, with the policy and its priority', async () => {
    stage.vms = [vmOf(1), vmOf(2, { ONEVAULT_EXCLUDE: 'a scratch VM' }), vmOf(3, {}, false), vmOf(4)];
    stage.setPolicies(
      policyDocument({ select: { include: ['*'], exclude: ['id=4'] }, schedules: [{ at: '22:00', mode: 'full' }], priority: 80 }),
      policyDocument({ name: 'off', enabled: false }),
      { kind: 'snapshot', name: 'hourly', timezone: 'UTC', select: { include: ['id=4'] }, schedules: [{ at: '*:00' }], keep: 3 },
    );
    await stage.until(stage.scheduler(), '2026-11-27T22:00:00Z');
    expect(stage.begun.map(({ request, options }) => ({ ...request, priority: options.priority, origin: options.origin }))).toEqual([
      { kind: 'backup', vmId: 1, repository: 'main', mode: 'full', policy: 'nightly', priority: 80, origin: { kind: 'schedule', name: 'nightly' } },
      { kind: 'snapshot-create', vmId: 4, policy: 'hourly', priority: 50, origin: { kind: 'schedule', name: 'hourly' } },
    ]);
    expect(stage.logged.find(({ message }) => message === 'the VM has opted out')?.fields).toEqual({ policy: 'nightly', vmId: 2, reason: 'a scratch VM' });
    expect(stage.refreshes).toBe(1);
  });

  it('is nothing for a VM of which its worker has only just said that it runs in it', async () => {
    stage.vms = [vmOf(1), vmOf(2)];
    stage.setPolicies(policyDocument({ select: { include: ['*'] }, schedules: [{ at: '22:00' }] }));
    stage.refreshedAt = new Date('2026-11-27T21:59:30Z');
    stage.hasNewProxy = true;
    stage.onRefresh = () => {
      stage.hasNewProxy = false;
      stage.vms = [vmOf(1)];
    };
    await stage.until(stage.scheduler(), '2026-11-27T22:00:00Z');
    expect(stage.begun.map(({ request }) => 'vmId' in request && request.vmId)).toEqual([1]);
    expect(stage.refreshes).toBe(1);
  });

  it('comes once when two servers look at the same time, and when one dies in the middle of a slot', async () => {
    stage.vms = Array.from({ length: 20 }, (_, i) => vmOf(i + 1));
    stage.setPolicies(policyDocument());
    const [first, second] = [stage.scheduler(), stage.scheduler()];
    await first.tick();
    stage.pass(HOUR);
    let left = 7;
    stage.onStart = () => {
      if (left-- <= 0) throw new Error('the database is gone');
    };
    await expect(first.tick()).rejects.toThrow('the database is gone');
    expect(stage.begun).toHaveLength(7);
    stage.onStart = () => undefined;
    await Promise.all([first.tick(), second.tick()]);
    expect(stage.begun.map(({ request }) => ('vmId' in request ? request.vmId : -1)).sort((a, b) => a - b)).toEqual(stage.vms.map(({ facts }) => facts.id));
  });

  it('leaves out a VM that cannot be begun, and no other one', async () => {
    stage.vms = [vmOf(1), vmOf(2), vmOf(3)];
    stage.setPolicies(policyDocument());
    stage.onStart = (request) => {
      if ('vmId' in request && request.vmId === 2) throw new ServerError({ code: 'SERVER_NOT_FOUND', message: 'there is no such VM' });
    };
    await stage.until(stage.scheduler(), '2026-11-27T23:00:00Z');
    expect(stage.begun.map(({ request }) => ('vmId' in request ? request.vmId : -1))).toEqual([1, 3]);
  });

  it('is what others want all the same where one schedule cannot be begun, and that one is tried again', async () => {
    stage.setPolicies(policyDocument({ name: 'bad' }), policyDocument({ name: 'good' }));
    stage.onStart = (request) => {
      if ('policy' in request && request.policy === 'bad') throw new Error('the database does not take it');
    };
    const scheduler = stage.scheduler();
    await scheduler.tick();
    stage.pass(HOUR);
    await expect(scheduler.tick()).rejects.toThrow('the database does not take it');
    expect(stage.begun.map(({ options }) => options.origin.name)).toEqual(['good']);
    stage.onStart = () => undefined;
    await scheduler.tick();
    expect(stage.begun.map(({ options }) => options.origin.name)).toEqual(['good', 'bad']);
  });

  it('is the full backup where two schedules of a policy meet, wherever they stand', async () => {
    stage.setPolicies(policyDocument({ schedules: [{ at: '22:00' }, { at: 'Fri 22:00', mode: 'full' }] }));
    await stage.until(stage.scheduler(), '2026-11-28T22:00:00Z');
    expect(stage.begun.map(({ request, slot }) => [slot, 'mode' in request && request.mode])).toEqual([
      ['2026-11-27T22:00Z', 'full'],
      ['2026-11-28T22:00Z', 'auto'],
    ]);
  });

  it('waits for the first look at OpenNebula, and goes by the last one while it is away', async () => {
    stage.setPolicies(policyDocument({ schedules: [{ at: '22:00', startWithin: '5m' }] }));
    stage.refreshedAt = undefined;
    stage.cloudAway = true;
    const scheduler = stage.scheduler();
    await stage.until(scheduler, '2026-11-27T22:20:00Z');
    expect(stage.begun).toEqual([]);
    stage.cloudAway = false;
    await scheduler.tick();
    expect(stage.slotsOf('backup')).toEqual(['2026-11-27T22:00Z']);
    stage.cloudAway = true;
    await stage.until(scheduler, '2026-11-28T22:20:00Z');
    expect(stage.slotsOf('backup')).toEqual(['2026-11-27T22:00Z', '2026-11-28T22:00Z']);
  });

  it('is retention when the last backup of a slot has ended, once for each slot, and before the next slot in any case', async () => {
    stage.setPolicies(policyDocument({ retention: { keepDaily: 7 } }), policyDocument({ name: 'forever' }));
    const scheduler = stage.scheduler();
    await stage.until(scheduler, '2026-11-27T22:10:00Z');
    stage.open.add('nightly');
    stage.ended('nightly', '2026-11-27T22:00:00Z');
    stage.ended('forever', '2026-11-27T22:00:00Z');
    await scheduler.tick();
    expect(stage.slotsOf('retention')).toEqual([]);
    stage.open.clear();
    await scheduler.tick();
    stage.ended('nightly', '2026-11-27T22:00:00Z');
    await scheduler.tick();
    expect(stage.begun.filter(({ request }) => request.kind === 'retention').map(({ request, slot }) => [request, slot])).toEqual([
      [{ kind: 'retention', repository: 'main', policy: 'nightly' }, '2026-11-27T22:00Z'],
    ]);
    await stage.until(stage.scheduler(), '2026-11-29T22:10:00Z'); // a server that was started anew, and told of no end
    expect(stage.slotsOf('retention')).toEqual(['2026-11-27T22:00Z', '2026-11-28T22:00Z']);
  });

  it('that is set while nothing is due is seen at once, not when the scheduler looks next: its first run may be before that', async () => {
    const stop = new AbortController();
    const sleeps: number[] = [];
    const looked = new EventTarget();
    const clock: Clock = {
      ...stage.clock,
      sleep: (ms, options) =>
        new Promise((_, reject) => {
          sleeps.push(ms);
          options?.signal?.addEventListener('abort', () => reject(options.signal?.reason), { once: true });
          looked.dispatchEvent(new Event('sleeps'));
        }),
    };
    const asleep = (): Promise<unknown> => new Promise((resolve) => looked.addEventListener('sleeps', resolve, { once: true }));
    const first = asleep();
    using scheduler = stage.scheduler({ clock });
    const running = scheduler.run({ signal: stop.signal }).catch((error: unknown) => error);
    await first;
    const second = asleep();
    stage.wallMs = Date.parse('2026-11-27T21:59:50Z');
    stage.setPolicies(policyDocument());
    await second;
    expect(sleeps).toEqual([30_000, 10_000]);
    expect(stage.handled.size).toBe(1);
    stop.abort();
    await running;
  });

  it('is looking after repositories, at their own times', async () => {
    const maintenance = { timezone: 'UTC', gc: 'Sat 06:00', verify: 'daily 04:00', verifyMode: 'sample' } as const;
    stage.settings = {
      ...stage.settings,
      repositories: [
        { name: 'main', place: '/srv/b', secretFile: undefined, maintenance },
        { name: 'other', place: '/srv/o', secretFile: undefined, maintenance: { ...maintenance, gc: undefined, verify: undefined } },
      ],
    };
    await stage.until(stage.scheduler(), '2026-11-29T12:00:00Z');
    expect(stage.begun.map(({ request, slot }) => [request, slot])).toEqual([
      [{ kind: 'verify', repository: 'main', mode: 'sample' }, '2026-11-28T04:00Z'],
      [{ kind: 'gc', repository: 'main' }, '2026-11-28T06:00Z'],
      [{ kind: 'verify', repository: 'main', mode: 'sample' }, '2026-11-29T04:00Z'],
    ]);
  });
});
