import { TimeZone } from '@onevault/backup-format';
import { describe, expect, it } from 'vitest';
import { parseSchedule, previousRun, runsAfter } from '../src/index.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

/** Years in which the zone does something that others do not. */
const YEARS: readonly (readonly [zone: string, year: number])[] = [
  ['UTC', 2028],
  ['Europe/Berlin', 2026],
  ['Australia/Lord_Howe', 2026],
  ['America/Santiago', 2026],
  ['Africa/Casablanca', 2026],
  ['Pacific/Apia', 2011],
  ['America/St_Johns', 2010],
];

/** Schedules, and in plain words when they mean: `isDay` of the wall clock's date, `minutes` of its day. */
interface Meaning {
  readonly text: string;
  readonly everyHour: boolean;
  readonly minutes: readonly number[];
  readonly isDay: (day: Date) => boolean;
}

const at = (...times: readonly string[]): number[] => times.map((time) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3)));
const everyDay = (): boolean => true;
const hours = (step: number, minute: number): number[] => Array.from({ length: 24 / step }, (_, i) => i * step * 60 + minute);
const isLast = (day: Date): boolean => new Date(day.getTime() + DAY).getUTCDate() === 1;

const MEANINGS: readonly Meaning[] = [
  { text: '02:30', everyHour: false, minutes: at('02:30'), isDay: everyDay },
  { text: 'daily', everyHour: false, minutes: [0], isDay: everyDay },
  { text: '*:10', everyHour: true, minutes: hours(1, 10), isDay: everyDay },
  { text: '*/20 * * * *', everyHour: true, minutes: [...hours(1, 0), ...hours(1, 20), ...hours(1, 40)].sort((a, b) => a - b), isDay: everyDay },
  { text: '15 */2 * * *', everyHour: false, minutes: hours(2, 15), isDay: everyDay },
  { text: 'Mon..Fri 01:45', everyHour: false, minutes: at('01:45'), isDay: (day) => day.getUTCDay() >= 1 && day.getUTCDay() <= 5 },
  { text: '0 2 L * *', everyHour: false, minutes: at('02:00'), isDay: isLast },
  { text: '*-*-~02 23:59', everyHour: false, minutes: at('23:59'), isDay: (day) => isLast(new Date(day.getTime() + DAY)) },
  { text: '0 0 29,30,31 * *', everyHour: false, minutes: [0], isDay: (day) => day.getUTCDate() >= 29 },
  { text: '30 3 13 * 5', everyHour: false, minutes: at('03:30'), isDay: (day) => day.getUTCDate() === 13 || day.getUTCDay() === 5 },
  { text: 'Fri *-*-13 03:30', everyHour: false, minutes: at('03:30'), isDay: (day) => day.getUTCDate() === 13 && day.getUTCDay() === 5 },
];

/**
 * What somebody does who looks at the clock on the wall once a minute, all year: what it shows now is due, and so is what it has jumped over; but what it has shown before
 * is not, unless every hour is meant, and days that it never showed are none.
 */
function* naive({ everyHour, minutes, isDay }: Meaning, wallOf: Int32Array, fromMs: number): Generator<number> {
  const wanted = new Uint8Array(24 * 60);
  for (const minute of minutes) wanted[minute] = 1;
  const days = new Map<number, boolean>();
  const isDue = (wallMinute: number): boolean => {
    if (wanted[((wallMinute % 1440) + 1440) % 1440] !== 1) return false;
    const day = Math.floor(wallMinute / 1440);
    const known = days.get(day) ?? isDay(new Date(day * DAY));
    days.set(day, known);
    return known;
  };
  let highest = wallOf[0] ?? 0;
  for (let i = 1; i < wallOf.length; i++) {
    const wall = wallOf[i] ?? 0;
    // Nearly always.
    if (wall === highest + 1 && wanted[wall % 1440] === 0) {
      highest = wall;
      continue;
    }
    if (wall <= highest ? everyHour && isDue(wall) : isAnyDue(firstShown(highest, wall), wall, isDue)) yield fromMs + i * MINUTE;
    highest = Math.max(highest, wall);
  }
}

/** Of a jump by a whole day nobody has seen anything; what a shorter one went over is due now. */
function firstShown(highest: number, wall: number): number {
  return wall - highest > 1000 ? Math.floor(wall / 1440) * 1440 : highest + 1;
}

function isAnyDue(from: number, to: number, isDue: (wallMinute: number) => boolean): boolean {
  for (let minute = from; minute <= to; minute++) if (isDue(minute)) return true;
  return false;
}

/** Where the zone's clock is set, some days around it; of a zone whose clock never is, the first ones. */
function changesOf(wallOf: Int32Array): readonly (readonly [from: number, to: number])[] {
  const around = 3 * 1440;
  const changes = [...wallOf.keys()].filter((i) => i > around && i < wallOf.length - around && (wallOf[i] ?? 0) - (wallOf[i - 1] ?? 0) !== 1);
  return (changes.length === 0 ? [around] : changes).map((i) => [i - around, i + around]);
}

describe.each(YEARS)('a year in %s, %i', (name, year) => {
  const zone = TimeZone.of(name);
  const fromMs = Date.UTC(year, 0, 1) - 2 * DAY;
  const wallOf = Int32Array.from({ length: 368 * 1440 }, (_, i) => {
    const instant = fromMs + i * MINUTE;
    return Math.floor((instant + zone.offsetAt(instant)) / MINUTE);
  });

  it.each(MEANINGS)('$text comes when somebody who looks at the clock each minute would do it, and no other time', (meaning) => {
    const schedule = parseSchedule(meaning.text, name);
    // What comes all the time is no different far from a change, and takes long.
    const spans = meaning.everyHour ? changesOf(wallOf) : [[0, wallOf.length - 1] as const];
    const expected = [...naive(meaning, wallOf, fromMs)];
    for (const [from, to] of spans) {
      const [afterMs, untilMs] = [fromMs + from * MINUTE, fromMs + to * MINUTE];
      const found: number[] = [];
      for (const run of runsAfter(schedule, afterMs)) {
        if (run > untilMs) break;
        found.push(run);
      }
      const text = (runs: readonly number[]): string[] => runs.map((run) => new Date(run).toISOString());
      const within = expected.filter((run) => run > afterMs && run <= untilMs);
      expect(text(found)).toEqual(text(within));
      expect(text(found.map((run) => previousRun(schedule, run + MINUTE - 1) ?? Number.NaN))).toEqual(text(found));
    }
  });
});
