import { describe, expect, it } from 'vitest';
import { selectForRetention } from '../../src/index.ts';
import { at, daily, late, stays } from './calendar-points.ts';

describe('windows', () => {
  it('are measured from the newest good point, not from the date: a stopped job ages nothing out', () => {
    const points = [...daily('2026-03-10', 6), at('2026-04-01T01:00Z', { damaged: true })];
    expect(stays(points, { timezone: 'UTC', keepWithin: '3d' }, new Date('2026-09-01T00:00:00Z'))).toEqual({
      '2026-03-08T01:00Z': 'within 3d',
      '2026-03-09T01:00Z': 'within 3d',
      '2026-03-10T01:00Z': 'within 3d',
      '2026-04-01T01:00Z': 'damaged: damaged',
    });
  });

  it('leave a point out that is exactly as old as they are long, and keep the oldest while they are longer than the history', () => {
    expect(Object.keys(stays(daily('2026-03-10', 9), { timezone: 'UTC', keepWithinDaily: '7d' }))).toHaveLength(7);
    expect(stays(['2026-03-09T01:00Z', '2026-03-09T05:00Z', '2026-03-10T01:00Z'], { timezone: 'UTC', keepWithinDaily: '7d' })).toEqual({
      '2026-03-09T01:00Z': 'oldest within-daily',
      '2026-03-09T05:00Z': 'within-daily 7d',
      '2026-03-10T01:00Z': 'within-daily 7d',
    });
  });

  const cutoff = (newest: string, keepWithin: string, timezone = 'UTC'): string | undefined =>
    selectForRetention([at(newest)], { timezone, keepWithin }, late).rules[0]?.cutoff;

  it.each([
    ['a month without that day ends', '2026-03-31T12:00Z', '1m', 'UTC', '2026-03-01T00:00:00.000Z'],
    ['a leap day has no anniversary', '2028-02-29T12:00Z', '1y', 'UTC', '2027-03-01T00:00:00.000Z'],
    ['a leap day four years later has one', '2028-02-29T12:00Z', '4y', 'UTC', '2024-02-29T12:00:00.000Z'],
    ['years and months go first, then weeks and days', '2026-07-31T12:00Z', '1y5m1w1d', 'UTC', '2025-02-21T00:00:00.000Z'],
    ['a day of 23 hours is a day', '2026-03-29T22:00Z', '1d', 'Europe/Berlin', '2026-03-28T23:00:00.000Z'],
    ['24 hours are 24 hours', '2026-03-29T22:00Z', '24h', 'Europe/Berlin', '2026-03-28T22:00:00.000Z'],
    ['a day of 25 hours is a day', '2026-10-25T23:00Z', '1d', 'Europe/Berlin', '2026-10-24T22:00:00.000Z'],
    ['an hour that is skipped is the jump', '2026-03-30T00:30Z', '1d', 'Europe/Berlin', '2026-03-29T01:00:00.000Z'],
    ['an hour that comes twice is its first coming', '2026-10-26T01:30Z', '1d', 'Europe/Berlin', '2026-10-25T00:30:00.000Z'],
    ['a day that a country skipped is the jump', '2012-01-02T22:00Z', '4d', 'Pacific/Apia', '2011-12-30T10:00:00.000Z'],
    ['half an hour of daylight saving', '2026-10-04T15:20Z', '1d', 'Australia/Lord_Howe', '2026-10-03T15:30:00.000Z'],
  ])('%s', (_, newest, keepWithin, timezone, expected) => {
    expect(cutoff(newest, keepWithin, timezone)).toBe(expected);
  });

  it('never move back, also while clocks show an hour for the second time', () => {
    const instants = Array.from({ length: 60 }, (_, i) => new Date(Date.parse('2026-10-24T22:00:00Z') + i * 300_000).toISOString().replace(/:00.000Z/, 'Z'));
    const cutoffs = instants.map((newest) => cutoff(newest, '3d', 'Europe/Berlin') ?? '');
    expect(cutoffs).toEqual([...cutoffs].sort());
    expect(new Set(cutoffs).size).toBeGreaterThan(40);
  });

  it('may be longer than time', () => {
    expect(Object.keys(stays(daily('2026-03-10', 3), { timezone: 'Europe/Berlin', keepWithin: '99999y99999h' }))).toHaveLength(3);
  });
});

