import type { JournalRecord, JournalStore } from './journal.ts';
import { parseJournalRecord } from './journal-record.ts';
import type { JournalCopy } from './mirrored-journals.ts';
import { keptAs, keptSteps } from './open-steps.ts';
import type { ResidueStore } from './residue.ts';

/** Copies as they were written down by `mirroredJournals` and read back; what is none is left out. */
export function parseJournalCopies(value: unknown): readonly JournalCopy[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((copy: unknown) => {
    if (typeof copy !== 'object' || copy === null || !('runId' in copy) || !('records' in copy) || !Array.isArray(copy.records)) return [];
    const records = copy.records.flatMap((record: unknown) => parseJournalRecord(JSON.stringify(record)) ?? []);
    return [{ runId: String(copy.runId), records, finished: 'finished' in copy && copy.finished === true }];
  });
}

/** Whether a run had made what it was asked for, whole, and said so. */
export function hasKept({ records }: JournalCopy): boolean {
  return keptAs(records) === 'whole' && keptSteps(records).length > 0;
}

/** Images and VMs that a run kept, images first, as they are given away: whose they were to be the journal does not say. */
export function keptObjects({ records }: JournalCopy): readonly { readonly kind: 'image' | 'vm'; readonly id: number }[] {
  const kept = keptSteps(records).flatMap(({ object: { kind }, id }) => ((kind === 'image' || kind === 'vm') && id !== undefined ? [{ kind, id }] : []));
  return [...kept.filter(({ kind }) => kind === 'image'), ...kept.filter(({ kind }) => kind === 'vm')];
}

/**
 * Journals of a process that is gone, from copies: for `recoverRuns` on another machine. All of their owners are dead, and their cloud is `endpoint`, by whatever name
 * their machine called it. What cannot be taken back now goes among the residue of this machine.
 */
export function rememberedJournals(
  copies: readonly JournalCopy[],
  { endpoint, owner, residue }: { readonly endpoint: URL; readonly owner: string; readonly residue: ResidueStore },
): JournalStore & { readonly left: ReadonlySet<string> } {
  const here = (record: JournalRecord): JournalRecord => (record.type === 'run' ? { ...record, endpoint: endpoint.href } : record);
  const left = new Map(copies.flatMap(({ runId, records, finished }) => (finished ? [] : [[runId, records.map(here)] as const])));
  return {
    owner,
    residue,
    isAlive: async () => false,
    create: async () => {
      throw new TypeError('journals of a process that is gone have no new ones');
    },
    async *unfinished() {
      for (const [runId, records] of left) yield { runId, records };
    },
    async claim(runId) {
      const records = left.get(runId);
      if (records === undefined) return undefined;
      return {
        records,
        append: async (record) => void records.push(record),
        finish: async () => void left.delete(runId),
        release: async () => undefined,
        [Symbol.asyncDispose]: async () => undefined,
      };
    },
    /** Runs of which something is still to be taken back. */
    get left() {
      return new Set(left.keys());
    },
  };
}
