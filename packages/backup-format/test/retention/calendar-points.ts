import { type RetentionPoint, type RetentionPolicyInput, selectForRetention } from '../../src/index.ts';
import { told } from './reference.ts';

/** Later than any point of these tests. */
export const late = new Date('2100-01-01T00:00:00Z');

/** A point whose id is its time, as `2026-03-29T00:30Z`. */
export function at(time: string, facts: Partial<RetentionPoint> = {}): RetentionPoint {
  return { id: time, group: 'vm-42', capturedAt: time.replace('Z', ':00Z'), ...facts };
}

/** Verdict and reasons by id, newest last; what goes is left out. */
export function stays(points: readonly (string | RetentionPoint)[], policy: RetentionPolicyInput, asOf = late): Record<string, string> {
  const { decisions } = selectForRetention(
    points.map((point) => (typeof point === 'string' ? at(point) : point)),
    policy,
    asOf,
  );
  const kept = decisions.filter(({ verdict }) => verdict !== 'forget');
  return Object.fromEntries(
    kept.map(({ point, verdict, reasons }) => [
      point.id,
      told(verdict, reasons)
        .replace(' last-good', '')
        .replace(/^keep: ?/, ''),
    ]),
  );
}

/** One point a day at 01:00 UTC, `count` days up to the last. */
export function daily(last: string, count: number): string[] {
  return Array.from({ length: count }, (_, day) => `${new Date(Date.parse(`${last}T00:00:00Z`) - day * 86_400_000).toISOString().slice(0, 10)}T01:00Z`);
}
