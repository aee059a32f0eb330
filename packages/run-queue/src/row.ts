import type { Selectable } from 'kysely';
import type { RunTable } from './database/tables.ts';
import type { RunRecord, WaitsFor } from './run-record.ts';

export type RunRow = Selectable<RunTable>;

/** A run as its row says. */
export function recordOf(row: RunRow, waitsFor?: WaitsFor): RunRecord {
  return {
    id: row.id,
    kind: row.kind,
    request: row.request,
    ...(row.vm_id !== null && { vmId: row.vm_id }),
    ...(row.vm_name !== null && { vmName: row.vm_name }),
    ...(row.policy !== null && row.slot !== null && { schedule: { policy: row.policy, slot: row.slot } }),
    origin: { kind: row.origin_kind, name: row.origin_name },
    priority: row.priority,
    holds: row.holds,
    reach: row.reach,
    retry: { times: row.retry_times, afterMs: row.retry_after_ms },
    startAfter: row.start_after,
    ...(row.start_before !== null && { startBefore: row.start_before }),
    state: row.state,
    attempt: row.attempt,
    worker: row.worker ?? undefined,
    queuedAt: row.queued_at,
    startedAt: row.started_at ?? undefined,
    endedAt: row.ended_at ?? undefined,
    waitsFor,
    cancelRequested: row.cancel_requested,
    notes: row.notes,
    progress: row.progress,
    report: row.report ?? undefined,
    failure: row.failure ?? undefined,
  };
}
