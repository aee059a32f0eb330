import type { CallOptions } from '@onevault/base';
import type { CloudObject } from './cloud-object.ts';
import type { ResidueStore } from './residue.ts';

export interface RunRecord {
  readonly type: 'run';
  readonly time: string;
  readonly runId: string;
  readonly kind: 'backup' | 'restore' | 'restore-disk' | 'snapshot' | 'drill' | 'swap' | 'delta';
  readonly endpoint: string;
  readonly owner: string;
  readonly about: string;
}

/** failed: the run failed, and was told to leave what it had made. */
export type KeptAs = 'whole' | 'failed';

export type JournalRecord =
  | RunRecord
  /** Written before the call leaves. */
  | { readonly type: 'intent'; readonly time: string; readonly step: number; readonly object: CloudObject }
  | { readonly type: 'done'; readonly time: string; readonly step: number; readonly id: number }
  | { readonly type: 'undone'; readonly time: string; readonly step: number }
  /**
   * They stay, on purpose and all in one record: a restored VM without its images, or they without it, is nothing that anybody meant to keep. Absent
   * `as`: whole.
   */
  | { readonly type: 'kept'; readonly time: string; readonly steps: readonly number[]; readonly as?: KeptAs | undefined }
  /** Somebody goes on with a run that was left; the first claim whose owner lives, and that was not given back, holds. `claim` names it. */
  | { readonly type: 'claimed'; readonly time: string; readonly claim: string; readonly owner: string }
  /** A claim is given back. The run's own claim is its id: a run that is over with something left to undo gives it back too. */
  | { readonly type: 'released'; readonly time: string; readonly claim: string }
  /** A whole line that this version does not understand: a newer one wrote it. Never written. */
  | { readonly type: 'unknown'; readonly line: string };

/** Append-only; a resolved `append` is on stable storage. */
export interface Journal extends AsyncDisposable {
  append(record: JournalRecord): Promise<void>;
  /** Nothing of the run is left to undo: the journal may go. */
  finish(): Promise<void>;
}

/** The journal of a run that is over or dead, held by whoever claimed it until it is finished or released. */
export interface ClaimedJournal extends Journal {
  readonly records: readonly JournalRecord[];
  /** Somebody else may go on with it. */
  release(time: string): Promise<void>;
}

export interface ClaimOptions extends CallOptions {
  /** True for owners that will not come back, whatever they look like: those of a host that is gone. */
  readonly isGone?: (owner: string) => boolean;
}

export interface JournalStore {
  /** A journal that begins with this record, on stable storage when it is returned. */
  create(run: RunRecord): Promise<Journal>;
  /** Journals that were not finished, oldest first; a torn last line (the process died while writing it) is dropped. */
  unfinished(options?: CallOptions): AsyncIterable<{ readonly runId: string; readonly records: readonly JournalRecord[] }>;
  /** Takes a left journal over. Undefined when its run, or somebody who claimed it, is alive, and when it is gone: nobody ever waits. */
  claim(runId: string, time: string, options?: ClaimOptions): Promise<ClaimedJournal | undefined>;
  /** What could not be undone when its run was over, and is tried again at every later one. */
  readonly residue: ResidueStore;
  /** Who writes: host, pid, process start and boot, so that a later process can tell a dead run from a live one. */
  readonly owner: string;
  isAlive(owner: string): Promise<boolean>;
}

/** Who holds a journal, its run or whoever took it over; undefined when nobody alive does. */
export async function holderOf(
  records: readonly JournalRecord[],
  isAlive: (owner: string) => Promise<boolean>,
): Promise<{ readonly claim: string; readonly owner: string } | undefined> {
  const released = new Set(records.flatMap((record) => (record.type === 'released' ? [record.claim] : [])));
  for (const record of records) {
    const claim = record.type === 'run' ? record.runId : record.type === 'claimed' ? record.claim : undefined;
    if (claim === undefined || released.has(claim)) continue;
    if ('owner' in record && (await isAlive(record.owner))) return { claim, owner: record.owner };
  }
  return undefined;
}