describe('the calendar', () => {
  it.each([
    [
      'the day in spring has no hour from 2 to 3',
      'Europe/Berlin',
      'keepHourly',
      ['2026-03-29T00:59Z', '2026-03-29T01:00Z', '2026-03-29T01:59Z', '2026-03-29T02:00Z'],
      3,
    ],
    [
      'the hour that comes twice is two hours',
      'Europe/Berlin',
      'keepHourly',
      ['2026-10-25T00:10Z', '2026-10-25T00:50Z', '2026-10-25T01:10Z', '2026-10-25T01:50Z'],
      2,
    ],
    ['25 hours are one day', 'Europe/Berlin', 'keepDaily', ['2026-10-24T21:59Z', '2026-10-24T22:00Z', '2026-10-25T22:59Z', '2026-10-25T23:00Z'], 3],
    ['23 hours are one day', 'Europe/Berlin', 'keepDaily', ['2026-03-28T22:59Z', '2026-03-28T23:00Z', '2026-03-29T21:59Z', '2026-03-29T22:00Z'], 3],
    [
      'clocks that go back half an hour show 1:30 to 2:00 twice',
      'Australia/Lord_Howe',
      'keepHourly',
      ['2026-04-04T14:45Z', '2026-04-04T15:15Z', '2026-04-04T15:29Z', '2026-04-04T15:31Z'],
      3,
    ],
    [
      'a quarter to six ahead: hours begin at 15 past',
      'Asia/Kathmandu',
      'keepHourly',
      ['2026-04-04T14:10Z', '2026-04-04T14:20Z', '2026-04-04T15:10Z', '2026-04-04T15:20Z'],
      3,
    ],
    [
      'half an hour forward leaves half of the hour from 2 to 3',
      'Australia/Lord_Howe',
      'keepHourly',
      ['2026-10-03T15:29Z', '2026-10-03T15:30Z', '2026-10-03T15:59Z', '2026-10-03T16:00Z'],
      3,
    ],
    [
      '30 December 2011 did not happen in Samoa',
      'Pacific/Apia',
      'keepDaily',
      ['2011-12-29T10:30Z', '2011-12-30T09:59Z', '2011-12-30T10:00Z', '2011-12-31T09:59Z'],
      2,
    ],
    [
      'a day that is left and entered again when clocks go back over midnight',
      'America/St_Johns',
      'keepDaily',
      ['2010-11-07T02:20Z', '2010-11-07T02:30Z', '2010-11-07T03:00Z', '2010-11-07T03:30Z'],
      2,
    ],
    ['week 53 of 2020 goes on to 3 January 2021', 'UTC', 'keepWeekly', ['2020-12-27T23:59Z', '2020-12-28T00:00Z', '2021-01-03T23:59Z', '2021-01-04T00:00Z'], 3],
    [
      'week 53 of 2026 goes on to 3 January 2027',
      'Europe/Berlin',
      'keepWeekly',
      ['2026-12-27T22:59Z', '2026-12-27T23:00Z', '2027-01-03T22:59Z', '2027-01-03T23:00Z'],
      3,
    ],
    ['week 1 of 2026 begins in December', 'UTC', 'keepWeekly', ['2025-12-28T23:00Z', '2025-12-29T00:00Z', '2026-01-04T23:00Z'], 2],
    ['the leap day is of February', 'UTC', 'keepMonthly', ['2028-02-28T12:00Z', '2028-02-29T23:59Z', '2028-03-01T00:00Z'], 2],
    ['the leap day is a day', 'UTC', 'keepDaily', ['2028-02-28T23:59Z', '2028-02-29T00:00Z', '2028-02-29T23:59Z', '2028-03-01T00:00Z'], 3],
    ['a new year begins by the zone', 'Europe/Berlin', 'keepYearly', ['2026-12-31T22:59Z', '2026-12-31T23:00Z', '2027-12-31T22:59Z'], 2],
    ['a month begins by the zone', 'America/New_York', 'keepMonthly', ['2026-11-01T03:59Z', '2026-11-01T04:00Z', '2026-12-01T04:59Z'], 2],
    [
      'years before 1970',
      'Europe/Berlin',
      'keepYearly',
      ['0050-06-01T00:00Z', '1850-06-01T00:00Z', '1850-12-31T23:30Z', '1969-12-31T22:59Z', '1969-12-31T23:00Z'],
      5,
    ],
  ] as const)('%s', (_, timezone, rule, points, periods) => {
    // One more than there are: then a period too many shows, and the oldest point is no reason by itself.
    const kept = selectForRetention(
      points.map((point) => at(point)),
      { timezone, [rule]: points.length + 1 },
      late,
    );
    const counted = kept.decisions.flatMap(({ reasons }) => reasons.filter(({ kind }) => kind === 'count'));
    expect(counted).toHaveLength(periods);
  });

  it('belongs to the policy, not to the machine', () => {
    const points = ['2026-11-21T22:30Z', '2026-11-21T23:30Z', '2026-11-22T00:30Z'];
    expect(Object.keys(stays(points, { timezone: 'UTC', keepDaily: 2 }))).toEqual(['2026-11-21T23:30Z', '2026-11-22T00:30Z']);
    expect(Object.keys(stays(points, { timezone: 'Europe/Berlin', keepDaily: 2 }))).toEqual(['2026-11-21T22:30Z', '2026-11-22T00:30Z']);
  });
});
