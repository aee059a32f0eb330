import { sql } from 'kysely';
import type { Database } from './database/open-database.ts';
import { jsonText } from './json-text.ts';
import type { JsonObject } from './run-record.ts';

/** A worker as it last said itself. */
export interface WorkerRecord {
  readonly name: string;
  /** Runs that it does at once. */
  readonly slots: number;
  /** Runs that it does now. */
  readonly running: number;
  readonly reach: readonly string[];
  /** What else it says of itself: its proxy, datastores. */
  readonly standing: JsonObject;
  readonly lastSeenAt: Date;
  /** It was heard of within the heartbeat. */
  readonly alive: boolean;
}

/** One that was not heard of for so long is forgotten. */
const FORGET = sql`interval '7 days'`;

export async function reportWorker({ db, heartbeatSeconds }: Database, worker: Pick<WorkerRecord, 'name' | 'slots' | 'reach' | 'standing'>): Promise<void> {
  const said = { slots: worker.slots, reach: jsonText(worker.reach), standing: jsonText(worker.standing) };
  await sql`
    insert into onevault.run_worker (name, slots, reach, standing, heartbeat_seconds)
    values (${worker.name}, ${said.slots}, ${said.reach}, ${said.standing}, ${heartbeatSeconds})
    on conflict (name) do update set slots = excluded.slots, reach = excluded.reach, standing = excluded.standing,
      heartbeat_seconds = excluded.heartbeat_seconds, seen_at = now()`.execute(db);
}

/** Of a worker that ends in order: nobody need wait for it. */
export async function removeWorker({ db }: Database, name: string): Promise<void> {
  await db.deleteFrom('onevault.run_worker').where('name', '=', name).execute();
}

/** All that were heard of lately, by name. */
export async function listWorkers({ db }: Database): Promise<readonly WorkerRecord[]> {
  const rows = await db
    .selectFrom('onevault.run_worker as worker')
    .select((worker) => [
      'name',
      'slots',
      'reach',
      'standing',
      'seen_at',
      sql<boolean>`seen_at > now() - heartbeat_seconds * interval '1 second'`.as('alive'),
      worker
        .selectFrom('onevault.run')
        .whereRef('onevault.run.worker', '=', 'worker.name')
        .where('state', '=', 'running')
        .select(({ fn }) => fn.countAll<number>().as('running'))
        .as('running'),
    ])
    .where('seen_at', '>', sql<Date>`now() - ${FORGET}`)
    .orderBy('name')
    .execute();
  return rows.map(({ seen_at, running, ...row }) => ({ ...row, running: running ?? 0, lastSeenAt: seen_at }));
}
