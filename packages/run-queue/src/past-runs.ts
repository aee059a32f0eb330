import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Tables } from './database/tables.ts';
import type { JsonObject, RunSpec } from './run-record.ts';

/** A run that succeeded before this database was made, as what it left says. */
export interface PastRun extends Pick<RunSpec, 'kind' | 'request' | 'vmId' | 'vmName' | 'schedule' | 'origin'> {
  /** What it left: the same makes the same run, however often it is told. */
  readonly left: string;
  readonly startedAt: Date;
  readonly endedAt: Date;
  readonly report: JsonObject;
}

/** So many rows go in at once: the embedded database works in the thread that answers everybody. */
const BATCH = 200;

/** Those that are there already stay as they are, and so does a scheduled run that the queue has itself. Nobody is told: they ended long ago. */
export async function insertPastRuns(db: Kysely<Tables>, runs: readonly PastRun[]): Promise<void> {
  for (let at = 0; at < runs.length; at += BATCH) {
    await db
      .insertInto('onevault.run')
      .values(runs.slice(at, at + BATCH).map(rowOf))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

function rowOf({ kind, request, vmId, vmName, schedule, origin, left, startedAt, endedAt, report }: PastRun) {
  const hash = createHash('sha256')
    .update(JSON.stringify([kind, left, schedule ?? null]))
    .digest('hex');
  return {
    id: `run-${startedAt.getTime().toString(36).padStart(9, '0')}-${hash.slice(0, 12)}`,
    kind,
    request: JSON.stringify(request),
    fingerprint: hash,
    vm_id: vmId ?? null,
    vm_name: vmName ?? null,
    policy: schedule?.policy ?? null,
    slot: schedule?.slot ?? null,
    origin_kind: origin.kind,
    origin_name: origin.name,
    priority: 0,
    holds: '[]',
    reach: '[]',
    retry_times: 0,
    retry_after_ms: 0,
    queued_at: startedAt,
    start_after: startedAt,
    start_before: null,
    turn: startedAt,
    state: 'succeeded' as const,
    token: 1,
    attempt: 1,
    started_at: startedAt,
    ended_at: endedAt,
    report: JSON.stringify(report),
  };
}
