import { createHash } from 'node:crypto';
import { type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import { fromKysely } from 'pg-boss';
import type { Database } from './database/open-database.ts';
import type { RunTable, Tables } from './database/tables.ts';
import { QueueError } from './errors.ts';
import { ensureLane } from './lanes.ts';
import { recordOf } from './row.ts';
import type { JsonObject, RunRecord, RunSpec, RunState } from './run-record.ts';

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
  /** Behind this one, newest first. */
  readonly after?: { readonly queuedAt: Date; readonly id: string };
  readonly limit: number;
}

export interface RunEvent {
  readonly seq: number;
  readonly at: Date;
  readonly type: string;
  readonly data: JsonObject;
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

  /** Queues a run, or answers the one that is the same. It is queued exactly when it is known. */
  async queue(spec: RunSpec): Promise<Queued> {
    const { boss } = this.#database;
    const lane = await ensureLane(this.#database, spec.reach);
    return this.#database.transaction(async (trx) => {
      const inserted = await insertRun(trx, this.#newId(), spec);
      if (inserted === undefined) return { run: recordOf(await sameRun(trx, spec)), isNew: false };
      await boss.send(lane, { runId: inserted.id }, { priority: spec.priority, db: fromKysely(trx) });
      return { run: recordOf(inserted), isNew: true };
    });
  }

  /** Throws QUEUE_RUN_NOT_FOUND. */
  async get(id: string): Promise<RunRecord> {
    const row = await this.#database.db.selectFrom('onevault.run').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw new QueueError({ code: 'QUEUE_RUN_NOT_FOUND', message: `there is no run ${id}`, details: { runId: id } });
    return recordOf(row);
  }

  /** Newest first. */
  async list(filter: RunFilter): Promise<readonly RunRecord[]> {
    const { state, kind, vmId, policy, after, limit } = filter;
    const rows = await this.#database.db
      .selectFrom('onevault.run')
      .selectAll()
      .$if(state !== undefined, (query) => query.where('state', '=', state ?? 'queued'))
      .$if(kind !== undefined, (query) => query.where('kind', '=', kind ?? ''))
      .$if(vmId !== undefined, (query) => query.where('vm_id', '=', vmId ?? -1))
      .$if(policy !== undefined, (query) => query.where('policy', '=', policy ?? ''))
      .$if(after !== undefined, (query) => query.where(sql<boolean>`(queued_at, id) < (${after?.queuedAt ?? new Date(0)}, ${after?.id ?? ''})`))
      .orderBy('queued_at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit)
      .execute();
    return rows.map(recordOf);
  }

  async events(id: string, afterSeq: number, limit: number): Promise<readonly RunEvent[]> {
    const rows = await this.#database.db
      .selectFrom('onevault.run_event')
      .select(['seq', 'at', 'type', 'data'])
      .where('run_id', '=', id)
      .where('seq', '>', afterSeq)
      .orderBy('seq')
      .limit(limit)
      .execute();
    return rows.map(({ seq, ...event }) => ({ ...event, seq: Number(seq) }));
  }

  /** What waits is cancelled at once; what runs is told, and ends in order. Throws QUEUE_RUN_NOT_FOUND, QUEUE_RUN_ENDED. */
  async cancel(id: string): Promise<RunRecord> {
    const row = await this.#database.db
      .updateTable('onevault.run')
      .set((now) => ({
        cancel_requested: true,
        state: now
          .case()
          .when('state', '=', 'queued')
          .then('cancelled' as RunState)
          .else(now.ref('state'))
          .end(),
        ended_at: sql<Date | null>`case when state = 'queued' then now() else ended_at end`,
      }))
      .where('id', '=', id)
      .where('state', 'in', ['queued', 'running'])
      .returningAll()
      .executeTakeFirst();
    if (row !== undefined) return recordOf(row);
    const { state } = await this.get(id);
    throw new QueueError({ code: 'QUEUE_RUN_ENDED', message: `run ${id} has ended: ${state}`, details: { runId: id, state } });
  }
}

async function insertRun(trx: Transaction<Tables>, id: string, spec: RunSpec): Promise<Selectable<RunTable> | undefined> {
  return trx
    .insertInto('onevault.run')
    .values({
      id,
      kind: spec.kind,
      request: JSON.stringify(spec.request),
      fingerprint: fingerprintOf(spec),
      vm_id: spec.vmId ?? null,
      vm_name: spec.vmName ?? null,
      policy: spec.schedule?.policy ?? null,
      slot: spec.schedule?.slot ?? null,
      origin_kind: spec.origin.kind,
      origin_name: spec.origin.name,
      priority: spec.priority,
      holds: JSON.stringify(spec.holds),
      reach: JSON.stringify(spec.reach),
      retry_times: spec.retry.times,
      retry_after_ms: spec.retry.afterMs,
      state: 'queued',
      attempt: 0,
      notes: '{}',
      progress: '{}',
    })
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirst();
}

async function sameRun(db: Kysely<Tables>, spec: RunSpec): Promise<Selectable<RunTable>> {
  const { schedule } = spec;
  return db
    .selectFrom('onevault.run')
    .selectAll()
    .where((where) =>
      where.or([
        where.and([where('fingerprint', '=', fingerprintOf(spec)), where('state', '=', 'queued')]),
        ...(schedule === undefined
          ? []
          : [
              where.and([
                where('policy', '=', schedule.policy),
                where('slot', '=', schedule.slot),
                where('kind', '=', spec.kind),
                where('vm_id', 'is not distinct from', spec.vmId ?? null),
              ]),
            ]),
      ]),
    )
    .executeTakeFirstOrThrow();
}

function fingerprintOf({ kind, vmId, request }: RunSpec): string {
  return createHash('sha256')
    .update(JSON.stringify([kind, vmId ?? null, sorted(request)]))
    .digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, field]) => [key, sorted(field)]),
  );
}
