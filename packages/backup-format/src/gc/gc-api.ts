import type { CallOptions } from '@onevault/base';
import type { LeaseInfo } from '../lease/lease-info.ts';

export interface GcOptions extends CallOptions {
  /** Says what would be done and changes nothing. */
  readonly dryRun?: boolean;
  /** How long a pack that nothing needs is kept before it is deleted; 24 hours by default. */
  readonly graceMs?: number;
  /** Packs of which less than this share (0 to 1) is needed are rewritten; 0.5 by default, 0 for none. */
  readonly repackBelow?: number;
  /** Whether to wait for leases that seem abandoned until they are surely so: minutes, and only where there is one. True by default. */
  readonly wait?: boolean;
  readonly onProgress?: (progress: GcProgress) => void;
}

export interface GcProgress {
  readonly phase: 'mark' | 'count' | 'delete' | 'repack';
  readonly done: number;
  readonly total: number;
}

export interface PackSum {
  readonly packs: number;
  readonly bytes: number;
}

/** A table that may name a pack cannot be read, or may not be rewritten yet because it is locked; a lease cannot be read. */
export type KeptReason = 'damaged-tables' | 'locked-tables' | 'unreadable-lease';

/** Packs whose time has come and which the store does not let anybody delete yet (Object Lock). They stay condemned, and every later run tries again. */
export interface LockedPacks extends PackSum {
  /** Of the first of them, 20 at most. */
  readonly keys: readonly string[];
  /** When the first lock ends (RFC 3339), where the store says so. */
  readonly until?: string;
}

export interface GcReport {
  readonly dryRun: boolean;
  readonly points: number;
  /** Chunks that restore points, and runs under way, need. */
  readonly chunks: number;
  readonly before: PackSum;
  readonly after: PackSum;
  /** Deleted: nothing needed them, and their grace was over. With `dryRun`: would be. */
  readonly deleted: PackSum;
  /** Would have been deleted, but are locked in the store. Unknown, and empty, with `dryRun`. */
  readonly locked: LockedPacks;
  /** New among those that wait: nothing needs them, or what was needed of them was rewritten. */
  readonly condemned: PackSum;
  /** Sparse packs whose chunks were rewritten, and what that took in new packs. */
  readonly repacked: PackSum;
  readonly rewritten: PackSum;
  /** Condemned earlier, needed again. */
  readonly rescued: PackSum;
  /** Condemned and not deleted yet, the new ones included. */
  readonly waiting: PackSum;
  /** Leases that keep condemned packs whose grace is over, and those of readers of a point that was forgotten. */
  readonly waitingFor: readonly LeaseInfo[];
  /** What interrupted writers had left half written and nobody had touched for a day: removed. */
  readonly leftovers: { readonly files: number; readonly bytes: number };
  /** Why packs that could have gone were kept, beside grace and leases. */
  readonly kept: readonly KeptReason[];
}
