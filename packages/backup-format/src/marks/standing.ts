import type { PointMarks } from './marks-api.ts';

/** A hold that keeps a point at an instant, or a mark that cannot be read. */
export interface StandingHold {
  readonly id: string;
  readonly reason: string;
  readonly by?: string;
  readonly until?: string;
}

/** What keeps the point at this instant: holds until their last instant, and every mark that cannot be read (I41). */
export function standingHolds(marks: Pick<PointMarks, 'holds' | 'damaged'>, at: Date): readonly StandingHold[] {
  const standing = marks.holds.filter(({ until }) => until === undefined || Date.parse(until) >= at.getTime());
  return [
    ...standing.map(({ id, reason, by, until }) => ({ id, reason, by, ...(until === undefined ? {} : { until }) })),
    ...marks.damaged.map(({ id }) => ({ id, reason: `a mark that cannot be read: ${id}` })),
  ];
}
