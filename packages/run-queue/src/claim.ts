import { type Selectable, sql, type Transaction } from 'kysely';
import { fromKysely } from 'pg-boss';
import type { Database } from './database/open-database.ts';
import type { RunTable, Tables } from './database/tables.ts';
import { HEARTBEAT_SECONDS } from './lanes.ts';
import { recordOf } from './row.ts';
import type { RunRecord } from './run-record.ts';

/** A job of the engine that a worker holds; it names a run. */
export interface HeldJob {
  readonly lane: string;
  readonly id: string;
  readonly retryCount: number;
  readonly runId: string;
}

/** How many of a resource may be in use at once. */
export type Places = (resource: string) => number;

export type ClaimResult =
  /** Ours, with its places. `dead`: a worker began it before and was not heard of again. */
  | { readonly kind: 'claimed'; readonly run: RunRecord; readonly dead: RunRecord | undefined }
  /** Put back for a moment. */
  | { readonly kind: 'put-off'; readonly waitsFor: string }
  /** The run has ended, or is well at another worker: nothing is left to do. */
  | { readonly kind: 'settled' };

/** Places are counted and taken under this lock of the database. */
const PLACES_LOCK = 0x6f6e65;

/** Makes a run ours, or puts its job back: all or nothing, in one transaction. */
export async function claim({ transaction, boss, putOffSeconds }: Database, job: HeldJob, worker: string, places: Places): Promise<ClaimResult> {
  return transaction(async (trx) => {
    const engine = { db: fromKysely(trx) };
    const row = await trx
      .selectFrom('onevault.run')
      .selectAll()
      .select(sql<boolean>`state = 'running' and beat_at > now() - ${HEARTBEAT_SECONDS} * interval '1 second'`.as('alive'))
      .where('id', '=', job.runId)
      .forUpdate()
      .executeTakeFirst();
    const again = async (waitsFor: string): Promise<ClaimResult> => {
      await boss.complete(job.lane, job, null, engine);
      await boss.send(job.lane, { runId: job.runId }, { priority: row?.priority ?? 0, startAfter: putOffSeconds, ...engine });
      return { kind: 'put-off', waitsFor };
    };
    if (row === undefined || !(row.state === 'queued' || row.state === 'running')) {
      await boss.complete(job.lane, job, null, engine);
      return { kind: 'settled' };
    }
    if (row.alive) return again('its worker');
    await trx.deleteFrom('onevault.run_place').where('run_id', '=', row.id).execute();
    const full = await takePlaces(trx, row, places);
    if (full !== undefined) {
      await trx.updateTable('onevault.run').set({ waits_for: full }).where('id', '=', row.id).execute();
      return again(full);
    }
    const run = await trx
      .updateTable('onevault.run')
      .set({
        state: 'running',
        worker,
        attempt: row.attempt + 1,
        beat_at: sql<Date>`now()`,
        started_at: sql<Date>`coalesce(started_at, now())`,
        waits_for: null,
      })
      .where('id', '=', row.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    return { kind: 'claimed', run: recordOf(run), dead: row.state === 'running' ? recordOf(row) : undefined };
  });
}

/** Takes a place of everything the run holds, or none and answers what is full. */
async function takePlaces(trx: Transaction<Tables>, run: Selectable<RunTable>, places: Places): Promise<string | undefined> {
  if (run.holds.length === 0) return undefined;
  await sql`select pg_advisory_xact_lock(${PLACES_LOCK})`.execute(trx);
  const taken = await trx
    .selectFrom('onevault.run_place')
    .select(['resource', ({ fn }) => fn.countAll<string>().as('count')])
    .where('resource', 'in', [...run.holds])
    .groupBy('resource')
    .execute();
  const full = run.holds.find((resource) => Number(taken.find((row) => row.resource === resource)?.count ?? 0) >= places(resource));
  if (full !== undefined) return full;
  await trx
    .insertInto('onevault.run_place')
    .values(run.holds.map((resource) => ({ resource, run_id: run.id })))
    .execute();
  return undefined;
}
