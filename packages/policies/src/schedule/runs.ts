import type { TimeZone } from '@onevault/backup-format';
import type { CalendarRule, Schedule } from './schedule.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** 29 February on a given weekday comes every 28 years, and every 40 around a century that skips its leap day. */
const FURTHEST_DAYS = 41 * 366;
/** A Saturday; any midnight would do. */
const ANCHOR_WALL_MS = Date.UTC(2000, 0, 1);

/** The first run after an instant (ms), itself excluded. Undefined when none comes in 41 years. */
export function nextRun(schedule: Schedule, afterMs: number): number | undefined {
  if (schedule.kind === 'interval') {
    const anchor = schedule.zone.firstInstantAt(ANCHOR_WALL_MS);
    return anchor + (Math.floor((afterMs - anchor) / schedule.everyMs) + 1) * schedule.everyMs;
  }
  return searchDays(schedule.zone, afterMs, 1, (day) => instantsOfDay(schedule.rule, schedule.zone, day).find((instant) => instant > afterMs));
}

/** The last run at or before an instant. */
export function previousRun(schedule: Schedule, atMs: number): number | undefined {
  if (schedule.kind === 'interval') {
    const anchor = schedule.zone.firstInstantAt(ANCHOR_WALL_MS);
    return anchor + Math.floor((atMs - anchor) / schedule.everyMs) * schedule.everyMs;
  }
  return searchDays(schedule.zone, atMs, -1, (day) => instantsOfDay(schedule.rule, schedule.zone, day).findLast((instant) => instant <= atMs));
}

/** The runs after an instant, in order, without end. */
export function* runsAfter(schedule: Schedule, afterMs: number): Generator<number, void> {
  for (let at = nextRun(schedule, afterMs); at !== undefined; at = nextRun(schedule, at)) yield at;
}

/** From the day before (or after) on: where a zone skips a whole day, an instant's neighbours lie two days of the calendar apart. */
function searchDays(zone: TimeZone, atMs: number, direction: 1 | -1, find: (dayMs: number) => number | undefined): number | undefined {
  const today = Math.floor((atMs + zone.offsetAt(atMs)) / DAY_MS) * DAY_MS;
  for (let step = -1; step < FURTHEST_DAYS; step++) {
    const found = find(today + direction * step * DAY_MS);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The instants of one day of the calendar, rising. A time that the clock skips is the moment of the jump; one that it shows twice is its first showing. */
function instantsOfDay(rule: CalendarRule, zone: TimeZone, dayMs: number): number[] {
  if (!isDayOf(rule, new Date(dayMs)) || isSkipped(zone, dayMs)) return [];
  const instants = rule.times.flatMap((minutes) => instantsOf(zone, dayMs + minutes * MINUTE_MS, rule.everyHour));
  return [...new Set(instants)].sort((a, b) => a - b);
}

function instantsOf(zone: TimeZone, wallMs: number, twice: boolean): number[] {
  const first = zone.firstInstantAt(wallMs);
  if (!twice) return [first];
  const offset = zone.offsetAt(wallMs + 1.5 * DAY_MS);
  const second = wallMs - offset;
  return second > first && zone.offsetAt(second) === offset ? [first, second] : [first];
}

/** Countries have left out a whole day to come to the other side of the date line. */
function isSkipped(zone: TimeZone, dayMs: number): boolean {
  const first = zone.firstInstantAt(dayMs);
  return first + zone.offsetAt(first) >= dayMs + DAY_MS;
}

function isDayOf(rule: CalendarRule, day: Date): boolean {
  if (!rule.months.includes(day.getUTCMonth() + 1)) return false;
  const length = new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 0)).getUTCDate();
  const inMonth = rule.days.includes(day.getUTCDate()) || rule.daysFromEnd.includes(length - day.getUTCDate() + 1);
  const inWeek = rule.weekdays.includes(day.getUTCDay());
  return rule.dayMatch === 'both' ? inMonth && inWeek : inMonth || inWeek;
}
