import { RepositoryError } from '../errors.ts';

/** A span of the calendar. A month is as long as the month it is counted in, a day may have 23 or 25 hours. */
export interface RetentionDuration {
  readonly years: number;
  readonly months: number;
  readonly weeks: number;
  readonly days: number;
  readonly hours: number;
}

type Unit = keyof RetentionDuration;

const unitOf: ReadonlyMap<string, Unit> = new Map([
  ['y', 'years'],
  ['m', 'months'],
  ['w', 'weeks'],
  ['d', 'days'],
  ['h', 'hours'],
]);

/** Five digits reach beyond any history and keep the arithmetic of dates exact. */
const DURATION = /^(?:[0-9]{1,5}[ymwdh])+$/;
const PART = /([0-9]+)([ymwdh])/g;

/**
 * Reads `3d`, `2w`, `1y6m`: numbers with h, d, w, m (months, as in restic) or y, each unit at most once, in any order.
 * Throws REPO_RETENTION_INVALID.
 */
export function parseRetentionDuration(text: string): RetentionDuration {
  if (!DURATION.test(text)) throw invalid(text, 'it is not made of numbers with h, d, w, m or y');
  const found = new Map<Unit, number>();
  for (const [, digits = '', letter = ''] of text.matchAll(PART)) {
    const unit = unitOf.get(letter);
    if (unit === undefined || found.has(unit)) throw invalid(text, `it has ${letter} twice`);
    found.set(unit, Number(digits));
  }
  const amount = (unit: Unit): number => found.get(unit) ?? 0;
  return { years: amount('years'), months: amount('months'), weeks: amount('weeks'), days: amount('days'), hours: amount('hours') };
}

/** The shortest text that parses to the same duration, largest unit first; `0h` for nothing. */
export function formatRetentionDuration(duration: RetentionDuration): string {
  const parts = [...unitOf].filter(([, unit]) => duration[unit] > 0).map(([letter, unit]) => `${duration[unit]}${letter}`);
  return parts.length === 0 ? '0h' : parts.join('');
}

/** A rule of no length is switched off, as a count of 0 is. */
export function isZeroDuration(duration: RetentionDuration): boolean {
  return [...unitOf.values()].every((unit) => duration[unit] === 0);
}

function invalid(text: string, why: string): RepositoryError {
  return new RepositoryError({
    code: 'REPO_RETENTION_INVALID',
    message: `"${text}" is not a duration: ${why}`,
    hint: 'write 12h, 3d, 2w, 6m (months), 1y or several together: 1y6m',
  });
}
