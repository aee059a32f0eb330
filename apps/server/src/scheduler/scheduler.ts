import { type CallOptions, serializeError } from '@onevault/base';
import { closingOf, type Due, dueRun, nextRun, previousRun, trustedHandled } from '@onevault/policies';
import type { RunService } from '../ports/run-service.ts';
import type { SettingsStore } from '../ports/settings-store.ts';
import { type BeginDeps, beginRuns } from './begin-runs.ts';
import { type HandledSlots, slotKeyText } from './handled-slots.ts';
import { RetentionAfterBackups, type RetentionDeps } from './retention-after-backups.ts';
import { type TimetableEntry, timetableOf } from './timetable.ts';

export interface SchedulerDeps extends BeginDeps {
  readonly runs: BeginDeps['runs'] & RetentionDeps['runs'] & Pick<RunService, 'endMissed'>;
  readonly settings: Pick<SettingsStore, 'current' | 'onChange'>;
  readonly slots: HandledSlots;
}

/** A clock that is set is noticed within this time, whatever comes next. */
const LONGEST_SLEEP_MS = 30_000;
const JUMP_MS = 60_000;
/** Older than this program. A machine without a clock of its own begins in 1970, and is told the time when the network is there. */
const EARLIEST_MS = Date.UTC(2026, 0, 1);

/**
 * Begins every scheduled run once. What was dealt with is in the database, and a slot of a run exists there once: several servers may run this at the same time, and a
 * crash in the middle of a slot costs nothing. The clock on the wall decides; one that jumps is said.
 */
export class Scheduler implements Disposable {
  readonly #deps: SchedulerDeps;
  readonly #retention: RetentionAfterBackups;
  /** What is set now is looked at now: a schedule that is new begins with its next run, and must have been seen before that. */
  readonly #settingsListener: Disposable;
  #changed = new AbortController();
  #last: { readonly wallMs: number; readonly monotonicMs: number } | undefined;

  constructor(deps: SchedulerDeps) {
    this.#deps = deps;
    this.#retention = new RetentionAfterBackups(deps);
    this.#settingsListener = deps.settings.onChange(() => this.#changed.abort());
  }

  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { clock, logger } = this.#deps;
    while (!signal.aborted) {
      this.#changed = new AbortController();
      const until = AbortSignal.any([signal, this.#changed.signal]);
      const sleepMs = await this.tick({ signal }).catch((error: unknown) => {
        signal.throwIfAborted();
        logger.error({ error: serializeError(error) }, 'the scheduler could not do its work and tries again');
        return LONGEST_SLEEP_MS;
      });
      logger.debug({ sleepMs }, 'the scheduler has looked');
      await clock.sleep(sleepMs, { signal: until }).catch(() => signal.throwIfAborted());
    }
  }

  /** Begins what is due now; answers how long nothing will be, ms. */
  async tick(options: CallOptions = {}): Promise<number> {
    this.#watchClock();
    const { clock, logger, settings, slots, runs } = this.#deps;
    if (clock.now().getTime() < EARLIEST_MS) {
      logger.warn({ now: clock.now() }, 'the clock is wrong: nothing is begun until it is set');
      return LONGEST_SLEEP_MS;
    }
    await runs.endMissed();
    const timetable = timetableOf(settings.current());
    const handled = await slots.all();
    if (handled.size > timetable.length) await slots.keepOnly(new Set(timetable.map(({ key }) => slotKeyText(key))));
    const troubles: unknown[] = [];
    for (const entry of timetable) {
      try {
        await this.#look(entry, handled.get(slotKeyText(entry.key)), options);
      } catch (error) {
        options.signal?.throwIfAborted();
        troubles.push(error); // one that cannot be begun does not keep the others from their time
      }
    }
    await this.#retention.begin(options);
    if (troubles.length > 0) throw troubles.length === 1 ? troubles[0] : new AggregateError(troubles, `${troubles.length} schedules could not be begun`);
    const nowMs = clock.now().getTime();
    const next = timetable.map(({ schedule }) => nextRun(schedule.schedule, nowMs) ?? Number.POSITIVE_INFINITY);
    return Math.max(1, Math.min(LONGEST_SLEEP_MS, Math.min(...next) - nowMs));
  }

  [Symbol.dispose](): void {
    this.#settingsListener[Symbol.dispose]();
    this.#retention[Symbol.dispose]();
  }

  async #look(entry: TimetableEntry, handledMs: number | undefined, options: CallOptions): Promise<void> {
    const { clock, slots, logger } = this.#deps;
    const { key, schedule } = entry;
    const nowMs = clock.now().getTime();
    // One that nobody has seen before begins with its next run.
    if (handledMs === undefined) return slots.remember(key, nowMs, undefined);
    const trusted = trustedHandled(handledMs, nowMs);
    if (trusted !== handledMs) await slots.remember(key, trusted, handledMs);
    const due = dueRun(schedule.schedule, trusted, nowMs, schedule.lateness);
    if (due === undefined) return;
    if (due.verdict === 'missed') logger.warn({ ...key, slot: new Date(due.slotMs), lateMs: due.lateMs }, 'a scheduled run was missed and is left out');
    else if (schedule.window !== undefined && closingOf(schedule.window, nowMs) === undefined)
      return; // it waits for the window, or for a newer slot to take its place
    else if (!(await this.#begin(entry, due, trusted, options))) return;
    await slots.remember(key, due.slotMs, trusted);
  }

  async #begin(entry: TimetableEntry, due: Due, handledMs: number, options: CallOptions): Promise<boolean> {
    const isSlot = previousRun(entry.schedule.schedule, handledMs) === handledMs;
    if (isSlot && entry.what.kind === 'policy' && entry.what.policy.kind === 'backup')
      await this.#retention.beginFor(entry.key.policy, new Date(handledMs), options);
    return beginRuns(this.#deps, entry, due, options);
  }

  #watchClock(): void {
    const { clock, logger } = this.#deps;
    const now = { wallMs: clock.now().getTime(), monotonicMs: clock.monotonicMs() };
    if (this.#last !== undefined) {
      const jumpMs = now.wallMs - this.#last.wallMs - (now.monotonicMs - this.#last.monotonicMs);
      if (Math.abs(jumpMs) > JUMP_MS) logger.warn({ jumpMs: Math.round(jumpMs) }, 'the clock was set: what is due is decided by the new time');
    }
    this.#last = now;
  }
}
