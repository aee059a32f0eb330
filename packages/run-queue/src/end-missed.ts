import { type Kysely, sql } from 'kysely';
import type { Tables } from './database/tables.ts';
import type { NewEvent } from './events.ts';
import type { JsonObject } from './run-record.ts';

/** At once: what ends is told in one statement. */
export const MISSED_AT_ONCE = 500;

const UNTIL = sql`to_char(start_before at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/**
 * Ends what may not begin any more, unless somebody has to clean up after it: as skipped, or as its last attempt failed. At most MISSED_AT_ONCE. Answers what the
 * caller's transaction has to tell.
 */
export async function endMissed(trx: Kysely<Tables>): Promise<NewEvent[]> {
  const missed = await sql<{ id: string; state: string; failure: JsonObject | null; report: JsonObject | null }>`
    update onevault.run set state = case when failure is null then 'skipped' else 'failed' end, ended_at = now(),
      report = case when failure is null then jsonb_build_object('reason',
        jsonb_build_object('code', ${NOT_BEGUN}::text, 'text', ${TEXT}::text || ${UNTIL})) end
    where id in (
      select id from onevault.run where state = 'queued' and start_before < now() and dead = '[]' limit ${MISSED_AT_ONCE} for update skip locked
    ) returning id, state, failure, report`.execute(trx);
  return missed.rows.map(({ id, state, failure, report }) => ({
    runId: id,
    type: 'run.ended',
    data: { state, ...(failure === null ? report : { failure }) },
  }));
}

const NOT_BEGUN = 'NOT_BEGUN_IN_TIME';
const TEXT = 'it could not be begun before ';
