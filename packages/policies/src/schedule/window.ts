import { TimeZone } from '@onevault/backup-format';
import { PolicyError } from '../errors.ts';
import { parseField, WEEKDAY } from './number-field.ts';
import { isSkipped } from './skipped-day.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Hours of the day in which work may begin (or go on), on days of the week. One that ends before it begins ends on the next day. */
export interface Window {
  readonly text: string;
  readonly zone: TimeZone;
  /** Days on which it opens, Sunday = 0. */
  readonly weekdays: readonly number[];
  /** Minutes after midnight. */
  readonly opens: number;
  /** Minutes after the midnight of the day on which it opened: up to 48 hours. */
  readonly closes: number;
}

/** `22:00-06:00`, `Mon..Fri 22:00-06:00`. Equal ends are a whole day. Throws POLICY_WINDOW_INVALID. */
export function parseWindow(text: string, timezone: string): Window {
  const [, weekdays, from, to] = /^(?:([A-Za-z][A-Za-z.,-]*)\s+)?(\d{1,2}:\d{2})\s*-\s*(\d{1,2}:\d{2})$/.exec(text.trim()) ?? [];
  const opens = minutesOf(from);
  const ends = minutesOf(to);
  if (opens === undefined || ends === undefined || opens === 24 * 60) {
    const hint = "write '22:00-06:00' or 'Mon..Fri 22:00-06:00'";
    throw new PolicyError({ code: 'POLICY_WINDOW_INVALID', message: `'${text}' is not a window`, details: { text }, hint });
  }
  const closes = ends > opens ? ends : ends + 24 * 60;
  return { text, zone: TimeZone.of(timezone), weekdays: parseField(weekdays ?? '*', WEEKDAY), opens, closes };
}

function minutesOf(time: string | undefined): number | undefined {
  const [hours = Number.NaN, minutes = Number.NaN] = (time ?? '').split(':').map(Number);
  const total = hours * 60 + minutes;
  return minutes < 60 && total <= 24 * 60 ? total : undefined;
}

/**
 * When the window that is open at an instant closes; undefined while none is. Days that follow one another without a break (`Sat..Sun 00:00-24:00`) are one stretch; of one
 * that never closes it is a moment more than a week away.
 */
export function closingOf(window: Window, atMs: number): number | undefined {
  let closing: number | undefined;
  for (const { opens, closes } of around(window, atMs)) if (opens <= (closing ?? atMs) && closes > (closing ?? atMs)) closing = closes;
  return closing;
}

/** When it is open next: the instant itself while it is. Undefined for what never opens within eight days. */
export function openingOf(window: Window, atMs: number): number | undefined {
  if (closingOf(window, atMs) !== undefined) return atMs;
  return around(window, atMs)
    .map(({ opens }) => opens)
    .filter((opens) => opens > atMs)
    .sort((a, b) => a - b)[0];
}

function around(window: Window, atMs: number): { readonly opens: number; readonly closes: number }[] {
  const { zone, weekdays, opens, closes } = window;
  const today = Math.floor((atMs + zone.offsetAt(atMs)) / DAY_MS) * DAY_MS;
  return Array.from({ length: 11 }, (_, i) => today + (i - 2) * DAY_MS)
    .filter((day) => weekdays.includes(new Date(day).getUTCDay()) && !isSkipped(zone, day))
    .map((day) => ({ opens: zone.firstInstantAt(day + opens * MINUTE_MS), closes: zone.firstInstantAt(day + closes * MINUTE_MS) }));
}
