import { previousRun } from './runs.ts';
import type { Schedule } from './schedule.ts';

/** What a run that could not begin on time is worth. */
export interface LatenessRules {
  /** A run begins at most so long after its time, ms; later it is a missed one. */
  readonly startWithinMs: number;
  /** run: a missed one is made up for as soon as possible, once, however many were missed. skip: the next one comes at its time. */
  readonly missed: 'run' | 'skip';
}

export interface Due {
  /** The time of the run, by which it is known: two schedulers that see the same one mean the same run. */
  readonly slotMs: number;
  /** on-time; late: a missed one that is made up for; missed: it is not run, and must be remembered as handled. */
  readonly verdict: 'on-time' | 'late' | 'missed';
  readonly lateMs: number;
}

/**
 * A clock that was this far ahead was wrong, and what it made us believe is forgotten, or schedules of every hour would be silent until that time has come. What was begun
 * for a slot is known by the slot (the queue has one run of each), and is not begun again.
 */
const CLOCK_TOLERANCE_MS = 3_600_000;

/** What is to be remembered as handled: itself, unless a clock that was wrong made us believe in a future that is not there yet. */
export function trustedHandled(handledMs: number, nowMs: number): number {
  return handledMs > nowMs + CLOCK_TOLERANCE_MS ? nowMs : handledMs;
}

/**
 * Whether a run is due at `nowMs`, when the slot `handledMs` was the last one dealt with (or the policy has been there since). A clock that is set back brings
 * no run a second time; one that is set forward, or a long sleep, brings one run. `handledMs` in the future beyond any doubt counts as now.
 */
export function dueRun(schedule: Schedule, handledMs: number, nowMs: number, rules: LatenessRules): Due | undefined {
  const slotMs = previousRun(schedule, nowMs);
  if (slotMs === undefined || slotMs <= trustedHandled(handledMs, nowMs)) return undefined;
  const lateMs = nowMs - slotMs;
  if (lateMs <= rules.startWithinMs) return { slotMs, verdict: 'on-time', lateMs };
  return { slotMs, verdict: rules.missed === 'run' ? 'late' : 'missed', lateMs };
}
