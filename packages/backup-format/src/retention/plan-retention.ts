import type { CallOptions } from '@onevault/base';
import { parsePointKey } from '../format/ids.ts';
import { standingHolds } from '../marks/standing.ts';
import type { Repository, RestorePoint } from '../repository-api.ts';
import { parseRetentionPolicy, type RetentionPolicy, type RetentionPolicyInput } from './policy.ts';
import type { RetentionPoint } from './retention-point.ts';
import { type RetentionSelection, selectForRetention } from './select.ts';

/** What a policy wants of a repository at a date. Nothing has been changed. */
export interface RetentionPlan {
  readonly policy: RetentionPolicy;
  readonly asOf: Date;
  /** In order of their names. */
  readonly groups: readonly RetentionGroup[];
  /** The scope's, for whoever carries the plan out. */
  readonly wants?: RetentionScope['wants'];
}

export interface RetentionGroup {
  readonly group: string;
  readonly selection: RetentionSelection<RetentionPoint>;
  /** Manifests that cannot be read. They stay, and as long as one is there nothing of the group is forgotten. */
  readonly unreadable: readonly { readonly key: string; readonly error: Error }[];
}

export interface RetentionScope extends CallOptions {
  /** Only these groups; all by default. */
  readonly groups?: ReadonlySet<string>;
  /** Told of every manifest that is read: what a caller wants to show of a point beside its id is not kept here. */
  readonly onPoint?: (point: RestorePoint) => void;
  /** Which points are judged; all by default. The others stay, and count for nothing: as if they were in another repository. */
  readonly wants?: ((point: RestorePoint) => boolean) | undefined;
}

/**
 * Reads every manifest, every mark and the newest verify record, and decides. Anything that cannot be listed or read, damage apart, is thrown: nobody acts on half a listing.
 * Throws what parseRetentionPolicy throws. Memory: some 200 bytes for every point.
 */
export async function planRetention(repository: Repository, policy: RetentionPolicyInput, asOf: Date, scope: RetentionScope = {}): Promise<RetentionPlan> {
  const parsed = parseRetentionPolicy(policy);
  const gathered = await gather(repository, scope);
  await mark(repository, gathered, asOf, scope);
  const sorted = [...gathered].sort(([a], [b]) => (a < b ? -1 : 1));
  const groups = sorted.map(([group, { points, unreadable }]) => ({ group, selection: selectForRetention([...points.values()], parsed, asOf), unreadable }));
  return { policy: parsed, asOf, groups, ...(scope.wants && { wants: scope.wants }) };
}

interface Gathered {
  readonly points: Map<string, RetentionPoint>;
  readonly unreadable: { readonly key: string; readonly error: Error }[];
}

async function gather(repository: Repository, scope: RetentionScope): Promise<Map<string, Gathered>> {
  const damaged = await repository.damagedPoints(callOf(scope));
  const groups = new Map<string, Gathered>();
  for await (const listed of repository.points(filterOf(scope), callOf(scope))) {
    const name = listed.kind === 'point' ? listed.point.group : (parsePointKey(listed.key)?.group ?? '');
    if (scope.groups && !scope.groups.has(name)) continue;
    if (listed.kind === 'point' && scope.wants?.(listed.point) === false) continue;
    const group = groups.get(name) ?? { points: new Map<string, RetentionPoint>(), unreadable: [] };
    groups.set(name, group);
    if (listed.kind === 'damaged') {
      group.unreadable.push({ key: listed.key, error: listed.error });
      continue;
    }
    const { id, capturedAt } = listed.point;
    group.points.set(id, { id, group: name, capturedAt, ...(damaged.has(id) ? { damaged: true } : {}) });
    scope.onPoint?.(listed.point);
  }
  return groups;
}

async function mark(repository: Repository, groups: ReadonlyMap<string, Gathered>, asOf: Date, scope: RetentionScope): Promise<void> {
  for await (const marks of repository.marks.list(filterOf(scope), callOf(scope))) {
    const points = groups.get(marks.group)?.points;
    const point = points?.get(marks.pointId);
    if (!point) continue;
    const holds = standingHolds(marks, asOf).map(({ reason, until }) => ({ name: reason, ...(until === undefined ? {} : { until }) }));
    points?.set(point.id, { ...point, tags: marks.tags, holds });
  }
}

/** One group is listed without the others. */
function filterOf({ groups }: RetentionScope): { readonly group?: string } {
  const [group] = groups ?? [];
  return group !== undefined && groups?.size === 1 ? { group } : {};
}

function callOf({ signal }: RetentionScope): CallOptions {
  return signal ? { signal } : {};
}

/** Ids of what goes, oldest first; nothing of a group with a manifest that cannot be read. */
export function forgottenBy({ selection, unreadable }: RetentionGroup): readonly string[] {
  return unreadable.length > 0 ? [] : selection.decisions.filter(({ verdict }) => verdict === 'forget').map(({ point }) => point.id);
}
