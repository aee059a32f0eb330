import type { DoctorVerdict, Finding } from '@onevault/orchestrator';
import { paint } from './output.ts';
import { printable } from './table.ts';
import { count } from './units.ts';

const COLORS = { ok: 'green', warning: 'yellow', problem: 'red', unknown: 'yellow' } as const satisfies Record<DoctorVerdict, string>;

/** A line of what was seen, and one of what to do. */
export function findingLines({ area, verdict, code, subject, text, remedy }: Finding, color: boolean): string[] {
  const head = `${paint(verdict.toUpperCase().padEnd(8), COLORS[verdict], color)} ${area.padEnd(10)} ${printable(subject)}: ${printable(text)}`;
  if (verdict === 'ok' || remedy === undefined) return [head];
  return [`${head} [${code}]`, `${''.padEnd(19)} do: ${printable(remedy)}`];
}

export type FindingCounts = Readonly<Record<DoctorVerdict, number>>;

export function countFindings(findings: readonly Finding[]): FindingCounts {
  const counts = { ok: 0, warning: 0, problem: 0, unknown: 0 };
  for (const { verdict } of findings) counts[verdict] += 1;
  return counts;
}

export function doctorLine({ ok, warning, problem, unknown }: FindingCounts): string {
  const said = [count(problem, 'problem'), count(warning, 'warning'), ...(unknown > 0 ? [`${unknown} unknown`] : []), `${ok} ok`];
  return `doctor: ${said.join(', ')}`;
}
