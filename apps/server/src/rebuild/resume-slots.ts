import { previousRun } from '@onevault/policies';
import type { PastRun } from '@onevault/run-queue';
import type { CatalogPoint } from '../ports/catalog.ts';
import type { TimetableEntry } from '../scheduler/timetable.ts';

/** Where a schedule goes on. */
export interface ResumedSlot {
  readonly entry: TimetableEntry;
  /** To be remembered as dealt with, ms. */
  readonly handledMs: number;
  /** The slot that is looked at once more, ms: VMs that have a restore point since are done, and the others' turn is still to come. */
  readonly againMs: number | undefined;
}

/** The policy has no restore point. */
export const NO_POINT = Number.NEGATIVE_INFINITY;

/**
 * `keptMs`: what the file beside the database says was dealt with last. `newestMs`: when the newest restore point of the policy was captured, or NO_POINT; undefined when
 * nobody can tell. Answers undefined when nothing is known of the schedule: it begins with its next run.
 *
 * Runs of the last slot that waited when the database was lost are in no file. So that slot is begun again, which costs nothing where it was over. It is not when it was
 * before the schedule: what was kept then is a time between two slots. Without the file nobody can tell.
 */
export function resumeSlot(entry: TimetableEntry, keptMs: number | undefined, newestMs: number | undefined): ResumedSlot | undefined {
  const lastMs = Math.max(keptMs ?? NO_POINT, newestMs ?? NO_POINT);
  if (lastMs === NO_POINT) return undefined;
  const slotMs = previousRun(entry.schedule.schedule, lastMs);
  const isAgain = keptMs !== undefined && newestMs !== undefined && slotMs !== undefined && slotMs >= keptMs;
  return isAgain ? { entry, handledMs: slotMs - 1, againMs: slotMs } : { entry, handledMs: lastMs, againMs: undefined };
}

/** The run that made a restore point, as far as it tells; `slotMs`: the slot that is done with it. */
export function runOfPoint(point: CatalogPoint, slotMs?: number): PastRun {
  const { repository, id: pointId, vmId, vmName, policy, mode } = point;
  const request = { kind: 'backup', vmId, repository, mode: 'auto', ...(policy !== undefined && { policy }) };
  return {
    kind: 'backup',
    request: { request },
    vmId,
    vmName,
    ...(policy !== undefined && slotMs !== undefined && { schedule: { policy, slot: new Date(slotMs) } }),
    origin: { kind: 'system', name: 'rebuild' },
    left: `${repository}/${pointId}`,
    startedAt: point.capturedAt,
    endedAt: point.committedAt,
    report: { kind: 'backup', pointId, mode, told: [TOLD] },
  };
}

const TOLD = { code: 'RUN_OF_A_POINT', text: 'the database was made anew: of this run its restore point is known, and nothing else' };
