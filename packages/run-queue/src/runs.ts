import { sql } from 'kysely';
import type { Database } from './database/open-database.ts';
import { endMissed, MISSED_AT_ONCE } from './end-missed.ts';
import { QueueError } from './errors.ts';
import { lastEventSeq, readEvents, writeEvents } from './events.ts';
import { setHeartbeat } from './heartbeat.ts';
import { insertRun, sameRun } from './new-run.ts';
import { type Caps, setCaps } from './occupancy.ts';
import { insertPastRuns, type PastRun } from './past-runs.ts';
import { type RunRow, recordOf } from './row.ts';
import type { RunEvent, RunRecord, RunSpec, RunState } from './run-record.ts';
import { waitingReasons } from './waits-for.ts';
import { listWorkers, type WorkerRecord } from './workers.ts';

export interface Queued {
  readonly run: RunRecord;
  /** False: the same was asked for before and has not begun, or the schedule's run is known already. */
  readonly isNew: boolean;
}

export interface RunFilter {
  readonly state?: RunState;
  readonly kind?: string;
  readonly vmId?: number;
  readonly policy?: string;
  /** Of these VMs alone; `ofNone`: and those that are of no VM. */
  readonly among?: { readonly vmIds: readonly number[]; readonly ofNone: boolean };
  /** Behind this one, newest first. */
  readonly after?: { readonly queuedAt: Date; readonly id: string };
  readonly limit: number;
}

export interface Pruning {
  /** Runs that ended before are forgotten. Scheduled ones at the earliest after 40 days: as long as a scheduler may ask for their slot. */
  readonly endedBefore: Date;
  /** Events older than this are forgotten, of runs that have ended. */
  readonly eventsBefore: Date;
}

/** How full the queue is. */
export interface QueueTally {
  readonly queued: number;
  readonly running: number;
  /** Since when the one that waits longest has waited; of those that may begin. */
  readonly waitingSince: Date | undefined;
}

/** All runs there are, and what may be asked of them by anybody who is not their worker. */
export class Runs {
  readonly #database: Database;
  readonly #newId: () => string;

  /** `newId` gives unique ids that sort by time. */
  constructor(database: Database, newId: () => string) {
    this.#database = database;
    this.#newId = newId;
  }

