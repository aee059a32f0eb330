import { type Kysely, sql } from 'kysely';
import type { Tables } from './database/tables.ts';
import { jsonText } from './json-text.ts';
import type { JsonObject, RunEvent } from './run-record.ts';

export interface NewEvent {
  readonly runId: string;
  readonly type: string;
  readonly data: JsonObject;
}

/** Events are numbered under this lock of the database: numbers become visible in their order, so that a reader that goes by them misses none. */
const EVENTS_LOCK = 0x6f6e66;

/** The last thing that a transaction does: others wait for it. */
export async function writeEvents(trx: Kysely<Tables>, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  await sql`select pg_advisory_xact_lock(${sql.lit(EVENTS_LOCK)})`.execute(trx);
  await trx
    .insertInto('onevault.run_event')
    .values(events.map(({ runId, type, data }) => ({ run_id: runId, type, data: jsonText(data) })))
    .execute();
}

export async function readEvents(
  db: Kysely<Tables>,
  query: { readonly afterSeq: number; readonly limit: number; readonly runId?: string },
): Promise<readonly RunEvent[]> {
  const { afterSeq, limit, runId } = query;
  const rows = await db
    .selectFrom('onevault.run_event')
    .selectAll()
    .where('seq', '>', afterSeq)
    .$if(runId !== undefined, (events) => events.where('run_id', '=', runId ?? ''))
    .orderBy('seq')
    .limit(limit)
    .execute();
  return rows.map(({ run_id, ...event }) => ({ ...event, runId: run_id }));
}

/** The newest one's number, 0 where there is none. */
export async function lastEventSeq(db: Kysely<Tables>): Promise<number> {
  const { seq } = await db
    .selectFrom('onevault.run_event')
    .select(({ fn }) => fn.max('seq').as('seq'))
    .executeTakeFirstOrThrow();
  return seq ?? 0;
}
