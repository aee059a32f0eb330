import { type CallOptions, type Clock, errorCode, isAbort, Scope, serializeError } from '@onevault/base';
import type { CloudDeps } from './cloud/cloud-deps.ts';
import { removeObject } from './cloud/remove-object.ts';
import { type Send, wasRefused } from './cloud/send.ts';
import { type CloudObject, describeObject, diskOf, UNDO_STEPS } from './cloud-object.ts';
import { JobError } from './errors.ts';
import type { JobEventBody, StepName } from './events.ts';
import type { Journal, JournalRecord } from './journal.ts';
import { newRunId } from './names.ts';
import { type ControlDeps, DEFAULT_PATIENCE, type JobDeps } from './ports.ts';
import type { BackupReport, RestoreReport, SnapshotReport } from './report.ts';

/** Something this run made in the cloud, and will take away again unless it is kept. */
export interface Owned {
  readonly id: number;
  /** Its number in the journal. */
  readonly step: number;
  /** Takes it away now. A failure is reported and tried once more when the run ends; it never stops the run: the data comes first. */
  undo(): Promise<void>;
  /** For the rare object whose removal is part of the result: throws JOB_CLEANUP_FAILED when `undo` did not work. */
  assertUndone(message: string): void;
}

interface Step {
  readonly number: number;
  readonly object: CloudObject;
  id: number | undefined;
}

/** What kind of run, and on what, for the journal's reader. */
export interface RunFacts {
  readonly kind: 'backup' | 'restore' | 'snapshot';
  readonly about: string;
}

/** Only a run that attaches disks can detach them. */
type RunDeps = ControlDeps & Partial<Pick<JobDeps, 'attacher'>>;

/** A call whose connection broke may still be under way in oned when nothing is found of it yet: so long later it is looked for again. */
const LATE_MS = 5_000;

/**
 * One execution of a workflow: its id, its journal, and everything it has made, taken back in reverse order when it ends.
 * The order of a step is always: journal the intent (durable), call, journal the id, verify the effect; later undo, verify, journal that.
 */
export class Run {
  readonly id: string;
  readonly cloud: CloudDeps;
  readonly residue: string[] = [];
  readonly warnings: { readonly code: string; readonly message: string }[] = [];
  readonly #deps: RunDeps;
  readonly #journal: Journal;
  readonly #resources = new Scope();
  readonly #open: Step[] = [];
  #steps = 0;
  #cloudLost = false;

  private constructor(id: string, deps: RunDeps, journal: Journal) {
    this.id = id;
    this.#deps = deps;
    this.#journal = journal;
    this.cloud = { cloud: deps.cloud, clock: deps.clock, patience: deps.patience ?? DEFAULT_PATIENCE };
  }

