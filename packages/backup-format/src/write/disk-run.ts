import type { EncodedChunk } from '../codec/chunk-codec.ts';
import type { WritableRun } from '../repository-api.ts';

/** A changed block; `encoded` when another repository stored it in a way that this one may take over as it is. */
export type ChangedRun = Extract<WritableRun, { kind: 'changed' }> & { readonly encoded?: EncodedChunk };

/** A block whose chunk this repository was just asked for and has; only a copy between repositories of one digest knows that without the data. */
export interface HeldRun {
  readonly kind: 'held';
  readonly index: number;
  readonly digest: Uint8Array;
}

/** What a disk may be written from: the runs of a scan, and what a copy adds to them. */
export type DiskRun = Exclude<WritableRun, { kind: 'changed' }> | ChangedRun | HeldRun;
