import { Mutex } from '@onevault/base';
import type { Journal, JournalRecord, JournalStore, RunRecord } from './journal.ts';

/** What somebody else must know of a run to clean up after it: its open steps, what it kept, and whether it is over. */
export interface JournalCopy {
  readonly runId: string;
  readonly records: readonly JournalRecord[];
  /** The run took back what it made, or kept it: nothing is left to do. */
  readonly finished: boolean;
}

/**
 * Journals that are written here, and copied to where others can read them when this machine is gone. A record is in both places when `append` resolves: `save` must
 * not resolve before the copies are on stable storage. What it throws stops whatever was about to be done, as an unwritable journal does; only that something is gone
 * already, or given back, needs no copy.
 */
export function mirroredJournals(local: JournalStore, save: (copies: readonly JournalCopy[]) => Promise<void>): JournalStore {
  const copies = new Map<string, JournalCopy>();
  const order = new Mutex();
  const saved = (): Promise<void> => order.run(() => save([...copies.values()]));
  return {
    ...local,
    async create(run: RunRecord): Promise<Journal> {
      const journal = await local.create(run);
      copies.set(run.runId, { runId: run.runId, records: [run], finished: false });
      try {
        await saved();
      } catch (error) {
        await journal.finish();
        throw error;
      }
      return mirrored(journal, run.runId, copies, saved);
    },
  };
}

function mirrored(journal: Journal, runId: string, copies: Map<string, JournalCopy>, saved: () => Promise<void>): Journal {
  const note = (change: (copy: JournalCopy) => JournalCopy): void => {
    const copy = copies.get(runId);
    if (copy !== undefined) copies.set(runId, change(copy));
  };
  return {
    async append(record) {
      note((copy) => ({ ...copy, records: withRecord(copy.records, record) }));
      if (record.type === 'undone' || record.type === 'released') {
        await journal.append(record);
        return void (await saved().catch(() => undefined)); // whoever looks for it finds nothing
      }
      await saved();
      await journal.append(record);
    },
    async finish() {
      await journal.finish();
      note((copy) => ({ ...copy, finished: true }));
      await saved().catch(() => undefined);
    },
    [Symbol.asyncDispose]: () => journal[Symbol.asyncDispose](),
  };
}

/** Steps that were taken back are left out, so that the copy stays as small as what is open. */
function withRecord(records: readonly JournalRecord[], record: JournalRecord): readonly JournalRecord[] {
  if (record.type !== 'undone') return [...records, record];
  const isKept = records.some((one) => one.type === 'kept' && one.steps.includes(record.step));
  if (isKept) return [...records, record];
  return records.filter((one) => !((one.type === 'intent' || one.type === 'done') && one.step === record.step));
}
