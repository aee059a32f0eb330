import { describe, expect, it } from 'vitest';
import { groupForRetention, type RetentionPoint, type RetentionPolicyInput, retentionTemplates, selectForRetention } from '../../src/index.ts';
import { at, daily, late, stays } from './calendar-points.ts';
import { told } from './reference.ts';

describe('rules', () => {
  it('keep the newest point of the newest periods that have any, with every reason', () => {
    const points = ['2026-11-18T01:00Z', '2026-11-20T01:00Z', '2026-11-20T13:00Z', '2026-11-22T01:00Z', '2026-11-22T13:00Z'];
    expect(stays(points, { timezone: 'UTC', keepLast: 2, keepDaily: 2 })).toEqual({
      '2026-11-20T13:00Z': 'daily#2',
      '2026-11-22T01:00Z': 'last#2',
      '2026-11-22T13:00Z': 'last#1 daily#1',
    });
  });

  it('keep the oldest point of a period where the policy says so', () => {
    const points = ['2026-11-20T01:00Z', '2026-11-20T13:00Z', '2026-11-21T01:00Z', '2026-11-22T01:00Z', '2026-11-22T13:00Z'];
    expect(stays(points, { timezone: 'UTC', keepDaily: 3, representative: 'first' })).toEqual({
      '2026-11-20T01:00Z': 'daily#3',
      '2026-11-21T01:00Z': 'daily#2',
      '2026-11-22T01:00Z': 'daily#1',
      '2026-11-22T13:00Z': '',
    });
  });

  it('keep a year as a person reads the policy: 3 days, 2 weeks, 4 months, 2 years', () => {
    expect(stays(daily('2026-11-22', 400), { timezone: 'UTC', keepDaily: 3, keepWeekly: 2, keepMonthly: 4, keepYearly: 2 })).toEqual({
      '2025-12-31T01:00Z': 'yearly#2',
      '2026-08-31T01:00Z': 'monthly#4',
      '2026-09-30T01:00Z': 'monthly#3',
      '2026-10-31T01:00Z': 'monthly#2',
      '2026-11-15T01:00Z': 'weekly#2',
      '2026-11-20T01:00Z': 'daily#3',
      '2026-11-21T01:00Z': 'daily#2',
      '2026-11-22T01:00Z': 'daily#1 weekly#1 monthly#1 yearly#1',
    });
  });

  it('keep the oldest point until they have found all they may keep', () => {
    const points = ['2026-10-05T01:00Z', '2026-10-31T01:00Z', '2026-11-22T01:00Z'];
    expect(stays(points, { timezone: 'UTC', keepMonthly: 3 })).toEqual({
      '2026-10-05T01:00Z': 'oldest monthly',
      '2026-10-31T01:00Z': 'monthly#2',
      '2026-11-22T01:00Z': 'monthly#1',
    });
    expect(Object.keys(stays(points, { timezone: 'UTC', keepMonthly: 2 }))).toEqual(['2026-10-31T01:00Z', '2026-11-22T01:00Z']);
  });

  it('keep without end where the count is unlimited', () => {
    expect(Object.keys(stays(daily('2026-11-22', 90), { timezone: 'UTC', keepLast: 'unlimited' }))).toHaveLength(90);
  });

  it('keep tags: one of the entries, all tags of it', () => {
    const points = [
      at('2026-11-19T01:00Z', { tags: ['gold'] }),
      at('2026-11-20T01:00Z', { tags: ['app'] }),
      at('2026-11-21T01:00Z', { tags: ['app', 'month-end'] }),
      '2026-11-22T01:00Z',
    ];
    expect(stays(points, { timezone: 'UTC', keepTags: ['gold', ['app', 'month-end']] })).toEqual({
      '2026-11-19T01:00Z': 'tag:gold',
      '2026-11-21T01:00Z': 'tag:app,month-end',
      '2026-11-22T01:00Z': '',
    });
  });

  it('take the templates', () => {
    const points = daily('2026-11-22', 800);
    const kept = Object.entries(retentionTemplates).map(([name, template]) => [name, Object.keys(stays(points, { timezone: 'UTC', ...template })).length]);
    // 7 days, 3 more weeks, 11 more months; one more year; 13 days, 6 more weeks, 10 more months, 2 more years and the oldest.
    expect(Object.fromEntries(kept)).toEqual({ 'last-7': 7, '7d-4w-12m': 21, 'gfs-7-4-12-3': 22, 'pbs-3-13-8-11-9': 32, 'storware-4x30d': 30 });
  });
});

