import { TimeZone } from '@onevault/backup-format';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextRun, parseSchedule, previousRun } from '../src/index.ts';

const zones = fc.constantFrom(
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'America/Santiago',
  'Africa/Casablanca',
  'Pacific/Apia',
);
const texts = fc.constantFrom(
  'daily',
  '02:30',
  '*:0/15',
  'Mon..Fri 22:00',
  '*-*-~01 03:00',
  '0 */6 * * *',
  '15 2 1,15 * 0',
  'every 90m',
  'every 7h',
  'weekly',
  'monthly',
);
const instants = fc.integer({ min: Date.UTC(2005, 0, 1) / 1000, max: Date.UTC(2037, 0, 1) / 1000 }).map((seconds) => seconds * 1000);

describe('schedules, at any instant in any zone', () => {
  it('the next run lies after the instant, and nothing lies between: it is also the last run before itself', () => {
    fc.assert(
      fc.property(texts, zones, instants, (text, zone, at) => {
        const schedule = parseSchedule(text, zone);
        const next = nextRun(schedule, at) ?? Number.NaN;
        expect(next).toBeGreaterThan(at);
        expect(previousRun(schedule, next)).toBe(next);
        expect(previousRun(schedule, next - 1) ?? Number.NaN).toBeLessThanOrEqual(at);
      }),
    );
  });

  it('a daily run comes exactly once on every day that the zone has', () => {
    fc.assert(
      fc.property(zones, instants, (name, at) => {
        const schedule = parseSchedule('02:30', name);
        const zone = TimeZone.of(name);
        const dayOf = (run: number): number => Math.floor((run + zone.offsetAt(run)) / 86_400_000);
        const first = nextRun(schedule, at) ?? Number.NaN;
        const second = nextRun(schedule, first) ?? Number.NaN;
        const days = new Set<number>();
        for (let hour = first; hour <= second; hour += 1_800_000) days.add(dayOf(hour));
        expect([...days].sort((a, b) => a - b)).toEqual([dayOf(first), dayOf(second)]);
      }),
    );
  });
});
