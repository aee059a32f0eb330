import type { CallOptions } from '@onevault/base';
import type { RepositoryError } from '../errors.ts';
import type { RestorePoint } from '../repository-api.ts';
import type { CarriedMarks } from './carry-marks.ts';

export interface CopyOptions extends CallOptions {
  /** Ids of the restore points to copy; all of them by default. */
  readonly points?: Iterable<string>;
  /** Compares with no earlier copy and confirms in the target every chunk it counts as held: slower, heals what the target lost. */
  readonly full?: boolean;
  /** Carries the records of drills that points have in the source to their copies, also to those copied earlier. True by default. */
  readonly drills?: boolean;
  /** Carries the holds and tags that points have in the source to their copies, also to those copied earlier. True by default. */
  readonly marks?: boolean;
  readonly onProgress?: (progress: CopyProgress) => void;
}

export interface CopyProgress {
  /** Restore points that are dealt with, and those that were asked for. */
  readonly points: number;
  readonly totalPoints: number;
  /** The one under way, and how much of its disks was gone through. */
  readonly pointId: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** What became of one restore point. */
export type CopyOutcome =
  /** `point` as the target has it: its counters say what it cost there. `replaced`: the target had a damaged manifest of it, which lies there now. */
  | { readonly kind: 'copied'; readonly point: RestorePoint; readonly replaced?: string }
  /** The target has it. */
  | { readonly kind: 'present'; readonly pointId: string; readonly group: string }
  /** It cannot be read whole; nothing of it was committed. The error names disk and byte range, or the metadata file. */
  | { readonly kind: 'failed'; readonly pointId: string; readonly group: string; readonly error: RepositoryError };

export interface CopyReport {
  readonly copied: number;
  readonly present: number;
  readonly failed: number;
  /** Bytes of chunks that were read and checked, as they are stored in the source. */
  readonly readBytes: number;
  /** Bytes of chunks of disk data that the target did not have, as they are stored there. */
  readonly storedBytes: number;
  /** New in the target, and what of the source's could not be read. */
  readonly marks: CarriedMarks;
  /** Records of drills, new in the target. */
  readonly drills: number;
}
