import {
  formatRetentionReason,
  parseRetentionDuration,
  parseRetentionPolicy,
  type RetentionDuration,
  type RetentionPoint,
  type RetentionPolicyInput,
  type RetentionReason,
} from '../../src/index.ts';

/**
 * Retention a second time, slowly: by sentences about pairs of points and by what Intl prints, without an order of points and without arithmetic on
 * offsets. What it says about time holds after 1970, when every zone changes at a quarter of an hour.
 */

const QUARTER = 15 * 60_000;
const DAY = 86_400_000;
const formatters = new Map<string, Intl.DateTimeFormat>();
/** What was printed once, by zone and instant: printing is most of the time of these tests. */
const printed = new Map<string, string>();

/** `YYYY-MM-DD hh:mm:ss GMT+hh:mm`, as the zone's clocks show it. */
function clockText(zone: string, at: number): string {
  const key = `${zone} ${at}`;
  const text = printed.get(key) ?? print(zone, at);
  printed.set(key, text);
  return text;
}

function print(zone: string, at: number): string {
  const options = { year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' } as const;
  const format = formatters.get(zone) ?? new Intl.DateTimeFormat('sv-SE', { timeZone: zone, ...options, timeZoneName: 'longOffset' });
  formatters.set(zone, format);
  return format.format(at);
}

function wall(zone: string, at: number): number {
  return Date.parse(`${clockText(zone, at).slice(0, 19).replace(' ', 'T')}Z`) + (((at % 1000) + 1000) % 1000);
}

/** ISO 8601: the week of a day is the week of its Thursday, and that week belongs to the year of its Thursday. */
function isoWeek(date: string): string {
  const day = new Date(`${date}T00:00:00Z`);
  const thursday = new Date(day.getTime() + (4 - (day.getUTCDay() || 7)) * DAY);
  const firstOfYear = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  return `${thursday.getUTCFullYear()}-W${String(Math.floor((thursday.getTime() - firstOfYear) / DAY / 7) + 1).padStart(2, '0')}`;
}

export function periodLabel(rule: string, zone: string, point: { readonly id: string; readonly capturedAt: string }): string {
  const text = clockText(zone, Date.parse(point.capturedAt));
  if (rule.endsWith('Hourly')) return text.slice(0, 13) + text.slice(19);
  if (rule.endsWith('Daily')) return text.slice(0, 10);
  if (rule.endsWith('Weekly')) return isoWeek(text.slice(0, 10));
  if (rule.endsWith('Monthly')) return text.slice(0, 7);
  if (rule.endsWith('Yearly')) return text.slice(0, 4);
  return point.id;
}

/** The first quarter of an hour, and the instant in it, at which clocks show `wanted` or more. */
function firstShowing(zone: string, wanted: number): number {
  for (let start = Math.floor((wanted - 1.5 * DAY) / QUARTER) * QUARTER; ; start += QUARTER) {
    const shown = wall(zone, start);
    if (shown >= wanted) return start;
    if (shown + QUARTER > wanted) return start + wanted - shown;
  }
}

export function cutoffOf(zone: string, newest: number, duration: RetentionDuration): number {
  let shown = wall(zone, newest);
  for (let later = Math.ceil(newest / QUARTER) * QUARTER; later < newest + 1.1 * DAY; later += QUARTER) shown = Math.min(shown, wall(zone, later));
  let cutoff = newest;
  if (duration.years + duration.months + duration.weeks + duration.days > 0) {
    const day = new Date(shown).getUTCDate();
    let [year, month] = [new Date(shown).getUTCFullYear() - duration.years, new Date(shown).getUTCMonth()];
    for (let i = 0; i < duration.months; i++) {
      month -= 1;
      if (month < 0) [year, month] = [year - 1, 11];
    }
    const daysOfMonth = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
    const back = day <= daysOfMonth ? Date.UTC(year, month, day) + (shown % DAY) : Date.UTC(year, month, daysOfMonth) + DAY;
    cutoff = firstShowing(zone, back - (7 * duration.weeks + duration.days) * DAY);
  }
  return cutoff - duration.hours * 3_600_000;
}

const isNewer = (a: RetentionPoint, b: RetentionPoint): boolean =>
  Date.parse(a.capturedAt) === Date.parse(b.capturedAt) ? a.id > b.id : Date.parse(a.capturedAt) > Date.parse(b.capturedAt);

/** Why a rule wants `point` of `points`, if it does. */
function ruleReason(
  rule: string,
  limit: string | number,
  point: RetentionPoint,
  points: readonly RetentionPoint[],
  policy: { timezone: string; representative: string },
) {
  const { timezone, representative } = policy;
  const label = (other: RetentionPoint): string => periodLabel(rule, timezone, other);
  const sameLabel = points.filter((other) => label(other) === label(point));
  const stands = sameLabel.every((other) => other === point || isNewer(point, other) === (representative === 'last'));
  const isOldest = points.every((other) => other === point || isNewer(other, point));
  const word = rule.slice(4).replace('Within', 'Within-').replace(/-$/, '').toLowerCase();
  if (rule.startsWith('keepWithin')) {
    const newest = Math.max(...points.map(({ capturedAt }) => Date.parse(capturedAt)));
    if (Date.parse(point.capturedAt) <= cutoffOf(timezone, newest, parseRetentionDuration(String(limit)))) return undefined;
    if (stands) return `${word} ${limit}`;
    return isOldest ? `oldest ${word}` : undefined;
  }
  const wanted = limit === 'unlimited' ? Number.MAX_VALUE : Number(limit);
  // Periods rank by their newest point: those with a point newer than all of this period's come before it.
  const before = new Set(points.filter((other) => sameLabel.every((own) => isNewer(other, own))).map(label));
  const rank = before.size + 1;
  if (stands && rank <= wanted) return `${word}#${rank}`;
  return isOldest && new Set(points.map(label)).size < wanted ? `oldest ${word}` : undefined;
}

function rulesOf(policy: object): [string, string | number][] {
  const isOn = (limit: string | number): boolean => limit !== 0 && limit !== '0h';
  return Object.entries(policy).filter(([name, limit]) => /^keep(?!Tags)/.test(name) && limit !== undefined && isOn(limit));
}

const order = ['keepLast', 'keepHourly', 'keepDaily', 'keepWeekly', 'keepMonthly', 'keepYearly'];
const rankOf = (rule: string): number => order.indexOf(rule.replace('Within', '').replace(/^keep$/, 'keepLast')) + (rule.includes('Within') ? 10 : 0);

function standingHolds(point: RetentionPoint, asOf: Date): string[] {
  return (point.holds ?? []).filter(({ until }) => until === undefined || Date.parse(until) >= asOf.getTime()).map(({ name }) => `hold:${name}`);
}

/** Verdict and reasons of every point, by its id. */
export function referenceSelection(all: readonly RetentionPoint[], input: RetentionPolicyInput, asOf: Date): Record<string, string> {
  const policy = parseRetentionPolicy(input);
  const judged = all.filter((point) => Date.parse(point.capturedAt) <= asOf.getTime());
  const good = judged.filter((point) => !point.damaged);
  const rules = rulesOf(policy).sort(([a], [b]) => rankOf(a) - rankOf(b));
  const wantedAmong = (point: RetentionPoint, points: readonly RetentionPoint[]): string[] => [
    ...rules.map(([rule, limit]) => ruleReason(rule, limit, point, points, policy)).filter((reason) => reason !== undefined),
    ...(policy.keepTags ?? []).filter((tags) => tags.every((tag) => point.tags?.includes(tag))).map((tags) => `tag:${tags.join(',')}`),
  ];
  const decide = (point: RetentionPoint): string => {
    const isJudged = judged.includes(point);
    const holds = standingHolds(point, asOf);
    const future = isJudged ? [] : ['future'];
    const newerGood = good.filter((other) => isNewer(other, point)).length;
    if (point.damaged) {
      const isExpired = isJudged && holds.length === 0 && wantedAmong(point, judged).length === 0 && newerGood >= policy.minimumGood;
      return ['damaged:', 'damaged', ...future, ...holds, ...(isExpired ? ['expired'] : [])].join(' ');
    }
    const reasons = [...(isJudged ? wantedAmong(point, good) : future), ...holds, ...(isJudged && newerGood < policy.minimumGood ? ['last-good'] : [])];
    return reasons.length > 0 ? ['keep:', ...reasons].join(' ') : 'forget: no-rule';
  };
  return Object.fromEntries(all.map((point) => [point.id, decide(point)]));
}

export function told(verdict: string, reasons: readonly RetentionReason[]): string {
  return [`${verdict}:`, ...reasons.map(formatRetentionReason)].join(' ');
}
