import type { Kysely } from 'kysely';
import type { Tables } from './database/tables.ts';
import { QueueError } from './errors.ts';

/** Backups are long, and a database that restarts must not end them. */
export const DEFAULT_HEARTBEAT_SECONDS = 60;
/** A worker says every two seconds that it lives, and ends its runs in order within two thirds of the time: less would call a busy machine dead. */
const LEAST_SECONDS = 10;
const MOST_SECONDS = 3600;
const HEARTBEAT = 'heartbeat';

/** What was set last, for whoever opens the database from then on. */
export async function readHeartbeat(db: Kysely<Tables>): Promise<number> {
  const row = await db.selectFrom('onevault.run_term').select('value').where('name', '=', HEARTBEAT).executeTakeFirst();
  return row?.value ?? DEFAULT_HEARTBEAT_SECONDS;
}

/** Throws QUEUE_REQUEST_INVALID. */
export async function setHeartbeat(db: Kysely<Tables>, seconds: number): Promise<void> {
  if (!Number.isInteger(seconds) || seconds < LEAST_SECONDS || seconds > MOST_SECONDS)
    throw new QueueError({
      code: 'QUEUE_REQUEST_INVALID',
      message: `a heartbeat of ${seconds} s: whole seconds, from ${LEAST_SECONDS} to ${MOST_SECONDS}`,
      details: { seconds },
    });
  await db
    .insertInto('onevault.run_term')
    .values({ name: HEARTBEAT, value: seconds })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: seconds }))
    .execute();
}
