import { applyRule, type RuleOutcome, type Timeline, timelineOf } from './apply-rule.ts';
import { type ActiveRule, activeRules, parseRetentionPolicy, type RetentionPolicy, type RetentionPolicyInput, type RetentionRule } from './policy.ts';
import type { RetentionReason } from './reason.ts';
import { instantOf, type RetentionPoint } from './retention-point.ts';
import { TimeZone } from './time-zone.ts';

export interface RetentionSelection<P extends RetentionPoint = RetentionPoint> {
  /** One for each point, newest last. */
  readonly decisions: readonly RetentionDecision<P>[];
  /** One for each rule that is switched on. */
  readonly rules: readonly RetentionRuleReport[];
}

export interface RetentionDecision<P extends RetentionPoint = RetentionPoint> {
  readonly point: P;
  /** `damaged` points are neither kept by a rule nor forgotten with the others: a person, or what acts on `expired`, decides. */
  readonly verdict: 'keep' | 'forget' | 'damaged';
  /** Never empty. */
  readonly reasons: readonly RetentionReason[];
}

export interface RetentionRuleReport {
  readonly rule: RetentionRule;
  /** Points that it wants, whether or not others want them too. */
  readonly kept: number;
  /** Whether it has found all it may keep; until then the oldest good point stays too. */
  readonly full: boolean;
  /** How far back it reaches: the oldest point it wants, and how much older that is than the newest good point. Missing when there is no good point. */
  readonly horizon?: { readonly pointId: string; readonly capturedAt: string; readonly reachMs: number };
  /** Of a `within` rule: points captured at or before this instant (RFC 3339, UTC) are out of its window. */
  readonly cutoff?: string;
}

interface Candidate<P> {
  readonly point: P;
  readonly atMs: number;
  readonly reasons: RetentionReason[];
}

/**
 * Decides which restore points of one group stay at a given date. Pure: forgets nothing, and the same arguments give the same answer in any order of points.
 *
 * Good points are judged by every rule alone and stay when any rule, tag or hold wants them; windows are measured from the newest good point. The `minimumGood`
 * newest good points always stay. Points captured after `asOf` stay and count for nothing; damaged points count for nothing and get their own verdict.
 *
 * What stays among many points also stays among any part of them: applying a policy twice forgets nothing more, a new point never brings an old one back in,
 * and a listing that misses points keeps more, not less. Throws REPO_RETENTION_EMPTY, REPO_RETENTION_INVALID, REPO_TIMEZONE_UNKNOWN; TypeError for points of several groups or an id twice;
 * RangeError for a time that is none.
 */
export function selectForRetention<P extends RetentionPoint>(points: readonly P[], policy: RetentionPolicyInput, asOf: Date): RetentionSelection<P> {
  const parsed = parseRetentionPolicy(policy);
  const asOfMs = asOf.getTime();
  if (Number.isNaN(asOfMs)) throw new RangeError('the date to decide for is not a date');
  const candidates = newestFirst(points);
  const judged = candidates.filter(({ atMs }) => atMs <= asOfMs);
  const good = judged.filter(({ point }) => !point.damaged);
  const rules = activeRules(parsed);
  const timeline = timelineOf(TimeZone.of(parsed.timezone), good);
  const outcomes = rules.map((rule) => applyRule(rule, timeline, parsed.representative));

  for (const { kept } of outcomes) for (const [index, reason] of kept) good[index]?.reasons.push(reason);
  for (const candidate of good) candidate.reasons.push(...tagReasons(candidate.point, parsed));
  for (const candidate of candidates) {
    if (candidate.point.damaged) candidate.reasons.push({ kind: 'damaged' });
    if (candidate.atMs > asOfMs) candidate.reasons.push({ kind: 'future' });
    candidate.reasons.push(...holdReasons(candidate.point, asOfMs));
  }
  for (const { reasons } of good.slice(0, parsed.minimumGood)) reasons.push({ kind: 'last-good' });
  for (const { reasons } of expiredDamage(judged, timeline.zone, parsed)) reasons.push({ kind: 'expired' });

  return {
    decisions: candidates.map(decide).reverse(),
    rules: rules.map((rule, index) => reportOf(rule, outcomes[index] ?? { kept: [], full: false }, good, timeline)),
  };
}

/** Points of one instant are in the order of their ids, so that no answer depends on the order of the input. */
function newestFirst<P extends RetentionPoint>(points: readonly P[]): readonly Candidate<P>[] {
  const ids = new Set<string>();
  for (const { id, group } of points) {
    if (group !== points[0]?.group) throw new TypeError(`points of the groups ${points[0]?.group} and ${group} in one selection: group them first`);
    if (ids.has(id)) throw new TypeError(`the point ${id} is there twice`);
    ids.add(id);
  }
  const candidates = points.map((point): Candidate<P> => ({ point, atMs: instantOf(point.capturedAt), reasons: [] }));
  return candidates.sort((a, b) => b.atMs - a.atMs || (a.point.id < b.point.id ? 1 : -1));
}

function tagReasons(point: RetentionPoint, policy: RetentionPolicy): readonly RetentionReason[] {
  const wanted = policy.keepTags?.filter((tags) => tags.every((tag) => point.tags?.includes(tag))) ?? [];
  return wanted.map((tags) => ({ kind: 'tags', tags }));
}

function holdReasons(point: RetentionPoint, asOfMs: number): readonly RetentionReason[] {
  const standing = point.holds?.filter(({ until }) => until === undefined || instantOf(until) >= asOfMs) ?? [];
  return standing.map(({ name, until }) => ({ kind: 'hold', name, ...(until === undefined ? {} : { until }) }));
}

/** Damaged points that would go even if all damaged ones were good, and that enough newer good points have replaced. */
function expiredDamage<P extends RetentionPoint>(judged: readonly Candidate<P>[], zone: TimeZone, policy: RetentionPolicy): readonly Candidate<P>[] {
  if (!judged.some(({ point }) => point.damaged)) return [];
  const timeline = timelineOf(zone, judged);
  const wanted = new Set(activeRules(policy).flatMap((rule) => applyRule(rule, timeline, policy.representative).kept.map(([index]) => index)));
  let newerGood = 0;
  return judged.filter(({ point, reasons }, index) => {
    if (!point.damaged) newerGood += 1;
    const isHeld = reasons.some(({ kind }) => kind === 'hold') || tagReasons(point, policy).length > 0;
    return point.damaged && !wanted.has(index) && !isHeld && newerGood >= policy.minimumGood;
  });
}

function decide<P extends RetentionPoint>({ point, reasons }: Candidate<P>): RetentionDecision<P> {
  if (point.damaged) return { point, verdict: 'damaged', reasons };
  return reasons.length > 0 ? { point, verdict: 'keep', reasons } : { point, verdict: 'forget', reasons: [{ kind: 'no-rule' }] };
}

function reportOf(rule: ActiveRule, outcome: RuleOutcome, good: readonly Candidate<RetentionPoint>[], { atMs }: Timeline): RetentionRuleReport {
  const { kept, full, cutoffMs } = outcome;
  const oldestIndex = kept.reduce((oldest, [index]) => Math.max(oldest, index), -1);
  const oldest = good[oldestIndex];
  return {
    rule: rule.rule,
    kept: kept.length,
    full,
    ...(oldest ? { horizon: { pointId: oldest.point.id, capturedAt: oldest.point.capturedAt, reachMs: (atMs[0] ?? 0) - oldest.atMs } } : {}),
    ...(cutoffMs === undefined ? {} : { cutoff: new Date(cutoffMs).toISOString() }),
  };
}
