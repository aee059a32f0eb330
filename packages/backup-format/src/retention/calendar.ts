import type { RetentionDuration } from './duration.ts';
import type { TimeZone } from './time-zone.ts';

/** What a rule counts: every point by itself, or calendar periods of the policy's zone. A week is an ISO week, Monday to Sunday. */
export type Period = 'point' | 'hour' | 'day' | 'week' | 'month' | 'year';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * A number that two instants share exactly when they lie in the same period. `wallMs` is the instant on the wall clock, `offsetMs` how far that is ahead of UTC.
 * The hour that a clock shows twice is two hours: both were lived through, and a point of each is worth the same.
 */
export function periodOf(period: Exclude<Period, 'point'>, wallMs: number, offsetMs: number): number {
  switch (period) {
    case 'hour':
      return Math.floor(wallMs / HOUR_MS) * 2 ** 18 + Math.round(offsetMs / 1000) + 2 ** 17;
    case 'day':
      return Math.floor(wallMs / DAY_MS);
    case 'week':
      // 1970-01-01 was a Thursday. ISO weeks follow one another without regard to years, so week 53 needs no care.
      return Math.floor((Math.floor(wallMs / DAY_MS) + 3) / 7);
    case 'month': {
      const date = new Date(wallMs);
      return date.getUTCFullYear() * 12 + date.getUTCMonth();
    }
    case 'year':
      return new Date(wallMs).getUTCFullYear();
  }
}

/**
 * The instant a duration earlier. Years to days go back on the wall clock, hours by true time after that.
 * A day that the month does not have is the end of the month (31 May - 3m is the end of February), and a later `atMs` never gives an earlier instant:
 * what a window left once does not come back into it.
 */
export function instantBefore(zone: TimeZone, atMs: number, duration: RetentionDuration): number {
  const wall = new Date(zone.risingWallClockAt(atMs));
  const months = wall.getUTCFullYear() * 12 + wall.getUTCMonth() - duration.years * 12 - duration.months;
  const year = Math.floor(months / 12);
  const month = months - year * 12;
  const monthEnd = utcDay(year, month + 1, 1);
  const day = utcDay(year, month, wall.getUTCDate());
  const sameDay = day < monthEnd ? day + (wall.getTime() - Math.floor(wall.getTime() / DAY_MS) * DAY_MS) : monthEnd;
  const wallMs = sameDay - (duration.weeks * 7 + duration.days) * DAY_MS;
  // Where nothing but hours go back there is no wall clock time to look for, and an hour shown twice would be taken for its first showing.
  const goesByCalendar = duration.years + duration.months + duration.weeks + duration.days > 0;
  return (goesByCalendar ? zone.firstInstantAt(wallMs) : atMs) - duration.hours * HOUR_MS;
}

/** Date.UTC takes the years 0 to 99 for 1900 to 1999. */
function utcDay(year: number, month: number, day: number): number {
  return new Date(0).setUTCFullYear(year, month, day);
}
