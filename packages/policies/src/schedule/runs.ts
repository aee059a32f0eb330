import type { TimeZone } from '@onevault/backup-format';
import type { CalendarRule, Schedule } from './schedule.ts';
import { isSkipped } from './skipped-day.ts';

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
  return searchDays(schedule.zone, afterMs, 1, (day) => instantsOfDay(schedule, day).find((instant) => instant > afterMs), Math.min);
}

/** The last run at or before an instant. */
export function previousRun(schedule: Schedule, atMs: number): number | undefined {
  if (schedule.kind === 'interval') {
    const anchor = schedule.zone.firstInstantAt(ANCHOR_WALL_MS);
    return anchor + Math.floor((atMs - anchor) / schedule.everyMs) * schedule.everyMs;
  }
  return searchDays(schedule.zone, atMs, -1, (day) => instantsOfDay(schedule, day).findLast((instant) => instant <= atMs), Math.max);
}

/** The runs after an instant, in order, without end. */
export function* runsAfter(schedule: Schedule, afterMs: number): Generator<number, void> {
  for (let at = nextRun(schedule, afterMs); at !== undefined; at = nextRun(schedule, at)) yield at;
}

/**
 * From the day before (or after) on: where a zone skips a whole day, an instant's neighbours lie two days of the calendar apart. Where a clock goes back over midnight the
 * evening is shown again when the next day has begun: of two days that follow one another the `nearer` one counts.
 */
function searchDays(
  zone: TimeZone,
  atMs: number,
  direction: 1 | -1,
  find: (dayMs: number) => number | undefined,
  nearer: (a: number, b: number) => number,
): number | undefined {
  const today = Math.floor((atMs + zone.offsetAt(atMs)) / DAY_MS) * DAY_MS;
  for (let step = -1; step < FURTHEST_DAYS; step++) {
    const found = find(today + direction * step * DAY_MS);
    if (found !== undefined) return nearer(found, find(today + direction * (step + 1) * DAY_MS) ?? found);
  }
  return undefined;
}

type CalendarSchedule = Extract<Schedule, { readonly kind: 'calendar' }>;

/** Days of a schedule that were looked at last: a schedule of every minute has 1440 instants in each. */
const REMEMBERED_DAYS = 8;
const remembered = new WeakMap<CalendarSchedule, Map<number, readonly number[]>>();

/** The instants of one day of the calendar, rising. A time that the clock skips is the moment of the jump; one that it shows twice is its first showing. */
function instantsOfDay(schedule: CalendarSchedule, dayMs: number): readonly number[] {
  const { rule, zone } = schedule;
  if (!isDayOf(rule, new Date(dayMs))) return [];
  const days = remembered.get(schedule) ?? new Map<number, readonly number[]>();
  const known = days.get(dayMs);
  if (known !== undefined) return known;
  const instants = isSkipped(zone, dayMs) ? [] : rule.times.flatMap((minutes) => instantsOf(zone, dayMs + minutes * MINUTE_MS, rule.everyHour));
  const rising = [...new Set(instants)].sort((a, b) => a - b);
  const [oldest] = days.keys();
  if (days.size >= REMEMBERED_DAYS && oldest !== undefined) days.delete(oldest);
  remembered.set(schedule, days.set(dayMs, rising));
  return rising;
}

function instantsOf(zone: TimeZone, wallMs: number, twice: boolean): number[] {
  const first = zone.firstInstantAt(wallMs);
  if (!twice) return [first];
  const offset = zone.offsetAt(wallMs + 1.5 * DAY_MS);
  const second = wallMs - offset;
  return second > first && zone.offsetAt(second) === offset ? [first, second] : [first];
}

function isDayOf(rule: CalendarRule, day: Date): boolean {
  if (!rule.months.includes(day.getUTCMonth() + 1)) return false;
  const length = new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 0)).getUTCDate();
  const inMonth = rule.days.includes(day.getUTCDate()) || rule.daysFromEnd.includes(length - day.getUTCDate() + 1);
  const inWeek = rule.weekdays.includes(day.getUTCDay());
  return rule.dayMatch === 'both' ? inMonth && inWeek : inMonth || inWeek;
}
