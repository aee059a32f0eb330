import { PolicyError } from '../errors.ts';

/** One field of a schedule: what it may hold, and the names that stand for numbers. */
export interface FieldRange {
  readonly what: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
  /** Number of the first name. */
  readonly firstName?: number;
  /** Another name of a number: in cron Sunday is 0 and 7. */
  readonly alias?: Readonly<Record<number, number>>;
}

export const MINUTE: FieldRange = { what: 'minute', min: 0, max: 59 };
export const HOUR: FieldRange = { what: 'hour', min: 0, max: 23 };
export const DAY: FieldRange = { what: 'day of the month', min: 1, max: 31 };
export const MONTH: FieldRange = {
  what: 'month',
  min: 1,
  max: 12,
  names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  firstName: 1,
};
export const WEEKDAY: FieldRange = { what: 'day of the week', min: 0, max: 7, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'], alias: { 7: 0 } };

/**
 * Parses a list such as `1,5-9,0/15`: numbers or names, ranges with `-` or `..`, a step with `/`, `*` for all. A range that runs past the end goes on at the
 * beginning (`fri..mon`). Answers the numbers in rising order.
 */
export function parseField(text: string, range: FieldRange): readonly number[] {
  const numbers = new Set<number>();
  for (const part of text.split(',')) for (const number of parsePart(part, range)) numbers.add(range.alias?.[number] ?? number);
  return [...numbers].sort((a, b) => a - b);
}

function* parsePart(part: string, range: FieldRange): Generator<number> {
  const [, span = '', stepText] = /^([^/]+)(?:\/(\d{1,4}))?$/.exec(part) ?? [];
  if (span === '') throw invalidField(part, range);
  const step = stepText === undefined ? 1 : Number(stepText);
  if (step < 1) throw invalidField(part, range);
  const [from, to] = spanOf(span, range, stepText !== undefined);
  const last = to >= from ? to : to + spread(range);
  for (let number = from; number <= last; number += step) yield number > range.max ? number - spread(range) : number;
}

function spanOf(span: string, range: FieldRange, stepped: boolean): readonly [number, number] {
  if (span === '*') return [range.min, range.alias === undefined ? range.max : range.max - 1];
  const [first = '', second, ...more] = span.split(/\.\.|-/);
  if (more.length > 0) throw invalidField(span, range);
  const from = numberOf(first, range);
  if (second !== undefined) return [from, numberOf(second, range)];
  return [from, stepped ? range.max : from];
}

/** How many different numbers there are. */
function spread({ min, max, alias }: FieldRange): number {
  return max - min + 1 - (alias === undefined ? 0 : Object.keys(alias).length);
}

function numberOf(text: string, range: FieldRange): number {
  const byName = range.names?.findIndex((name) => text.toLowerCase() === name || (text.length > 3 && fullName(name).startsWith(text.toLowerCase())));
  if (byName !== undefined && byName >= 0) return byName + (range.firstName ?? 0);
  const number = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= range.min && number <= range.max)) throw invalidField(text, range);
  return number;
}

const FULL_NAMES =
  'sunday monday tuesday wednesday thursday friday saturday january february march april may june july august september october november december'.split(' ');

function fullName(short: string): string {
  return FULL_NAMES.find((name) => name.startsWith(short)) ?? short;
}

function invalidField(text: string, { what, min, max, names }: FieldRange): PolicyError {
  return new PolicyError({
    code: 'POLICY_SCHEDULE_INVALID',
    message: `'${text}' is not a ${what}`,
    details: { text },
    hint: `numbers from ${min} to ${max}${names ? ` or ${names.join(', ')}` : ''}, lists (1,15), ranges (1-5 or 1..5), steps (0/15 or */15), or *`,
  });
}
