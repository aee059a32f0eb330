import { describe, expect, it } from 'vitest';
import { closingOf, dueRun, openingOf, parseSchedule, parseWindow, trustedHandled } from '../src/index.ts';

const at = (text: string): number => Date.parse(text);
const nightly = parseSchedule('22:00', 'UTC');
const rules = { startWithinMs: 3_600_000, missed: 'run' } as const;

describe('whether a run is due', () => {
  it('is once its time has come, until it was handled', () => {
    expect(dueRun(nightly, at('2026-11-26T22:00Z'), at('2026-11-27T21:59Z'), rules)).toBeUndefined();
    const due = dueRun(nightly, at('2026-11-26T22:00Z'), at('2026-11-27T22:00Z'), rules);
    expect(due).toEqual({ slotMs: at('2026-11-27T22:00Z'), verdict: 'on-time', lateMs: 0 });
    expect(dueRun(nightly, due?.slotMs ?? 0, at('2026-11-27T22:00Z'), rules)).toBeUndefined();
  });

  it('after a long sleep brings one run, the last one that was missed, or none when missed ones are skipped', () => {
    const late = { slotMs: at('2026-11-27T22:00Z'), lateMs: 7_200_000 };
    expect(dueRun(nightly, at('2026-11-01T22:00Z'), at('2026-11-28T00:00Z'), rules)).toEqual({ ...late, verdict: 'late' });
    expect(dueRun(nightly, at('2026-11-01T22:00Z'), at('2026-11-28T00:00Z'), { ...rules, missed: 'skip' })).toEqual({ ...late, verdict: 'missed' });
    expect(dueRun(nightly, late.slotMs, at('2026-11-28T00:00Z'), rules)).toBeUndefined();
  });

  it('a clock that is set back brings no run again', () => {
    expect(dueRun(nightly, at('2026-11-27T22:00Z'), at('2026-11-27T21:00Z'), rules)).toBeUndefined();
    expect(dueRun(nightly, at('2026-11-27T22:00Z'), at('2026-11-27T22:30Z'), rules)).toBeUndefined();
  });

  it('one that was more than an hour ahead is forgotten, and schedules of every hour go on', () => {
    const hourly = parseSchedule('*:00', 'UTC');
    const now = at('2026-11-27T12:10Z');
    const handled = trustedHandled(at('2026-11-27T20:00Z'), now);
    expect(handled).toBe(now);
    expect(dueRun(hourly, handled, at('2026-11-27T13:00Z'), rules)?.slotMs).toBe(at('2026-11-27T13:00Z'));
  });

  it('what was handled in a year that has not come yet does not silence the schedule', () => {
    const now = at('2026-11-27T22:00Z');
    expect(dueRun(nightly, at('2031-01-01T22:00Z'), now - 1, rules)).toBeUndefined();
    // The scheduler remembers the corrected time as handled; from then on it is as ever.
    expect(dueRun(nightly, now - 1, now, rules)?.verdict).toBe('on-time');
  });
});

describe('a window', () => {
  it.each([
    ['22:00-06:00', '2026-11-27T23:00Z', '2026-11-28T06:00Z'],
    ['22:00-06:00', '2026-11-28T05:59Z', '2026-11-28T06:00Z'],
    ['22:00-06:00', '2026-11-28T06:00Z', undefined],
    ['Fri 22:00-06:00', '2026-11-28T05:00Z', '2026-11-28T06:00Z'],
    ['Sat 22:00-06:00', '2026-11-28T05:00Z', undefined],
    ['Sat 00:00-24:00', '2026-11-28T05:00Z', '2026-11-29T00:00Z'],
    ['Sat..Sun 00:00-24:00', '2026-11-28T05:00Z', '2026-11-30T00:00Z'],
    ['Fri..Sat 08:00-08:00', '2026-11-28T05:00Z', '2026-11-29T08:00Z'],
    ['Mon..Fri 22:00-22:00', '2026-11-23T23:00Z', '2026-11-28T22:00Z'],
    ['Mon..Fri 22:00-22:00', '2026-11-28T22:00Z', undefined],
    ['23:59-00:00', '2026-11-28T23:59:59Z', '2026-11-29T00:00Z'],
    ['23:59-00:00', '2026-11-29T00:00Z', undefined],
  ])('%s at %s closes at %s', (text, now, closes) => {
    expect(closingOf(parseWindow(text, 'UTC'), at(now))).toBe(closes === undefined ? undefined : at(closes));
  });

  it('closes by the clock on the wall in the night the clock changes', () => {
    expect(closingOf(parseWindow('22:00-06:00', 'Europe/Berlin'), at('2026-10-24T23:00Z'))).toBe(at('2026-10-25T05:00Z'));
    expect(closingOf(parseWindow('22:00-06:00', 'Europe/Berlin'), at('2026-03-28T23:00Z'))).toBe(at('2026-03-29T04:00Z'));
  });

  it('of the whole day never closes: it does not end in every midnight', () => {
    const now = at('2026-11-28T05:00Z');
    for (const text of ['00:00-24:00', '08:00-08:00']) expect(closingOf(parseWindow(text, 'UTC'), now)).toBeGreaterThan(now + 7 * 86_400_000);
  });

  it.each([
    ['an hour that is skipped is no window', '02:00-03:00', 'Europe/Berlin', '2026-03-29T01:00Z', undefined],
    ['one that begins in it opens when the clock has jumped', '02:30-04:00', 'Europe/Berlin', '2026-03-29T01:00Z', '2026-03-29T02:00Z'],
    ['an hour that comes twice is in it twice', '02:00-03:00', 'Europe/Berlin', '2026-10-25T01:30Z', '2026-10-25T02:00Z'],
    ['it closes when the time is shown for the first time', '01:00-02:30', 'Europe/Berlin', '2026-10-25T00:29Z', '2026-10-25T00:30Z'],
    ['and is not open again when it is shown once more', '01:00-02:30', 'Europe/Berlin', '2026-10-25T01:00Z', undefined],
    ['half an hour is skipped on Lord Howe', '02:00-02:30', 'Australia/Lord_Howe', '2026-10-03T15:30Z', undefined],
    ['half an hour comes twice there', '01:30-02:00', 'Australia/Lord_Howe', '2026-04-04T15:15Z', '2026-04-04T15:30Z'],
    ['on a day that a country skipped none opens', 'Fri 08:00-08:00', 'Pacific/Apia', '2011-12-30T11:00Z', undefined],
    ['and one that was open before it closes on the day after', 'Thu 22:00-06:00', 'Pacific/Apia', '2011-12-30T09:30Z', '2011-12-30T10:00Z'],
  ])('%s', (_title, text, zone, now, closes) => {
    expect(closingOf(parseWindow(text, zone), at(now))).toBe(closes === undefined ? undefined : at(closes));
  });

  it('opens again on the next of its days', () => {
    const window = parseWindow('Mon..Fri 22:00-06:00', 'UTC');
    expect(openingOf(window, at('2026-11-28T12:00Z'))).toBe(at('2026-11-30T22:00Z'));
    expect(openingOf(window, at('2026-11-28T05:00Z'))).toBe(at('2026-11-28T05:00Z'));
  });

  it('refuses what is none', () => {
    for (const text of ['22:00', '22-06', '24:00-06:00', '22:00-25:00', '22:61-23:00', 'Xyz 22:00-06:00'])
      expect(() => parseWindow(text, 'UTC'), text).toThrow(expect.objectContaining({ code: expect.stringMatching(/^POLICY_/) }));
  });
});
