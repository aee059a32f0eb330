import type { CallOptions } from '@onevault/base';

/** Someone's word that a restore point stays, until it is released or over. */
export interface Hold {
  readonly id: string;
  /** For people: a ticket, a law. 1 to 500 characters. */
  readonly reason: string;
  /** Who said it. 1 to 200 characters. */
  readonly by: string;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  /** RFC 3339, UTC; over after this instant by the clock of whoever wants to forget. Without it, it stays until it is released. */
  readonly until?: string;
}

/** A mark that cannot be read: it counts as a hold (I41), because it may be one. */
export interface DamagedMark {
  /** What `release` takes. */
  readonly id: string;
  readonly key: string;
  readonly error: Error;
}

/** Everything that is noted of one restore point beside its manifest. */
export interface PointMarks {
  readonly group: string;
  readonly pointId: string;
  /** Those that are over too. */
  readonly holds: readonly Hold[];
  /** Sorted, each once. */
  readonly tags: readonly string[];
  readonly damaged: readonly DamagedMark[];
  /** Ids of the leases under which somebody is forgetting the point, or was when its process died. */
  readonly forgetting: readonly string[];
}

export interface HoldSpec {
  readonly reason: string;
  readonly by: string;
  readonly until?: string;
}

/**
 * Holds and tags of restore points. Points are named by id or unique prefix: REPO_POINT_NOT_FOUND, REPO_POINT_AMBIGUOUS.
 * A mark is an object of its own, so marking needs no lock and changes no manifest.
 */
export interface RepositoryMarks {
  /** Of every point that has any, in order of group and point; memory: a few marks. */
  list(filter?: { readonly group?: string; readonly pointId?: string }, options?: CallOptions): AsyncIterable<PointMarks>;
  /**
   * When this resolves, no `forgetPoint` of anyone succeeds until the hold is released or over (I42). Waits a few seconds for whoever is forgetting the point
   * at this moment: REPO_POINT_NOT_FOUND when it is gone then, REPO_LOCKED when that is not decided. TypeError for a reason, name or time that has no place in a mark.
   */
  hold(pointId: string, spec: HoldSpec, options?: CallOptions): Promise<Hold>;
  /** By their whole ids, unreadable marks too; all of them or none. Throws REPO_HOLD_NOT_FOUND. A point that exists no more is named by its whole id. */
  release(pointId: string, holdIds: readonly string[], options?: CallOptions): Promise<void>;
  /** Tags are 1 to 64 of `A-Za-z0-9._:@+-`, the first a letter, digit or `_`; one that is there already stays as it is. */
  tag(pointId: string, tags: readonly string[], options?: CallOptions): Promise<void>;
  /** The tags that were there. */
  untag(pointId: string, tags: readonly string[], options?: CallOptions): Promise<readonly string[]>;
  /** Removes tags and ended holds of points that exist no more; the number of them. Holds that stand are left: their point should exist. */
  sweep(options?: CallOptions): Promise<number>;
}