  static async start(deps: RunDeps, facts: RunFacts): Promise<Run> {
    const id = newRunId(deps.clock.now(), deps.randomBytes);
    const journal = await deps.journals.create(id);
    const run = new Run(id, deps, journal);
    try {
      await journal.append({ type: 'run', time: run.#time(), runId: id, ...facts, endpoint: deps.cloud.endpoint.href, owner: deps.journals.owner });
    } catch (error) {
      await run.#finishJournal();
      throw error;
    }
    return run;
  }

  /** A consumer that throws breaks its promise; that is no reason to break a backup. */
  emit(event: JobEventBody): void {
    try {
      this.#deps.emit({ time: this.#time(), runId: this.id, ...event });
    } catch (error) {
      this.#deps.logger.error({ runId: this.id, event: event.type, error: serializeError(error) }, 'event consumer failed');
    }
  }

  warn(code: string, message: string): void {
    this.warnings.push({ code, message });
    this.emit({ type: 'warning', code, message });
  }

  get clock(): Clock {
    return this.#deps.clock;
  }

  /** Whole milliseconds since `startedMs` of the same clock. */
  elapsedMs(startedMs: number): number {
    return Math.round(this.clock.monotonicMs() - startedMs);
  }

  /** Given back when the run ends, before the cloud is cleaned up; a failure to do so is a warning and hides nothing. */
  use<T extends AsyncDisposable | undefined>(resource: T): T {
    return this.#resources.use(resource);
  }

  /** Reports a stretch of work; the work itself is `work`. */
  async step<T>(step: StepName, facts: { readonly diskId?: number; readonly object?: string }, work: () => Promise<T>): Promise<T> {
    const startedMs = this.clock.monotonicMs();
    this.emit({ type: 'step.started', step, ...facts });
    try {
      const result = await work();
      this.emit({ type: 'step.finished', step, ...facts, durationMs: this.elapsedMs(startedMs) });
      return result;
    } catch (error) {
      const code = isAbort(error) ? undefined : errorCode(error);
      this.emit({ type: 'step.failed', step, ...facts, durationMs: this.elapsedMs(startedMs), ...(code !== undefined && { code }) });
      throw error;
    }
  }

  /**
   * Makes an object in the cloud. `call` makes it through `send` and answers its id; `settle` waits for it and verifies that it is what was asked for.
   * When either fails the object is looked for by name and taken away before the error goes on: a lost answer leaves nothing behind.
   */
  async create(object: CloudObject, call: (send: Send) => Promise<number>, settle?: (id: number) => Promise<void>): Promise<Owned> {
    const step: Step = { number: ++this.#steps, object, id: undefined };
    await this.#journal.append({ type: 'intent', time: this.#time(), step: step.number, object });
    this.#open.push(step);
    let mayExist = false;
    const send: Send = async (request) => {
      mayExist = true;
      try {
        return await request();
      } catch (error) {
        mayExist = !wasRefused(error);
        throw error;
      }
    };
    try {
      step.id = await call(send);
      await this.#journal.append({ type: 'done', time: this.#time(), step: step.number, id: step.id });
      await settle?.(step.id);
    } catch (error) {
      if (step.id !== undefined || mayExist) await this.#undo(step);
      else await this.#closeUndone(step);
      throw error;
    }
    const { id } = step;
    return { id, step: step.number, undo: () => this.#undo(step), assertUndone: (message) => this.#assertUndone(step, message) };
  }

  /** They stay: the product of the run. All of them or, when that cannot be written down, none. */
  async keep(owned: readonly Owned[]): Promise<void> {
    const steps = this.#open.filter((step) => owned.some((kept) => kept.step === step.number));
    await this.#journal.append({ type: 'kept', time: this.#time(), steps: steps.map((step) => step.number) });
    this.#forget(steps);
  }

  #assertUndone(step: Step, message: string): void {
    if (!this.#open.includes(step)) return;
    const hint = 'detach it by hand (onevm disk-detach), then run again';
    throw new JobError({ code: 'JOB_CLEANUP_FAILED', message, details: { object: describeObject(step.object, step.id) }, hint });
  }

  async #undo(step: Step): Promise<void> {
    if (!this.#open.includes(step)) return;
    try {
      await this.step(UNDO_STEPS[step.object.kind], { object: describeObject(step.object, step.id), ...diskOf(step.object) }, () => this.#remove(step));
    } catch (error) {
      this.#cloudLost ||= LOST.has(errorCode(error) ?? '');
      this.emit({ type: 'cleanup.failed', object: describeObject(step.object, step.id), error: serializeError(error) });
      this.#deps.logger.warn({ runId: this.id, object: step.object, error: serializeError(error) }, 'clean-up failed');
      return;
    }
    await this.#closeUndone(step);
  }

  async #remove(step: Step): Promise<void> {
    const deps = { ...this.cloud, attacher: this.#deps.attacher };
    const wasThere = await removeObject(deps, this.id, step.object, step.id);
    if (wasThere || step.id !== undefined) return;
    await this.clock.sleep(LATE_MS);
    await removeObject(deps, this.id, step.object, undefined);
  }

  /** The object is gone; a journal that cannot be told so names one thing too many, which whoever looks for it will not find. */
  async #closeUndone(step: Step): Promise<void> {
    this.#forget([step]);
    try {
      await this.#journal.append({ type: 'undone', time: this.#time(), step: step.number });
    } catch (error) {
      this.warn('JOURNAL_NOT_WRITTEN', serializeError(error).message);
    }
  }

  #forget(steps: readonly Step[]): void {
    for (const step of steps) this.#open.splice(this.#open.indexOf(step), 1);
  }

  /**
   * Takes back what is still there, newest first; never throws. What cannot be taken back stays in the journal and is named in `residue`. An OpenNebula
   * that does not answer is asked for one object only: waiting as long for each of the others would help nobody.
   */
  async unwind(): Promise<void> {
    await this.#giveBackResources();
    this.#cloudLost = false;
    for (const step of this.#open.toReversed()) {
      if (!this.#cloudLost) await this.#undo(step);
    }
    this.residue.push(...this.#open.map((step) => describeObject(step.object, step.id)));
    if (this.#open.length === 0) await this.#finishJournal();
    this.#open.length = 0;
  }

  async #giveBackResources(): Promise<void> {
    try {
      await this.#resources[Symbol.asyncDispose]();
    } catch (error) {
      this.warn('RESOURCE_NOT_CLOSED', serializeError(error).message);
    }
  }

  async #finishJournal(): Promise<void> {
    try {
      await this.#journal.finish();
    } catch (error) {
      this.warn('JOURNAL_NOT_REMOVED', serializeError(error).message);
    }
  }

  /** The journal's file is closed; it stays on disk while something is left to undo. */
  async close(): Promise<void> {
    try {
      await this.#journal[Symbol.asyncDispose]();
    } catch (error) {
      this.#deps.logger.warn({ runId: this.id, error: serializeError(error) }, 'journal not closed');
    }
  }

  #time(): JournalRecord['time'] {
    return this.#deps.clock.now().toISOString();
  }
}

/** Runs a workflow. However it ends, what it made and did not keep is taken back before anybody is told. */
export async function inRun<R extends BackupReport | RestoreReport | SnapshotReport>(
  deps: RunDeps,
  facts: RunFacts & { readonly kind: R['kind'] },
  options: CallOptions,
  work: (run: Run) => Promise<R>,
): Promise<R> {
  options.signal?.throwIfAborted();
  const run = await Run.start(deps, facts);
  try {
    const report = await work(run);
    run.emit({ type: 'run.finished', outcome: report.residue.length > 0 ? 'residue' : 'complete', report, residue: report.residue });
    return report;
  } catch (error) {
    await run.unwind();
    const cancelled = isAbort(error) || (options.signal?.aborted === true && error === options.signal.reason);
    run.emit({ type: 'run.finished', outcome: cancelled ? 'cancelled' : 'failed', error: serializeError(error), residue: run.residue });
    throw error;
  } finally {
    await run.close();
  }
}

const LOST: ReadonlySet<string> = new Set(['ONE_UNREACHABLE', 'ONE_TIMEOUT', 'ONE_HTTP_STATUS']);
