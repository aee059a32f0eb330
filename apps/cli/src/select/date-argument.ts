import { usageError } from '../errors.ts';

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/;

/** `2027-01-01` is the last instant of that day in UTC; `2027-01-01T06:00:00Z` or with an offset is an instant. A time of day without a zone is refused rather than guessed at. */
export function parseDate(text: string, what: string): Date {
  const instant = DATE.test(text) ? `${text}T23:59:59.999Z` : text;
  const date = new Date(INSTANT.test(instant) ? instant : Number.NaN);
  // Date takes 31 February for 3 March.
  const wall = new Date(`${instant.slice(0, 10)}T00:00:00Z`);
  if (Number.isNaN(date.getTime()) || Number.isNaN(wall.getTime()) || wall.toISOString().slice(0, 10) !== instant.slice(0, 10))
    throw usageError(`${what} is '${text}'`, 'give a date like 2027-01-01 (the end of that day in UTC) or an instant like 2027-01-01T06:00:00Z');
  return date;
}
