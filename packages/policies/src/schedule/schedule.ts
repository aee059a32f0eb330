import { TimeZone } from '@onevault/backup-format';
import { parseDuration } from '../duration.ts';
import { PolicyError } from '../errors.ts';
import { parseCalendar } from './calendar-text.ts';
import { parseCron } from './cron.ts';

/** Days and times of day on the wall clock. All lists rise; months count from 1, weekdays from Sunday = 0, times in minutes after midnight. */
export interface CalendarRule {
  readonly months: readonly number[];
  readonly days: readonly number[];
  /** Also the month's last day, or the n-th day before its end (1: the last). */
  readonly daysFromEnd: readonly number[];
  readonly weekdays: readonly number[];
  /** Whether day of month and day of week must both fit, or, as in cron when both are given, either. */
  readonly dayMatch: 'both' | 'either';
  readonly times: readonly number[];
  /** Every hour of the day is meant: then an hour that the clock shows twice has its runs twice. */
  readonly everyHour: boolean;
}

export type Schedule =
  | { readonly kind: 'calendar'; readonly text: string; readonly zone: TimeZone; readonly rule: CalendarRule }
  | { readonly kind: 'interval'; readonly text: string; readonly zone: TimeZone; readonly everyMs: number };

const MINUTE_MS = 60_000;

/**
 * Reads `every 4h` (true time, counted from a midnight of the zone), cron's five fields (`30 22 * * 1-5`), or a calendar event in systemd's manner
 * (`Mon..Fri 22:30`, `*-*-01 03:00`, `*-*-~01 03:00` for the last day of the month, `daily`).
 * Throws POLICY_SCHEDULE_INVALID, REPO_TIMEZONE_UNKNOWN.
 */
export function parseSchedule(text: string, timezone: string): Schedule {
  const zone = TimeZone.of(timezone);
  const words = text.trim().split(/\s+/);
  const [first = '', second] = words;
  if (first.toLowerCase() === 'every') return { kind: 'interval', text, zone, everyMs: intervalOf(text, second, words.length) };
  const rule = words.length === 5 && words.every((word) => /^[\d*,/\-A-Za-z.]+$/.test(word)) ? parseCron(words) : parseCalendar(text, words);
  if (!canHappen(rule)) throw invalid(text, 'no year has such a day', 'days that a month never has, such as 31 April, never come');
  return { kind: 'calendar', text, zone, rule };
}

function intervalOf(text: string, length: string | undefined, words: number): number {
  if (length === undefined || words > 2) throw invalid(text, 'it is not one interval', "write 'every 4h', 'every 90m' or 'every 2d'");
  const ms = parseDuration(length);
  if (ms < MINUTE_MS || ms % MINUTE_MS !== 0) throw invalid(text, 'the interval is not a whole number of minutes', 'at least 1m');
  return ms;
}

/** The longest each month can be. */
const LONGEST = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function canHappen({ months, days, daysFromEnd, dayMatch }: CalendarRule): boolean {
  if (dayMatch === 'either') return true;
  return months.some((month) => days.some((day) => day <= (LONGEST[month - 1] ?? 0)) || daysFromEnd.some((back) => back <= (LONGEST[month - 1] ?? 0)));
}

function invalid(text: string, why: string, hint: string): PolicyError {
  return new PolicyError({ code: 'POLICY_SCHEDULE_INVALID', message: `the schedule '${text}' is not valid: ${why}`, details: { text }, hint });
}
