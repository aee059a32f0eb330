import type { CalendarDay } from '../api/answers.ts';
import { formatLocalDay } from '../show/format.ts';

export interface CalendarCell {
  /** Of the month; undefined before its first and behind its last. */
  readonly day: number | undefined;
  readonly points: readonly CalendarDay[];
}

export interface CalendarMonth {
  readonly key: string;
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  /** Weeks from Monday on. */
  readonly weeks: readonly (readonly CalendarCell[])[];
}

/** Months that have restore points, newest first, each as weeks; days are those of whoever looks. */
export function monthsOf(points: readonly CalendarDay[]): readonly CalendarMonth[] {
  const byDay = new Map<string, CalendarDay[]>();
  for (const point of points) {
    const day = formatLocalDay(new Date(point.capturedAt));
    byDay.set(day, [...(byDay.get(day) ?? []), point]);
  }
  const months = [...new Set([...byDay.keys()].map((day) => day.slice(0, 7)))].sort().reverse();
  return months.map((key) => {
    const year = Number(key.slice(0, 4));
    const month = Number(key.slice(5));
    const days = new Date(year, month, 0).getDate();
    const before = (new Date(year, month - 1, 1).getDay() + 6) % 7;
    const cells = Array.from({ length: Math.ceil((before + days) / 7) * 7 }, (_, index): CalendarCell => {
      const day = index - before + 1;
      if (day < 1 || day > days) return { day: undefined, points: [] };
      return { day, points: byDay.get(`${key}-${String(day).padStart(2, '0')}`) ?? [] };
    });
    return { key, year, month, weeks: Array.from({ length: cells.length / 7 }, (_, week) => cells.slice(7 * week, 7 * week + 7)) };
  });
}
