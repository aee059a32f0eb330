import { describe, expect, it } from 'vitest';
import { closingOf, dueRun, openingOf, parseSchedule, parseWindow } from '../src/index.ts';

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
    ['00:00-24:00', '2026-11-28T05:00Z', '2026-11-29T00:00Z'],
    ['08:00-08:00', '2026-11-28T05:00Z', '2026-11-28T08:00Z'],
  ])('%s at %s closes at %s', (text, now, closes) => {
    expect(closingOf(parseWindow(text, 'UTC'), at(now))).toBe(closes === undefined ? undefined : at(closes));
  });

  it('closes by the clock on the wall in the night the clock changes', () => {
    expect(closingOf(parseWindow('22:00-06:00', 'Europe/Berlin'), at('2026-10-24T23:00Z'))).toBe(at('2026-10-25T05:00Z'));
    expect(closingOf(parseWindow('22:00-06:00', 'Europe/Berlin'), at('2026-03-28T23:00Z'))).toBe(at('2026-03-29T04:00Z'));
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