  /** Queues a run, or answers the one that is the same, or has that id already. On the database's disk when it resolves. */
  async queue(spec: RunSpec, id = this.#newId()): Promise<Queued> {
    for (;;) {
      const inserted = await this.#database.db.transaction().execute(async (trx) => {
        const row = await insertRun(trx, id, spec);
        if (row !== undefined)
          await writeEvents(trx, [{ runId: id, type: 'run.queued', data: { kind: spec.kind, ...(spec.vmId !== undefined && { vmId: spec.vmId }) } }]);
        return row;
      });
      if (inserted !== undefined) return { run: await this.#told(inserted), isNew: true };
      const same = await sameRun(this.#database.db, id, spec);
      if (same !== undefined) return { run: await this.#told(same), isNew: false };
      // It was begun between the two questions: nobody waits for the same any more.
    }
  }

  /** Runs that succeeded before this database was made: a scheduled one is not begun again. The same may be told as often as one likes; nobody hears of them. */
  async remember(past: readonly PastRun[]): Promise<void> {
    await insertPastRuns(this.#database.db, past);
  }

  /** Throws QUEUE_RUN_NOT_FOUND. */
  async get(id: string): Promise<RunRecord> {
    const row = await this.#database.db.selectFrom('onevault.run').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw new QueueError({ code: 'QUEUE_RUN_NOT_FOUND', message: `there is no run ${id}`, details: { runId: id } });
    return this.#told(row);
  }

  /** Newest first. */
  async list(filter: RunFilter): Promise<readonly RunRecord[]> {
    const { state, kind, vmId, policy, among, after, limit } = filter;
    const rows = await this.#database.db
      .selectFrom('onevault.run')
      .selectAll()
      .$if(state !== undefined, (query) => query.where('state', '=', state ?? 'queued'))
      .$if(kind !== undefined, (query) => query.where('kind', '=', kind ?? ''))
      .$if(vmId !== undefined, (query) => query.where('vm_id', '=', vmId ?? -1))
      .$if(policy !== undefined, (query) => query.where('policy', '=', policy ?? ''))
      .$if(among !== undefined, (query) => query.where(isAmong(among?.vmIds ?? [], among?.ofNone ?? false)))
      .$if(after !== undefined, (query) => query.where(sql<boolean>`(queued_at, id) < (${after?.queuedAt ?? new Date(0)}, ${after?.id ?? ''})`))
      .orderBy('queued_at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit)
      .execute();
    const reasons = await waitingReasons(this.#database, rows);
    return rows.map((row) => recordOf(row, reasons(row)));
  }

  /** Counted by the database, whatever the length of the queue. */
  async tally(): Promise<QueueTally> {
    const row = await this.#database.db
      .selectFrom('onevault.run')
      .select([
        sql<string>`count(*) filter (where state = 'queued')`.as('queued'),
        sql<string>`count(*) filter (where state = 'running')`.as('running'),
        sql<Date | null>`min(start_after) filter (where state = 'queued' and start_after <= now())`.as('since'),
      ])
      .where('state', 'in', ['queued', 'running'])
      .executeTakeFirstOrThrow();
    return { queued: Number(row.queued), running: Number(row.running), waitingSince: row.since ?? undefined };
  }

  /** Events of one run, or of all, behind a number. */
  async events(query: { readonly afterSeq: number; readonly limit: number; readonly runId?: string }): Promise<readonly RunEvent[]> {
    return readEvents(this.#database.db, query);
  }

  /** Number of the newest event of all, 0 before the first one. */
  async lastSeq(): Promise<number> {
    return lastEventSeq(this.#database.db);
  }

  /** What waits is cancelled at once; what runs is told, and ends in order. Throws QUEUE_RUN_NOT_FOUND, QUEUE_RUN_ENDED. */
  async cancel(id: string): Promise<RunRecord> {
    const row = await this.#database.db.transaction().execute(async (trx) => {
      const known = await trx
        .selectFrom('onevault.run')
        .select(['state', sql<boolean>`dead = '[]'`.as('isClean')])
        .where('id', '=', id)
        .forUpdate()
        .executeTakeFirst();
      if (known === undefined || !(known.state === 'queued' || known.state === 'running')) return undefined;
      // What a dead worker left is cleaned up first: that run is begun, and ends cancelled.
      const ends = known.state === 'queued' && known.isClean;
      const changed = await trx
        .updateTable('onevault.run')
        .set({ cancel_requested: true, ...(ends && { state: 'cancelled' as const, ended_at: sql<Date>`now()` }) })
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirstOrThrow();
      await writeEvents(trx, ends ? [{ runId: id, type: 'run.ended', data: { state: 'cancelled' } }] : []);
      return changed;
    });
    if (row !== undefined) return this.#told(row);
    const { state } = await this.get(id);
    throw new QueueError({ code: 'QUEUE_RUN_ENDED', message: `run ${id} has ended: ${state}`, details: { runId: id, state } });
  }

  /** Ends what waits and may not begin any more: who claims does it too, but it may be that nobody does. */
  async endMissed(): Promise<void> {
    for (let ended = MISSED_AT_ONCE; ended === MISSED_AT_ONCE; ) {
      ended = await this.#database.db.transaction().execute(async (trx) => {
        const events = await endMissed(trx);
        await writeEvents(trx, events);
        return events.length;
      });
    }
  }

  /** How many runs may occupy each kind of resource at once; replaces all that was set before. */
  async setCaps(caps: Caps): Promise<void> {
    return setCaps(this.#database.db, caps);
  }

  /** How long a worker may be silent before it is dead, for every process that opens the database from now on. Throws QUEUE_REQUEST_INVALID. */
  async setHeartbeat(seconds: number): Promise<void> {
    return setHeartbeat(this.#database.db, seconds);
  }

  async workers(): Promise<readonly WorkerRecord[]> {
    return listWorkers(this.#database);
  }

  /** Forgets what has long ended. Answers how much; waits and running ones stay whatever their age. */
  async prune({ endedBefore, eventsBefore }: Pruning): Promise<{ readonly runs: number; readonly events: number }> {
    const { db } = this.#database;
    const runs = await db
      .deleteFrom('onevault.run')
      .where('ended_at', '<', endedBefore)
      .where(sql<boolean>`(slot is null or ended_at < now() - interval '40 days')`)
      .executeTakeFirst();
    const events = await db
      .deleteFrom('onevault.run_event')
      .where('at', '<', eventsBefore)
      .where('run_id', 'in', (ended) => ended.selectFrom('onevault.run').select('id').where('ended_at', 'is not', null))
      .executeTakeFirst();
    return { runs: Number(runs.numDeletedRows), events: Number(events.numDeletedRows) };
  }

  async #told(row: RunRow): Promise<RunRecord> {
    return recordOf(row, (await waitingReasons(this.#database, [row]))(row));
  }
}

/** As one parameter: a cloud has more VMs than a statement may have of them. */
function isAmong(vmIds: readonly number[], ofNone: boolean) {
  const listed = sql<boolean>`vm_id in (select value::int from jsonb_array_elements_text(${JSON.stringify(vmIds)}::jsonb))`;
  return ofNone ? sql<boolean>`(vm_id is null or ${listed})` : listed;
}
