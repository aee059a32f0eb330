import { instantBefore, type Period, periodOf } from './calendar.ts';
import { formatRetentionDuration } from './duration.ts';
import type { ActiveRule, RetentionPolicy } from './policy.ts';
import type { RetentionReason } from './reason.ts';
import type { TimeZone } from './time-zone.ts';

type Representative = RetentionPolicy['representative'];

/** The points that rules look at, newest first, by index. */
export interface Timeline {
  readonly zone: TimeZone;
  readonly atMs: Float64Array;
  /** What the wall clock of the zone was ahead of UTC. */
  readonly offsetMs: Float64Array;
}

/** What one rule wants of a timeline. */
export interface RuleOutcome {
  /** Index of the point and why; the oldest comes last. */
  readonly kept: readonly (readonly [index: number, reason: RetentionReason])[];
  /** Whether it found all it may keep: enough periods, or a history longer than its window. */
  readonly full: boolean;
  /** Points captured at or before this instant are out of the window of a `within` rule. */
  readonly cutoffMs?: number;
}

export function timelineOf(zone: TimeZone, newestFirst: readonly { readonly atMs: number }[]): Timeline {
  const atMs = Float64Array.from(newestFirst, (point) => point.atMs);
  return { zone, atMs, offsetMs: atMs.map((at) => zone.offsetAt(at)) };
}

/** Applies one rule as if it were alone. */
export function applyRule(rule: ActiveRule, timeline: Timeline, representative: Representative): RuleOutcome {
  if (timeline.atMs.length === 0) return { kept: [], full: false };
  const representatives = representativesOf(rule.period, timeline, representative);
  return rule.kind === 'count' ? applyCount(rule, timeline, representatives) : applyWithin(rule, timeline, representatives);
}

/** One point for each period that has any, newest period first. */
function representativesOf(period: Period, timeline: Timeline, representative: Representative): readonly number[] {
  const { atMs, offsetMs } = timeline;
  if (period === 'point') return Array.from(atMs.keys());
  // A map and not a comparison of neighbours: where clocks go back over midnight, a day is left and entered again.
  const found = new Map<number, number>();
  for (const [index, at] of atMs.entries()) {
    const offset = offsetMs[index] ?? 0;
    const key = periodOf(period, at + offset, offset);
    if (representative === 'first' || !found.has(key)) found.set(key, index);
  }
  return [...found.values()];
}

function applyCount(rule: ActiveRule & { kind: 'count' }, timeline: Timeline, representatives: readonly number[]): RuleOutcome {
  const kept = representatives
    .slice(0, rule.count)
    .map((index, rank): readonly [number, RetentionReason] => [index, { kind: 'count', rule: rule.rule, nth: rank + 1 }]);
  const full = representatives.length >= rule.count;
  return { kept: full ? kept : withOldest(rule, timeline, kept), full };
}

function applyWithin(rule: ActiveRule & { kind: 'within' }, timeline: Timeline, representatives: readonly number[]): RuleOutcome {
  const { zone, atMs } = timeline;
  const newest = atMs[0] ?? Number.NaN;
  const cutoffMs = instantBefore(zone, newest, rule.duration);
  const reason: RetentionReason = { kind: 'within', rule: rule.rule, duration: formatRetentionDuration(rule.duration) };
  const isInside = (index: number): boolean => (atMs[index] ?? Number.NaN) > cutoffMs;
  const kept = representatives.filter(isInside).map((index): readonly [number, RetentionReason] => [index, reason]);
  const full = !isInside(atMs.length - 1);
  return { kept: full ? kept : withOldest(rule, timeline, kept), full, cutoffMs };
}

/** As long as a rule is not full the oldest point stays too: a young history keeps its whole length. */
function withOldest(rule: ActiveRule, timeline: Timeline, kept: RuleOutcome['kept']): RuleOutcome['kept'] {
  const oldest = timeline.atMs.length - 1;
  return kept.some(([index]) => index === oldest) ? kept : [...kept, [oldest, { kind: 'oldest', rule: rule.rule }]];
}
