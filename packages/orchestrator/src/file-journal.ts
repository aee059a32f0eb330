import type { Clock } from '@onevault/base';
import type { JournalStore } from './journal.ts';

export interface FileJournalOptions {
  /** One file a run, `<runId>.jsonl`, in this directory; created when missing. */
  readonly directory: string;
  readonly clock?: Clock;
}

export declare function fileJournals(options: FileJournalOptions): JournalStore;
