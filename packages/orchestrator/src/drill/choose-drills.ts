import type { DrillStanding } from '@onevault/backup-format';

/** A VM of which there is a restore point that could be drilled. */
export interface DrillCandidate {
  readonly group: string;
  readonly vmName: string;
  readonly pointId: string;
}

export interface DrillWishes {
  /** At most so many. */
  readonly sample?: number;
  /** Only those that were last proven longer ago than this, or never. */
  readonly maxAgeMs?: number;
}

export interface DrillChoice {
  readonly chosen: readonly DrillCandidate[];
  /** Proven recently enough. */
  readonly fresh: readonly DrillCandidate[];
  /** Due, and left for another time by `sample`. */
  readonly later: readonly DrillCandidate[];
}

/**
 * Whose turn it is: those never proven first, then those whose last proof is the oldest. Among those never proven, whoever was tried longest ago or not at all
 * comes first, so that one VM whose drill always fails does not keep the others from theirs. Pure; the same for the same arguments.
 */
export function chooseDrills(
  candidates: readonly DrillCandidate[],
  standings: ReadonlyMap<string, DrillStanding>,
  now: Date,
  { sample = Number.POSITIVE_INFINITY, maxAgeMs }: DrillWishes,
): DrillChoice {
  const provenAt = ({ group }: DrillCandidate): number => timeOf(standings.get(group)?.lastPassedAt);
  const triedAt = ({ group }: DrillCandidate): number => timeOf(standings.get(group)?.last.at);
  const isFresh = (candidate: DrillCandidate): boolean => maxAgeMs !== undefined && now.getTime() - provenAt(candidate) <= maxAgeMs;
  const due = candidates
    .filter((candidate) => !isFresh(candidate))
    .sort((a, b) => compare(provenAt(a), provenAt(b)) || compare(triedAt(a), triedAt(b)) || compare(a.group, b.group));
  return { chosen: due.slice(0, sample), fresh: candidates.filter(isFresh), later: due.slice(sample) };
}

function timeOf(at: string | undefined): number {
  return at === undefined ? Number.NEGATIVE_INFINITY : Date.parse(at);
}

function compare<T extends number | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
