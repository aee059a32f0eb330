import type { CallOptions } from '@onevault/base';
import type { CloudObject } from './cloud-object.ts';

export type JournalRecord =
  | {
      readonly type: 'run';
      readonly time: string;
      readonly runId: string;
      readonly kind: 'backup' | 'restore' | 'snapshot';
      readonly endpoint: string;
      readonly owner: string;
      readonly about: string;
    }
  /** Written before the call leaves. */
  | { readonly type: 'intent'; readonly time: string; readonly step: number; readonly object: CloudObject }
  | { readonly type: 'done'; readonly time: string; readonly step: number; readonly id: number }
  | { readonly type: 'undone'; readonly time: string; readonly step: number }
  /** They stay, on purpose and all in one record: a restored VM without its images, or they without it, is nothing that anybody meant to keep. */
  | { readonly type: 'kept'; readonly time: string; readonly steps: readonly number[] };

/** Append-only; a resolved `append` is on stable storage. */
export interface Journal extends AsyncDisposable {
  append(record: JournalRecord): Promise<void>;
  /** Nothing of the run is left to undo: the journal may go. */
  finish(): Promise<void>;
}

export interface JournalStore {
  create(runId: string): Promise<Journal>;
  /** Journals that were not finished, oldest first; a torn last line (the process died while writing it) is dropped. */
  unfinished(options?: CallOptions): AsyncIterable<{ readonly runId: string; readonly records: readonly JournalRecord[] }>;
  /** Who writes: host, pid and process start, so that a later process can tell a dead run from a live one. */
  readonly owner: string;
  isAlive(owner: string): Promise<boolean>;
}
