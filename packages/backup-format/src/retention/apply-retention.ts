import type { CallOptions } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import type { Repository } from '../repository-api.ts';
import { forgottenBy, planRetention, type RetentionGroup, type RetentionPlan } from './plan-retention.ts';

/** What became of a point that the plan wanted gone, or of a group that must not be touched. */
export type RetentionOutcome =
  | { readonly kind: 'forgotten'; readonly group: string; readonly pointId: string }
  /** Held, the last good one, or kept by a rule again since the plan was made. */
  | { readonly kind: 'kept'; readonly group: string; readonly pointId: string; readonly why: 'held' | 'last-good' | 'changed'; readonly error?: Error }
  /** Someone else was faster. */
  | { readonly kind: 'gone'; readonly group: string; readonly pointId: string }
  /** Nothing of this group is forgotten while a manifest of it cannot be read. */
  | { readonly kind: 'refused'; readonly group: string; readonly unreadable: RetentionGroup['unreadable'] };

/**
 * Forgets what a plan says, group by group, oldest first. Right before a group is touched it is listed again and only what is still to go goes; right before each
 * deletion its holds are read again. So an apply never forgets more than the plan that was shown, nor anything that the repository of this moment would keep.
 * A failure of the store ends it; what was yielded is done, and the next apply does the rest.
 */
export async function* applyRetention(repository: Repository, plan: RetentionPlan, options: CallOptions = {}): AsyncGenerator<RetentionOutcome, void> {
  for (const planned of plan.groups) {
    if (planned.unreadable.length > 0 || forgottenBy(planned).length > 0) yield* applyToGroup(repository, plan, planned, options);
  }
}

async function* applyToGroup(
  repository: Repository,
  plan: RetentionPlan,
  planned: RetentionGroup,
  options: CallOptions,
): AsyncGenerator<RetentionOutcome, void> {
  const { group } = planned;
  const again = await planRetention(repository, plan.policy, plan.asOf, { ...options, groups: new Set([group]), wants: plan.wants });
  const fresh = again.groups.find((candidate) => candidate.group === group);
  const unreadable = [planned.unreadable, fresh?.unreadable ?? []].find((found) => found.length > 0);
  if (unreadable) {
    yield { kind: 'refused', group, unreadable };
    return;
  }
  const known = new Map(fresh?.selection.decisions.map(({ point, verdict }) => [point.id, verdict]));
  for (const pointId of forgottenBy(planned)) {
    const verdict = known.get(pointId);
    if (verdict === undefined) yield { kind: 'gone', group, pointId };
    else if (verdict !== 'forget') yield { kind: 'kept', group, pointId, why: 'changed' };
    else yield await forget(repository, group, pointId, options);
  }
}

async function forget(repository: Repository, group: string, pointId: string, options: CallOptions): Promise<RetentionOutcome> {
  try {
    await repository.forgetPoint(pointId, options);
    return { kind: 'forgotten', group, pointId };
  } catch (error) {
    if (isRepositoryError(error, 'REPO_POINT_NOT_FOUND')) return { kind: 'gone', group, pointId };
    if (isRepositoryError(error, 'REPO_POINT_HELD')) return { kind: 'kept', group, pointId, why: 'held', error };
    if (isRepositoryError(error, 'REPO_POINT_LAST_GOOD')) return { kind: 'kept', group, pointId, why: 'last-good', error };
    throw error;
  }
}
