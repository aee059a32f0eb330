import type { CallOptions } from '@onevault/base';

/**
 * An object of ours in the cloud, by the name it was given before it existed: enough to find it again when the answer that carried its id was lost.
 */
export type CloudObject =
  | { readonly kind: 'snapshot'; readonly vmId: number; readonly diskId: number; readonly name: string }
  | { readonly kind: 'image'; readonly name: string }
  | { readonly kind: 'attachment'; readonly proxyVmId: number; readonly imageId: number; readonly serial: string }
  | { readonly kind: 'template'; readonly name: string }
  | { readonly kind: 'vm'; readonly name: string };

export type JournalRecord =
  | {
      readonly type: 'run';
      readonly time: string;
      readonly runId: string;
      readonly kind: 'backup' | 'restore';
      readonly endpoint: string;
      readonly owner: string;
      readonly about: string;
    }
  /** Written before the call leaves. */
  | { readonly type: 'intent'; readonly time: string; readonly step: number; readonly object: CloudObject }
  | { readonly type: 'done'; readonly time: string; readonly step: number; readonly id: number }
  | { readonly type: 'undone'; readonly time: string; readonly step: number }
  /** It stays, on purpose: the restored VM and its images. */
  | { readonly type: 'kept'; readonly time: string; readonly step: number };

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
