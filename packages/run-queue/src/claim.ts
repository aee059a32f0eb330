import { type Kysely, sql } from 'kysely';
import type { Database } from './database/open-database.ts';
import type { Tables } from './database/tables.ts';
import { endMissed } from './end-missed.ts';
import { type NewEvent, writeEvents } from './events.ts';
import { jsonText } from './json-text.ts';
import { Occupancy } from './occupancy.ts';
import { type RunRow, recordOf } from './row.ts';
import type { DeadAttempt, RunRecord } from './run-record.ts';

/** A run that is ours until we are not heard of for too long. */
export interface Claim {
  readonly run: RunRecord;
  readonly token: number;
  /** By the database's clock. */
  readonly takenAt: Date;
  /** What has to be cleaned up after before it is begun. */
  readonly dead: readonly DeadAttempt[];
  /** So many workers died of it that it is not done again. */
  readonly isDeadly: boolean;
  /** It may be begun by us: we reach all that it needs, and its time is not over. Otherwise it was claimed to be cleaned up after, and is given back. */
  readonly mayBegin: boolean;
}

export interface Claimant {
  readonly name: string;
  /** What its proxy reaches. */
  readonly reach: ReadonlySet<string>;
  /** What each of its runs occupies besides its own. */
  readonly holds?: readonly string[];
}

/** Claims are made one after another: places are counted and taken under this lock of the database. */
const CLAIM_LOCK = 0x6f6e65;
/** A run whose worker died so often is taken for what killed it. */
const DEADLY = 3;

/**
 * Makes the next run ours: one that a worker died of, otherwise the one whose turn it is among those that may begin, that we reach and that find all their places.
 * A run that finds none keeps its turn and lets others pass.
 */
export async function claim({ db, heartbeatSeconds }: Database, claimant: Claimant): Promise<Claim | undefined> {
  return db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(${sql.lit(CLAIM_LOCK)})`.execute(trx);
    const skipped = await endMissed(trx);
    const row = (await findAbandoned(trx, claimant)) ?? (await findLeft(trx, claimant)) ?? (await findNext(trx, claimant));
    const claimed = row && (await take(trx, claimant, row, heartbeatSeconds));
    await writeEvents(trx, [...skipped, ...(claimed === undefined ? [] : [started(claimed)])]);
    return claimed;
  });
}

async function findAbandoned(trx: Kysely<Tables>, claimant: Claimant): Promise<RunRow | undefined> {
  const rows = await trx
    .selectFrom('onevault.run')
    .selectAll()
    .where('state', '=', 'running')
    .where(sql<boolean>`beat_at < now() - heartbeat_seconds * interval '1 second'`)
    .where(sql<boolean>`(${reached(claimant)} or beat_at < now() - 2 * heartbeat_seconds * interval '1 second')`)
    .orderBy('beat_at')
    .forUpdate()
    .skipLocked()
    .execute();
  return firstWithPlaces(trx, claimant, rows);
}

/** One that was given back because what its dead worker left could not be taken away. */
async function findLeft(trx: Kysely<Tables>, claimant: Claimant): Promise<RunRow | undefined> {
  const rows = await trx
    .selectFrom('onevault.run')
    .selectAll()
    .where('state', '=', 'queued')
    .where(sql<boolean>`dead <> '[]'`)
    .where('start_after', '<=', sql<Date>`now()`)
    .orderBy('start_after')
    .forUpdate()
    .skipLocked()
    .execute();
  return firstWithPlaces(trx, claimant, rows);
}

async function firstWithPlaces(trx: Kysely<Tables>, claimant: Claimant, rows: readonly RunRow[]): Promise<RunRow | undefined> {
  for (const row of rows) {
    const occupancy = await Occupancy.readFor(trx, row.id);
    if (!occupies(row, claimant).some((resource) => occupancy.isFull(resource))) return row;
  }
  return undefined;
}

async function findNext(trx: Kysely<Tables>, claimant: Claimant): Promise<RunRow | undefined> {
  const occupancy = await Occupancy.read(trx);
  if (claimant.holds?.some((resource) => occupancy.isFull(resource))) return undefined;
  return trx
    .selectFrom('onevault.run')
    .selectAll()
    .where('state', '=', 'queued')
    .where(sql<boolean>`dead = '[]'`)
    .where('start_after', '<=', sql<Date>`now()`)
    .where(reached(claimant))
    .where(sql<boolean>`not (holds ?| array(select jsonb_array_elements_text(${JSON.stringify(occupancy.full())}::jsonb)))`)
    .orderBy('turn')
    .orderBy('id')
    .limit(1)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
}

async function take(trx: Kysely<Tables>, claimant: Claimant, row: RunRow, heartbeatSeconds: number): Promise<Claim> {
  const isAbandoned = row.state === 'running';
  const dead = isAbandoned ? [...row.dead, { worker: row.worker ?? '', attempt: row.attempt, notes: row.notes }] : row.dead;
  const deaths = row.deaths + (isAbandoned ? 1 : 0);
  const taken = await trx
    .updateTable('onevault.run')
    .set({
      state: 'running',
      token: row.token + 1,
      told: 0,
      attempt: row.attempt + 1,
      deaths,
      dead: jsonText(dead),
      worker: claimant.name,
      occupies: JSON.stringify(occupies(row, claimant)),
      beat_at: sql<Date>`now()`,
      heartbeat_seconds: heartbeatSeconds,
      started_at: sql<Date>`coalesce(started_at, now())`,
      notes: '{}',
      progress: '{}',
    })
    .where('id', '=', row.id)
    .returningAll()
    .returning(sql<Date>`now()`.as('taken_at'))
    .returning(sql<boolean>`coalesce(start_before >= now(), true) and ${reached(claimant)}`.as('may_begin'))
    .executeTakeFirstOrThrow();
  return { run: recordOf(taken), token: taken.token, takenAt: taken.taken_at, dead, isDeadly: deaths >= DEADLY, mayBegin: taken.may_begin };
}

function started({ run, dead }: Claim): NewEvent {
  const after = dead.map(({ worker }) => worker);
  return { runId: run.id, type: 'run.taken', data: { attempt: run.attempt, worker: run.worker ?? '', ...(after.length > 0 && { after }) } };
}

function occupies(row: RunRow, { holds = [] }: Claimant): readonly string[] {
  return [...new Set([...row.holds, ...holds])];
}

/** All that it needs is reached. */
function reached({ reach }: Claimant) {
  return sql<boolean>`reach <@ ${JSON.stringify([...reach])}::jsonb`;
}
