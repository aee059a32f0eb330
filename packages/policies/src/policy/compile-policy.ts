import { parseDuration } from '../duration.ts';
import type { LatenessRules } from '../schedule/due.ts';
import { runsAfter } from '../schedule/runs.ts';
import { parseSchedule, type Schedule } from '../schedule/schedule.ts';
import { parseWindow, type Window } from '../schedule/window.ts';
import type { Selection } from '../select/select-vms.ts';
import { parseSelector } from '../select/selector.ts';
import type { Policy } from './policy-schema.ts';

/** A policy's texts, read once. */
export interface CompiledPolicy<P extends Policy = Policy> {
  readonly policy: P;
  readonly selection: Selection;
  readonly schedules: readonly CompiledSchedule[];
  /** The greatest age of the newest good restore point, ms. */
  readonly rpoMs: number;
}

export interface CompiledSchedule {
  readonly schedule: Schedule;
  readonly mode: 'auto' | 'full';
  readonly lateness: LatenessRules;
  readonly window: Window | undefined;
  readonly stopAtWindowEnd: boolean;
}

/** `nowMs` is what the default of the RPO is measured from: the next runs of the schedules. */
export function compilePolicy<P extends Policy>(policy: P, nowMs: number): CompiledPolicy<P> {
  const schedules = policy.schedules.map(({ at, mode, startWithin, missed, window, stopAtWindowEnd }) => ({
    schedule: parseSchedule(at, policy.timezone),
    mode,
    lateness: { startWithinMs: parseDuration(startWithin), missed },
    window: window === undefined ? undefined : parseWindow(window, policy.timezone),
    stopAtWindowEnd,
  }));
  const selection = { include: policy.select.include.map(parseSelector), exclude: policy.select.exclude.map(parseSelector) };
  const asked = policy.kind === 'backup' ? policy.rpo : undefined;
  const rpoMs = asked === undefined ? 2 * longestGap(schedules, nowMs) : parseDuration(asked);
  return { policy, selection, schedules, rpoMs };
}

/** The next runs of all schedules together, in order. */
export function nextRuns(compiled: CompiledPolicy, afterMs: number, count: number): readonly { readonly atMs: number; readonly schedule: CompiledSchedule }[] {
  const heads = compiled.schedules.map((schedule) => ({ schedule, runs: runsAfter(schedule.schedule, afterMs) }));
  const upcoming = heads.flatMap(({ schedule, runs }) => take(runs, count).map((atMs) => ({ atMs, schedule })));
  return upcoming.sort((a, b) => a.atMs - b.atMs).slice(0, count);
}

/** Enough runs that a weekend, a month's end and a change of the clock are among them. */
const GAPS = 64;
/** Of a schedule that comes every few years, two are enough. */
const FURTHEST_MS = 8 * 366 * 86_400_000;

function longestGap(schedules: readonly CompiledSchedule[], nowMs: number): number {
  const times = schedules.map(({ schedule }) => take(runsAfter(schedule, nowMs), GAPS, nowMs + FURTHEST_MS));
  // Behind the end of the shortest list the others stand alone.
  const until = Math.min(...times.map((list) => list.at(-1) ?? Number.POSITIVE_INFINITY));
  const sorted = [...new Set(times.flat())].filter((at) => at <= until).sort((a, b) => a - b);
  const gaps = sorted.slice(1).map((at, i) => at - (sorted[i] ?? at));
  return Math.max(0, ...gaps);
}

function take(runs: Generator<number, void>, count: number, untilMs = Number.POSITIVE_INFINITY): number[] {
  const taken: number[] = [];
  for (const at of runs) {
    taken.push(at);
    if (taken.length >= count || (taken.length >= 2 && at > untilMs)) break;
  }
  return taken;
}
