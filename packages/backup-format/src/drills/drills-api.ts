import type { CallOptions } from '@onevault/base';
import type { Json } from '../repository-api.ts';

export type DrillOutcome = 'passed' | 'failed';

/** What came of trying a restore: evidence that a point gives back what it should, or that it does not. */
export interface DrillSpec {
  readonly group: string;
  readonly pointId: string;
  readonly outcome: DrillOutcome;
  /** RFC 3339, UTC. */
  readonly startedAt: string;
  readonly finishedAt: string;
  /** What the product says of it: what was waited for, how long everything took, why it failed. The repository does not look inside. At most 60 KiB. */
  readonly facts: { readonly [key: string]: Json };
}

export interface DrillRecord extends DrillSpec {
  readonly id: string;
  /** In a copy: id of the repository from which the restore was really made. */
  readonly origin?: string;
}

/** What the names of the records say, without one of them being read. */
export interface DrillStanding {
  /** When it ended, RFC 3339; absent where none ever passed. */
  readonly lastPassedAt?: string;
  readonly last: { readonly outcome: DrillOutcome; readonly at: string };
}

export interface DrillFilter {
  readonly group?: string;
  /** Of each group only the newest. */
  readonly newest?: boolean;
}

/** Records of drills, kept for each group: the newest 20, and the newest that passed. */
export interface RepositoryDrills {
  /** Durable when it resolves. TypeError for what has no place in a record, REPO_TOO_LARGE. */
  record(spec: DrillSpec, options?: CallOptions): Promise<DrillRecord>;
  /** In order of group and time, oldest first; one that cannot be read is logged and left out: `verify` names it. Memory: one record and the names of a group. */
  list(filter?: DrillFilter, options?: CallOptions): AsyncIterable<DrillRecord>;
  /** Of every group that has a record. One listing; reads nothing. */
  standings(options?: CallOptions): Promise<ReadonlyMap<string, DrillStanding>>;
}
