import { PolicyError } from '../errors.ts';
import { DAY, HOUR, MINUTE, MONTH, parseField, WEEKDAY } from './number-field.ts';
import type { CalendarRule } from './schedule.ts';

/** systemd.time(7), CALENDAR EVENTS. */
const SHORTHANDS: Readonly<Record<string, string>> = {
  hourly: '*-* *:00',
  daily: '*-*-* 00:00',
  weekly: 'Mon *-*-* 00:00',
  monthly: '*-*-01 00:00',
  quarterly: '*-01,04,07,10-01 00:00',
  semiannually: '*-01,07-01 00:00',
  yearly: '*-01-01 00:00',
  annually: '*-01-01 00:00',
};

const ALL_MONTHS = parseField('*', MONTH);
const ALL_DAYS = parseField('*', DAY);
const ALL_WEEKDAYS = parseField('*', WEEKDAY);

/** A calendar event: `[weekdays] [date] [time]`, each of which may be missing, or one word for a common one, which a time may follow (`daily 22:00`). */
export function parseCalendar(text: string, words: readonly string[]): CalendarRule {
  const shorthand = SHORTHANDS[words[0]?.toLowerCase() ?? ''];
  const rest = shorthand === undefined ? [...words] : [...shorthand.split(' ').slice(0, words.length > 1 ? -1 : undefined), ...words.slice(1)];
  const weekdays = /^[A-Za-z]/.test(rest[0] ?? '') ? parseField(rest.shift() ?? '', WEEKDAY) : ALL_WEEKDAYS;
  const date = rest[0]?.includes(':') === false ? parseDate(text, rest.shift() ?? '') : { months: ALL_MONTHS, days: ALL_DAYS, daysFromEnd: [] };
  const time = parseTime(text, rest.shift() ?? '00:00');
  if (rest.length > 0 || words.length === 0 || text.trim() === '') throw notAnEvent(text);
  return { ...date, ...time, weekdays, dayMatch: 'both' };
}

/** `*-MM-DD`, `MM-DD`, or with `~` before the day, which then counts from the end of the month. A year would make it a single event, which no schedule is. */
function parseDate(text: string, word: string): Pick<CalendarRule, 'months' | 'days' | 'daysFromEnd'> {
  if (word === '*-*') return { months: ALL_MONTHS, days: ALL_DAYS, daysFromEnd: [] };
  const [, month, fromEnd, day] = /^(?:\*-)?([\d*,./A-Za-z]+)-(~?)([\d*,./]+)$/.exec(word) ?? [];
  if (month === undefined || day === undefined) throw notAnEvent(text);
  const days = parseField(day, DAY);
  return { months: parseField(month, MONTH), days: fromEnd === '~' ? [] : days, daysFromEnd: fromEnd === '~' ? days : [] };
}

function parseTime(text: string, word: string): Pick<CalendarRule, 'times' | 'everyHour'> {
  const [, hour, minute] = /^([\d*,./]+):([\d*,./]+)(?::00)?$/.exec(word) ?? [];
  if (hour === undefined || minute === undefined) throw notAnEvent(text);
  const hours = parseField(hour, HOUR);
  const minutes = parseField(minute, MINUTE);
  return { times: hours.flatMap((h) => minutes.map((m) => h * 60 + m)), everyHour: hours.length === 24 };
}

function notAnEvent(text: string): PolicyError {
  return new PolicyError({
    code: 'POLICY_SCHEDULE_INVALID',
    message: `'${text}' is not a schedule`,
    details: { text },
    hint: "write 'every 4h', cron ('30 22 * * 1-5'), or a calendar event ('22:30', 'Mon..Fri 22:30', '*-*-01 03:00', '*-*-~01 03:00', 'daily 22:30')",
  });
}
