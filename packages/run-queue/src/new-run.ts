import { createHash } from 'node:crypto';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { Tables } from './database/tables.ts';
import { jsonText } from './json-text.ts';
import type { RunRow } from './row.ts';
import type { RunSpec } from './run-record.ts';

/** A point of priority in minutes of waiting. */
const POINT_MINUTES = 10;
/** What an integer of PostgreSQL holds: 24 days. */
const MOST_MS = 2 ** 31 - 1;

/** Nothing when the same is there already. */
export async function insertRun(trx: Transaction<Tables>, id: string, spec: RunSpec): Promise<RunRow | undefined> {
  return trx
    .insertInto('onevault.run')
    .values({
      id,
      kind: spec.kind,
      request: jsonText(spec.request),
      fingerprint: fingerprintOf(spec),
      vm_id: spec.vmId ?? null,
      vm_name: spec.vmName ?? null,
      policy: spec.schedule?.policy ?? null,
      slot: spec.schedule?.slot ?? null,
      origin_kind: spec.origin.kind,
      origin_name: spec.origin.name,
      priority: spec.priority,
      turn: sql<Date>`now() - ${spec.priority * POINT_MINUTES} * interval '1 minute'`,
      holds: jsonText(spec.holds),
      reach: jsonText(spec.reach),
      retry_times: spec.retry.times,
      retry_after_ms: Math.min(spec.retry.afterMs, MOST_MS),
      ...(spec.startAfter !== undefined && { start_after: spec.startAfter }),
      start_before: spec.startBefore ?? null,
      state: 'queued',
    })
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirst();
}

/** The one that keeps a new one from being queued. */
export async function sameRun(db: Kysely<Tables>, id: string, spec: RunSpec): Promise<RunRow | undefined> {
  const { schedule } = spec;
  return db
    .selectFrom('onevault.run')
    .selectAll()
    .where((where) =>
      where.or([
        where('id', '=', id),
        where.and([where('fingerprint', '=', fingerprintOf(spec)), where('state', '=', 'queued'), where('token', '=', 0)]),
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
    .orderBy(sql`id = ${id}`, 'desc')
    .limit(1)
    .executeTakeFirst();
}

function fingerprintOf({ kind, vmId, schedule, request }: RunSpec): string {
  return createHash('sha256')
    .update(JSON.stringify([kind, vmId ?? null, schedule?.policy ?? null, sorted(request)]))
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
