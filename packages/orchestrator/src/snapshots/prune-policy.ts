import { JobError } from '../errors.ts';
import { newestFirst, type SnapshotSet } from './snapshot-set.ts';

/** Limits, each by itself: a set goes as soon as one of them says so. */
export interface PrunePolicy {
  /** The newest so many of a VM stay. */
  readonly keep?: number;
  /** None grows older than that. */
  readonly maxAgeMs?: number;
  /** Sets whose name begins so; default: all of ours. Others are neither counted nor touched. */
  readonly namePrefix?: string;
  /** Only sets that were taken under exactly this label: those of one policy. */
  readonly label?: string;
}

export interface PruneDecision {
  readonly set: SnapshotSet;
  readonly verdict: 'keep' | 'delete';
  /** `newest#2`, `younger-than-limit`; `beyond-keep#4`, `older-than-limit`. */
  readonly reasons: readonly string[];
}

/** Refuses a policy that limits nothing, and one that would leave nothing. */
export function checkPrunePolicy(policy: PrunePolicy): PrunePolicy {
  const { keep, maxAgeMs } = policy;
  if (keep === undefined && maxAgeMs === undefined) throw invalid('it has no limit: nothing would ever go');
  if (keep !== undefined && (!Number.isSafeInteger(keep) || keep < 1)) throw invalid(`it keeps ${keep}: at least one must stay`);
  if (maxAgeMs !== undefined && !(Number.isFinite(maxAgeMs) && maxAgeMs > 0)) throw invalid('its greatest age is no time at all');
  return policy;
}

/**
 * What of one VM's sets goes at `now`, newest first. Pure, and blind to everything that is not a set of ours. Ages go by oned's clock against ours: a set
 * from the future counts as new.
 */
export function planPrune(sets: readonly SnapshotSet[], policy: PrunePolicy, now: Date): readonly PruneDecision[] {
  const { keep, maxAgeMs } = checkPrunePolicy(policy);
  const meant = sets.filter((set) => set.name.startsWith(policy.namePrefix ?? '') && (policy.label === undefined || set.label === policy.label));
  return meant.toSorted(newestFirst).map((set, i) => {
    const tooMany = keep !== undefined && i >= keep;
    const tooOld = maxAgeMs !== undefined && now.getTime() - set.createdAt.getTime() > maxAgeMs;
    const going = [...(tooMany ? [`beyond-keep#${i + 1}`] : []), ...(tooOld ? ['older-than-limit'] : [])];
    if (going.length > 0) return { set, verdict: 'delete', reasons: going };
    return { set, verdict: 'keep', reasons: [...(keep === undefined ? [] : [`newest#${i + 1}`]), ...(maxAgeMs === undefined ? [] : ['younger-than-limit'])] };
  });
}

function invalid(why: string): JobError {
  return new JobError({
    code: 'JOB_SNAPSHOT_POLICY_INVALID',
    message: `the policy for snapshots is not valid: ${why}`,
    hint: 'say how many stay (--keep 3), how old they may grow (--max-age 7d), or both; single sets are deleted by name',
  });
}