describe('what wins over rules', () => {
  const oneDay: RetentionPolicyInput = { timezone: 'UTC', keepDaily: 1 };

  it('holds, until their last instant', () => {
    const held = (until: string): RetentionPoint => at('2026-01-01T01:00Z', { holds: [{ name: 'ticket-42', until }] });
    const asOf = new Date('2026-11-22T12:00:00Z');
    expect(stays([held('2026-11-22T12:00:00Z'), '2026-11-22T01:00Z'], oneDay, asOf)).toMatchObject({ '2026-01-01T01:00Z': 'hold:ticket-42' });
    expect(Object.keys(stays([held('2026-11-22T11:59:59.999Z'), '2026-11-22T01:00Z'], oneDay, asOf))).toEqual(['2026-11-22T01:00Z']);
  });

  it('the last good points', () => {
    const { decisions } = selectForRetention(
      daily('2026-11-22', 5).map((time) => at(time)),
      { ...oneDay, minimumGood: 3 },
      late,
    );
    expect(decisions.map(({ verdict, reasons }) => told(verdict, reasons))).toEqual([
      'forget: no-rule',
      'forget: no-rule',
      'keep: last-good',
      'keep: last-good',
      'keep: daily#1 last-good',
    ]);
  });

  it('damage: such points fill no place, are not forgotten, and expire when rules and newer good points allow it', () => {
    const points = [
      at('2026-11-18T01:00Z', { damaged: true }),
      at('2026-11-19T01:00Z', { damaged: true, holds: [{ name: 'evidence' }] }),
      '2026-11-20T01:00Z',
      at('2026-11-21T01:00Z', { damaged: true }),
    ];
    expect(stays(points, oneDay)).toEqual({
      '2026-11-18T01:00Z': 'damaged: damaged expired',
      '2026-11-19T01:00Z': 'damaged: damaged hold:evidence',
      '2026-11-20T01:00Z': 'daily#1',
      '2026-11-21T01:00Z': 'damaged: damaged',
    });
  });

  it('damage where nothing good is newer: that does not expire, it may be all there is', () => {
    const damaged = ['2026-11-18T01:00Z', '2026-11-19T01:00Z'].map((time) => at(time, { damaged: true }));
    expect(stays(damaged, oneDay)).toEqual({ '2026-11-18T01:00Z': 'damaged: damaged', '2026-11-19T01:00Z': 'damaged: damaged' });
    const withOneGood = [...damaged, '2026-11-20T01:00Z'];
    expect(stays(withOneGood, { ...oneDay, minimumGood: 2 })).toMatchObject({ '2026-11-18T01:00Z': 'damaged: damaged' });
    expect(stays(withOneGood, oneDay)).toMatchObject({ '2026-11-18T01:00Z': 'damaged: damaged expired' });
    const tagged = at('2026-11-17T01:00Z', { damaged: true, tags: ['gold'] });
    expect(stays([tagged, ...withOneGood], { ...oneDay, keepTags: ['gold'] })).toMatchObject({ '2026-11-17T01:00Z': 'damaged: damaged' });
  });

  it('the future, which begins after the very instant of the date', () => {
    expect(stays(['2026-11-22T01:00Z'], oneDay, new Date('2026-11-22T01:00:00Z'))).toEqual({ '2026-11-22T01:00Z': 'daily#1' });
    expect(stays(['2026-11-22T01:00Z'], oneDay, new Date('2026-11-22T00:59:59.999Z'))).toEqual({ '2026-11-22T01:00Z': 'future' });
  });

  it('the future: clocks that ran ahead push nothing out', () => {
    const asOf = new Date('2026-11-22T12:00:00Z');
    expect(stays(['2026-11-21T01:00Z', '2026-11-22T01:00Z', '2062-11-22T01:00Z'], { timezone: 'UTC', keepLast: 1, keepWithin: '1h' }, asOf)).toEqual({
      '2026-11-22T01:00Z': 'last#1 within 1h',
      '2062-11-22T01:00Z': 'future',
    });
  });
});

