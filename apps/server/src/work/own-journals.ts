import { type JournalStore, parseJournalCopies } from '@onevault/orchestrator';
import type { Database } from '@onevault/run-queue';
import { sql } from 'kysely';

/**
 * Journals of this machine without those of runs that the queue will give to somebody, who cleans up after them first: two that take back the same at once, or one that
 * takes back what the next attempt has begun, would be worse than none.
 */
export async function inNobodysCare(database: Database, journals: JournalStore): Promise<JournalStore> {
  const cared = await runsInCare(database);
  return {
    ...journals,
    async *unfinished(options) {
      for await (const journal of journals.unfinished(options)) if (!cared.has(journal.runId)) yield journal;
    },
  };
}

/** Ids of workflow runs that attempts of unended runs have noted. */
async function runsInCare({ db }: Database): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom('onevault.run')
    .select(['notes', 'dead'])
    .where('state', 'in', ['queued', 'running'])
    .where(sql<boolean>`(notes <> '{}' or dead <> '[]')`)
    .execute();
  const noted = rows.flatMap(({ notes, dead }) => [notes, ...dead.map((attempt) => attempt.notes)]);
  return new Set(noted.flatMap((notes) => parseJournalCopies(notes['journals']).map(({ runId }) => runId)));
}
