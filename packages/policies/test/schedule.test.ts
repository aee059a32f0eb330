import { describe, expect, it } from 'vitest';
import { nextRun, parseSchedule, previousRun, runsAfter } from '../src/index.ts';

const at = (text: string): number => Date.parse(text);

function runs(text: string, zone: string, after: string, count: number): string[] {
  const found: string[] = [];
  for (const run of runsAfter(parseSchedule(text, zone), at(after))) {
    found.push(new Date(run).toISOString().replace(':00.000Z', 'Z'));
    if (found.length === count) break;
  }
  return found;
}

describe('the next runs of a schedule', () => {
  it.each([
    ['22:30', 'UTC', '2026-01-31T12:00Z', ['2026-01-31T22:30Z', '2026-02-01T22:30Z']],
    ['daily', 'UTC', '2026-01-31T00:00Z', ['2026-02-01T00:00Z', '2026-02-02T00:00Z']],
    ['daily 22:00', 'Europe/Berlin', '2026-06-01T00:00Z', ['2026-06-01T20:00Z', '2026-06-02T20:00Z']],
    ['Mon..Fri 22:00', 'UTC', '2026-11-27T21:00Z', ['2026-11-27T22:00Z', '2026-11-30T22:00Z', '2026-12-01T22:00Z']],
    ['Fri..Mon 03:00', 'UTC', '2026-11-27T21:00Z', ['2026-11-28T03:00Z', '2026-11-29T03:00Z', '2026-11-30T03:00Z', '2026-12-04T03:00Z']],
    ['saturday,sun 10:15', 'UTC', '2026-11-27T21:00Z', ['2026-11-28T10:15Z', '2026-11-29T10:15Z', '2026-12-05T10:15Z']],
    ['*-*-31 03:00', 'UTC', '2026-01-31T12:00Z', ['2026-03-31T03:00Z', '2026-05-31T03:00Z']],
    ['*-*-~01 03:00', 'UTC', '2028-01-31T12:00Z', ['2028-02-29T03:00Z', '2028-03-31T03:00Z', '2028-04-30T03:00Z']],
    ['*-02-29 03:00', 'UTC', '2096-03-01T00:00Z', ['2104-02-29T03:00Z', '2108-02-29T03:00Z']],
    ['quarterly', 'UTC', '2026-11-27T00:00Z', ['2027-01-01T00:00Z', '2027-04-01T00:00Z']],
    ['*:0/20', 'UTC', '2026-11-27T23:30Z', ['2026-11-27T23:40Z', '2026-11-28T00:00Z', '2026-11-28T00:20Z']],
    ['8..10/2:30', 'UTC', '2026-11-27T00:00Z', ['2026-11-27T08:30Z', '2026-11-27T10:30Z', '2026-11-28T08:30Z']],
    ['30 22 * * 1-5', 'UTC', '2026-11-27T23:00Z', ['2026-11-30T22:30Z']],
    ['0 0 1,15 * 3', 'UTC', '2026-11-27T00:00Z', ['2026-12-01T00:00Z', '2026-12-02T00:00Z', '2026-12-09T00:00Z', '2026-12-15T00:00Z']],
    ['0 0 L 2 *', 'UTC', '2027-01-01T00:00Z', ['2027-02-28T00:00Z', '2028-02-29T00:00Z']],
    ['0 12 * * 7', 'UTC', '2026-11-27T00:00Z', ['2026-11-29T12:00Z']],
    ['*-*-29..31 03:00', 'UTC', '2027-01-30T12:00Z', ['2027-01-31T03:00Z', '2027-03-29T03:00Z', '2027-03-30T03:00Z']],
    ['*-*-~03 03:00', 'UTC', '2028-02-01T00:00Z', ['2028-02-27T03:00Z', '2028-03-29T03:00Z']],
    ['*-02-~01 03:00', 'UTC', '2027-01-01T00:00Z', ['2027-02-28T03:00Z', '2028-02-29T03:00Z']],
    ['0 3 28,L * *', 'UTC', '2027-02-01T00:00Z', ['2027-02-28T03:00Z', '2027-03-28T03:00Z', '2027-03-31T03:00Z']],
    ['Mon *-02-29 03:00', 'UTC', '2026-11-27T00:00Z', ['2044-02-29T03:00Z', '2072-02-29T03:00Z']],
    ['every 4h', 'UTC', '1970-01-01T00:00Z', ['1970-01-01T04:00Z']],
    ['daily', 'UTC', '1970-01-01T00:00Z', ['1970-01-02T00:00Z']],
    ['every 4h', 'UTC', '2026-11-27T03:59Z', ['2026-11-27T04:00Z', '2026-11-27T08:00Z']],
    ['every 90m', 'UTC', '2026-11-27T00:00Z', ['2026-11-27T01:30Z', '2026-11-27T03:00Z']],
  ])('%s in %s after %s', (text, zone, after, expected) => {
    expect(runs(text, zone, after, expected.length)).toEqual(expected);
  });

  it.each([
    ['a time that the clock skips is the moment of the jump', '02:30', 'Europe/Berlin', '2026-03-28T12:00Z', ['2026-03-29T01:00Z', '2026-03-30T00:30Z']],
    ['a time that the clock shows twice comes once, the first time', '02:30', 'Europe/Berlin', '2026-10-24T12:00Z', ['2026-10-25T00:30Z', '2026-10-26T01:30Z']],
    [
      'every hour is every hour, also the one shown twice',
      '*:00',
      'Europe/Berlin',
      '2026-10-24T23:00Z',
      ['2026-10-25T00:00Z', '2026-10-25T01:00Z', '2026-10-25T02:00Z'],
    ],
    ['no hour is missing where one is skipped', '*:00', 'Europe/Berlin', '2026-03-28T23:00Z', ['2026-03-29T00:00Z', '2026-03-29T01:00Z', '2026-03-29T02:00Z']],
    ['half an hour is enough for a change of the clock', '02:15', 'Australia/Lord_Howe', '2026-10-03T12:00Z', ['2026-10-03T15:30Z', '2026-10-04T15:15Z']],
    ['a day that a country skipped is none', 'daily 12:00', 'Pacific/Apia', '2011-12-29T00:00Z', ['2011-12-29T22:00Z', '2011-12-30T22:00Z']],
    [
      'a midnight that does not exist is the first moment of its day',
      'daily',
      'America/Santiago',
      '2026-09-05T12:00Z',
      ['2026-09-06T04:00Z', '2026-09-07T03:00Z'],
    ],
    ['and a day that it skipped is no Friday', 'Fri 12:00', 'Pacific/Apia', '2011-12-24T00:00Z', ['2012-01-05T22:00Z']],
    ['nor the last day but one of its month', '*-*-~02 12:00', 'Pacific/Apia', '2011-12-24T00:00Z', ['2012-01-29T22:00Z']],
    ['half an hour that is shown twice: once', '01:45', 'Australia/Lord_Howe', '2026-04-03T20:00Z', ['2026-04-04T14:45Z', '2026-04-05T15:15Z']],
    [
      'where the clock goes back over midnight the evening that comes again does not swallow the midnight',
      '*:0/20',
      'America/St_Johns',
      '2010-11-07T02:00Z',
      ['2010-11-07T02:10Z', '2010-11-07T02:30Z', '2010-11-07T02:50Z', '2010-11-07T03:10Z'],
    ],
    [
      'an interval is true time, whatever the clock does',
      'every 4h',
      'Europe/Berlin',
      '2026-03-28T22:30Z',
      ['2026-03-28T23:00Z', '2026-03-29T03:00Z', '2026-03-29T07:00Z'],
    ],
  ])('%s', (_title, text, zone, after, expected) => {
    expect(runs(text, zone, after, expected.length)).toEqual(expected);
  });

  it('refuses what cannot be meant, and says what can', () => {
    for (const text of [
      '',
      'sometimes',
      '25:00',
      '22:60',
      'every',
      'every 0m',
      'every 90s',
      'every 1h 2h',
      '61 * * * *',
      '* * * * * *',
      '*-04-31 03:00',
      '0 0 31 2 *x',
      'Mon..',
      '22:00 22:00',
      '2026-11-27 22:00',
    ])
      expect(() => parseSchedule(text, 'UTC'), text).toThrow(expect.objectContaining({ code: expect.stringMatching(/^POLICY_(SCHEDULE|DURATION)_INVALID$/) }));
    expect(() => parseSchedule('daily', 'Mars/Olympus')).toThrow(expect.objectContaining({ code: 'REPO_TIMEZONE_UNKNOWN' }));
  });

  it('the run before an instant may be at it', () => {
    const schedule = parseSchedule('22:00', 'UTC');
    expect(previousRun(schedule, at('2026-11-27T22:00Z'))).toBe(at('2026-11-27T22:00Z'));
    expect(previousRun(schedule, at('2026-11-27T21:59Z'))).toBe(at('2026-11-26T22:00Z'));
    expect(nextRun(schedule, at('2026-11-27T22:00Z'))).toBe(at('2026-11-28T22:00Z'));
  });
});