describe('the selection', () => {
  const policy: RetentionPolicyInput = { timezone: 'UTC', keepDaily: 2, keepMonthly: 12 };

  it('tells for each rule how far back it reaches', () => {
    expect(
      selectForRetention(
        daily('2026-11-22', 60).map((time) => at(time)),
        { ...policy, keepWithin: '2d' },
        late,
      ).rules,
    ).toEqual([
      { rule: 'keepDaily', kept: 2, full: true, horizon: { pointId: '2026-11-21T01:00Z', capturedAt: '2026-11-21T01:00:00Z', reachMs: 86_400_000 } },
      { rule: 'keepMonthly', kept: 4, full: false, horizon: { pointId: '2026-09-24T01:00Z', capturedAt: '2026-09-24T01:00:00Z', reachMs: 59 * 86_400_000 } },
      {
        rule: 'keepWithin',
        kept: 2,
        full: true,
        horizon: { pointId: '2026-11-21T01:00Z', capturedAt: '2026-11-21T01:00:00Z', reachMs: 86_400_000 },
        cutoff: '2026-11-20T01:00:00.000Z',
      },
    ]);
  });

  it('of nothing is nothing', () => {
    expect(selectForRetention([], policy, late)).toEqual({
      decisions: [],
      rules: [
        { rule: 'keepDaily', kept: 0, full: false },
        { rule: 'keepMonthly', kept: 0, full: false },
      ],
    });
  });

  it('is of one group: points of several, and an id twice, are refused', () => {
    const foreign = at('2026-11-22T01:00Z', { group: 'vm-43' });
    expect(() => selectForRetention([at('2026-11-21T01:00Z'), foreign], policy, late)).toThrow(TypeError);
    expect(() => selectForRetention([at('2026-11-21T01:00Z'), at('2026-11-21T01:00Z')], policy, late)).toThrow(TypeError);
    const groups = groupForRetention([at('2026-11-21T01:00Z'), foreign, at('2026-11-22T02:00Z')]);
    expect([...groups].map(([group, points]) => [group, points.map(({ id }) => id)])).toEqual([
      ['vm-42', ['2026-11-21T01:00Z', '2026-11-22T02:00Z']],
      ['vm-43', ['2026-11-22T01:00Z']],
    ]);
  });

  it('refuses times that are none', () => {
    expect(() => selectForRetention([{ id: 'a', group: 'vm-1', capturedAt: '2026-11-22' }], policy, late)).toThrow(RangeError);
    expect(() => selectForRetention([{ id: 'a', group: 'vm-1', capturedAt: '2026-13-22T00:00:00Z' }], policy, late)).toThrow(RangeError);
    expect(() => selectForRetention([at('2026-11-22T01:00Z', { holds: [{ name: 'x', until: 'soon' }] })], policy, late)).toThrow(RangeError);
    expect(() => selectForRetention([], policy, new Date(Number.NaN))).toThrow(RangeError);
  });

  it('is made for a hundred thousand points', () => {
    const hourly = Array.from({ length: 100_000 }, (_, i) => ({
      id: `p${i}`,
      group: 'vm-1',
      capturedAt: new Date(1_800_000_000_000 - i * 3_600_000).toISOString(),
    }));
    const { rules } = selectForRetention(
      hourly,
      {
        timezone: 'Europe/Berlin',
        keepLast: 100,
        keepHourly: 'unlimited',
        keepDaily: 5000,
        keepWeekly: 52,
        keepMonthly: 24,
        keepYearly: 20,
        keepWithin: '1y',
        keepWithinDaily: '5y',
      },
      late,
    );
    // From 2015-08-20 18:00 to 2027-01-15 09:00: 4168 days and 13 years, of which neither rule has enough, so that the oldest point stays too.
    expect(rules.map(({ kept }) => kept)).toEqual([100, 100_000, 4168 + 1, 52, 24, 13 + 1, 365 * 24, 5 * 365 + 2]);
  });
});
