import { DAY, HOUR, MINUTE, MONTH, parseField, WEEKDAY } from './number-field.ts';
import type { CalendarRule } from './schedule.ts';

/** The five fields of crontab(5): minute, hour, day of month, month, day of week. `L` as day of month is the last one. */
export function parseCron(fields: readonly string[]): CalendarRule {
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields;
  const hours = parseField(hour, HOUR);
  const minutes = parseField(minute, MINUTE);
  const dayParts = day.split(',');
  const listed = dayParts.filter((part) => part.toUpperCase() !== 'L');
  return {
    months: parseField(month, MONTH),
    days: listed.length === 0 ? [] : parseField(listed.join(','), DAY),
    daysFromEnd: listed.length < dayParts.length ? [1] : [],
    weekdays: parseField(weekday, WEEKDAY),
    // crontab(5): "if both fields are restricted (i.e., do not contain the '*' character), the command will be run when either field matches".
    dayMatch: day.startsWith('*') || weekday.startsWith('*') ? 'both' : 'either',
    times: hours.flatMap((h) => minutes.map((m) => h * 60 + m)),
    everyHour: hours.length === 24,
  };
}
