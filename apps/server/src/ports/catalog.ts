import type { CallOptions, SerializedError } from '@onevault/base';
import type { PointFacts } from '@onevault/policies';

/** A restore point as the server lists it; all of it is in the repository too. */
export interface CatalogPoint {
  readonly repository: string;
  readonly id: string;
  /** All restore points of one VM: another one when OpenNebula used the id of a VM again. */
  readonly group: string;
  readonly vmId: number;
  readonly vmName: string;
  readonly capturedAt: Date;
  readonly committedAt: Date;
  readonly mode: 'full' | 'incremental';
  readonly consistency: string;
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly disks: readonly { readonly key: string; readonly diskId: number; readonly target: string; readonly sizeBytes: number }[];
  readonly tags: readonly string[];
  readonly held: { readonly reason: string; readonly until?: Date } | undefined;
  /** Everything that holds it, for retention. */
  readonly holds: readonly { readonly name: string; readonly until?: string }[];
  readonly damaged: boolean;
  /** The policy that it was taken for, where one was. */
  readonly policy: string | undefined;
}

export interface PointPage {
  readonly items: readonly CatalogPoint[];
  readonly next: string | undefined;
}

/** What a VM has, for lists: counted once and kept up to date. */
export interface VmPoints {
  readonly count: number;
  /** What they brought new into their repositories, all together. */
  readonly storedBytes: number;
  readonly newest: CatalogPoint | undefined;
  /** Newest good one in a repository. */
  newestGood(repository: string): PointFacts | undefined;
}

export interface RepositoryStanding {
  readonly name: string;
  readonly place: string;
  readonly encrypted: boolean;
  readonly reachable: boolean;
  readonly problem: SerializedError | undefined;
  readonly points: number;
  /** Of the disks of all its restore points together: with `storedBytes`, what deduplication saves. */
  readonly pointBytes: number;
  readonly storedBytes: number | undefined;
  readonly freeBytes: number | undefined;
  readonly lastVerifyAt: Date | undefined;
  readonly damagedPoints: number;
}

/** Restore points of all repositories, in the database and rebuilt from the repositories: a repository that is away loses nothing here. */
export interface Catalog {
  ofVm(vmId: number): VmPoints;
  /** Newest first. */
  listOfVm(vmId: number, page: { readonly limit: number; readonly cursor?: string }): Promise<PointPage>;
  get(repository: string, pointId: string): Promise<CatalogPoint | undefined>;
  repositories(): readonly RepositoryStanding[];
  /** Reads a repository again, after a run or from time to time. */
  refresh(repository: string, options?: CallOptions): Promise<void>;
}
