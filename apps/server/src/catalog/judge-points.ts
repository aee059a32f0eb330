import { formatRetentionReason, type RetentionPolicy, selectForRetention } from '@onevault/backup-format';
import { type BackupPolicy, type CompiledPolicy, nextRuns } from '@onevault/policies';
import type { ServerSettings } from '../ports/settings-store.ts';

/** What retention must know of a restore point. */
export interface JudgedPoint {
  readonly repository: string;
  readonly id: string;
  readonly group: string;
  readonly capturedAt: Date;
  readonly tags: readonly string[];
  readonly holds: readonly { readonly name: string; readonly until?: string }[];
  readonly damaged: boolean;
  readonly policy: string | undefined;
}

export interface Verdict {
  /** Empty: it goes with the next retention. */
  readonly keptBy: readonly string[];
  /** At the earliest, if all that is to come comes in time. */
  readonly goesOn: Date | undefined;
}

/** So many runs are looked ahead, and so many times it is decided what would be kept then. */
const AHEAD = 400;
const LOOKS = 24;

/**
 * Why each restore point of one VM stays, and when it goes. Each policy decides on what was taken for it in its own repository, exactly as its retention run does;
 * everything else stays until somebody forgets it. `on` is another date to decide for; then nothing is looked ahead.
 */
export function judgePoints(
  points: readonly JudgedPoint[],
  settings: Pick<ServerSettings, 'backupPolicies'>,
  now: Date,
  unreadable: (repository: string) => boolean,
  on?: Date,
): ReadonlyMap<JudgedPoint, Verdict> {
  const policyOf = (point: JudgedPoint) => settings.backupPolicies.find(({ policy }) => policy.name === point.policy && policy.repository === point.repository);
  const asOf = on ?? now;
  const verdicts = new Map<JudgedPoint, Verdict>();
  for (const point of points) {
    const compiled = policyOf(point);
    if (compiled?.policy.retention === undefined)
      verdicts.set(point, { keptBy: [...holdsOf(point, asOf), compiled === undefined ? 'no-policy' : 'no-retention'], goesOn: undefined });
  }
  for (const compiled of settings.backupPolicies) {
    const own = points.filter((point) => policyOf(point) === compiled);
    const stuck = unreadable(compiled.policy.repository);
    for (const [point, verdict] of judgeOwn(own, compiled, asOf, on === undefined && !stuck))
      verdicts.set(point, verdict.keptBy.length === 0 && stuck ? { ...verdict, keptBy: ['unreadable'] } : verdict);
  }
  return verdicts;
}

function judgeOwn(own: readonly JudgedPoint[], compiled: CompiledPolicy<BackupPolicy>, asOf: Date, ahead: boolean): [JudgedPoint, Verdict][] {
  const { retention } = compiled.policy;
  if (retention === undefined || own.length === 0) return [];
  const dates = ahead ? goingDates(own, compiled, retention, asOf) : new Map<string, Date>();
  return keptNow(own, retention, asOf).map(([point, keptBy]) => [point, { keptBy, goesOn: dates.get(point.id) }]);
}

function keptNow(points: readonly JudgedPoint[], retention: RetentionPolicy, asOf: Date): [JudgedPoint, string[]][] {
  const byId = new Map(points.map((point) => [point.id, point]));
  return selectForRetention(points.map(plain), retention, asOf).decisions.flatMap(({ point, verdict, reasons }): [JudgedPoint, string[]][] => {
    const known = byId.get(point.id);
    return known === undefined ? [] : [[known, verdict === 'forget' ? [] : reasons.map(formatRetentionReason)]];
  });
}

/** By halves: what has gone never comes back, so that a handful of looks finds the day of each. */
function goingDates(points: readonly JudgedPoint[], compiled: CompiledPolicy<BackupPolicy>, retention: RetentionPolicy, now: Date): ReadonlyMap<string, Date> {
  const runs = compiled.policy.enabled ? nextRuns(compiled, now.getTime(), AHEAD).map(({ atMs }) => new Date(atMs)) : [];
  const known = points.map(plain);
  const group = known[0]?.group ?? '';
  const dates = new Map<string, Date>();
  let looks = LOOKS;
  const goneAfter = (count: number): ReadonlySet<string> => {
    looks -= 1;
    const coming = runs.slice(0, count).map((at, i) => ({ id: `to-come-${i}`, group, capturedAt: at.toISOString() }));
    const { decisions } = selectForRetention([...known, ...coming], retention, runs[count - 1] ?? now);
    return new Set(decisions.flatMap(({ point, verdict }) => (verdict === 'forget' ? [point.id] : [])));
  };
  /** All of `ids` are there after `from` runs and gone after `to`. */
  const search = (ids: readonly string[], from: number, to: number): void => {
    const date = runs[to - 1];
    if (ids.length === 0 || date === undefined) return;
    if (to - from <= 1 || looks <= 0) {
      if (to - from <= 1) for (const id of ids) dates.set(id, date);
      return;
    }
    const middle = Math.floor((from + to) / 2);
    const gone = goneAfter(middle);
    search(
      ids.filter((id) => gone.has(id)),
      from,
      middle,
    );
    search(
      ids.filter((id) => !gone.has(id)),
      middle,
      to,
    );
  };
  if (runs.length === 0) return dates;
  const last = goneAfter(runs.length);
  search(
    known.map(({ id }) => id).filter((id) => last.has(id)),
    0,
    runs.length,
  );
  return dates;
}

function plain({ id, group, capturedAt, tags, holds, damaged }: JudgedPoint) {
  return { id, group, capturedAt: capturedAt.toISOString(), tags, holds, ...(damaged && { damaged }) };
}

function holdsOf({ holds }: JudgedPoint, at: Date): string[] {
  return holds.filter(({ until }) => until === undefined || Date.parse(until) >= at.getTime()).map(({ name }) => `hold:${name}`);
}
