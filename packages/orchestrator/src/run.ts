import { type CallOptions, type Clock, errorCode, isAbort, Scope, serializeError } from '@onevault/base';
import type { CloudDeps } from './cloud/cloud-deps.ts';
import { markKept } from './cloud/product-mark.ts';
import { removeObject } from './cloud/remove-object.ts';
import { type Send, wasRefused } from './cloud/send.ts';
import { type CloudObject, describeObject, diskOf, UNDO_STEPS } from './cloud-object.ts';
import { JobError } from './errors.ts';
import type { JobEventBody, StepName } from './events.ts';
import type { Journal, KeptAs, RunRecord } from './journal.ts';
import { newRunId } from './names.ts';
import { isProduct, type Step } from './open-steps.ts';
import { type ControlDeps, DEFAULT_PATIENCE, type JobDeps } from './ports.ts';
import type { RunReport } from './report.ts';
import { isCloudLost, setAside } from './set-aside.ts';

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

/** What kind of run, and on what, for the journal's reader. */
export interface RunFacts {
  /** For a run that was spoken of before it began; default: a new one. */
  readonly id?: string;
  readonly kind: RunRecord['kind'];
  readonly about: string;
  /** When the run fails, what it made under names of the user's choice stays. */
  readonly keepOnFailure?: boolean | undefined;
}

/** Only a run that attaches disks can detach them. */
type RunDeps = ControlDeps & Partial<Pick<JobDeps, 'attacher' | 'proxyVm' | 'attacherOf'>>;

/**
 * One execution of a workflow: its id, its journal, and everything it has made, taken back in reverse order when it ends.
 * The order of a step is always: journal the intent (durable), call, journal the id, verify the effect; later undo, verify, journal that.
 */
export class Run {
  readonly id: string;
  readonly cloud: CloudDeps;
  readonly residue: string[] = [];
  /** What a failed run left on demand. */
  readonly kept: string[] = [];
  readonly warnings: { readonly code: string; readonly message: string }[] = [];
  readonly #deps: RunDeps;
  readonly #journal: Journal;
  readonly #resources = new Scope();
  readonly #open: Step[] = [];
  #steps = 0;
  #cloudLost = false;
  /** What stays, and still looks like something that was left behind. */
  #unmarked: readonly Step[] = [];
  #keptAs: KeptAs = 'whole';
  readonly #keepOnFailure: boolean;
  #over = false;

  private constructor(id: string, deps: RunDeps, journal: Journal, keepOnFailure: boolean) {
    this.id = id;
    this.#keepOnFailure = keepOnFailure;
    this.#deps = deps;
    this.#journal = journal;
    this.cloud = { cloud: deps.cloud, clock: deps.clock, patience: deps.patience ?? DEFAULT_PATIENCE };
  }

  static async start(deps: RunDeps, { id = newRunId(deps.clock.now(), deps.randomBytes), keepOnFailure = false, ...facts }: RunFacts): Promise<Run> {
    const time = deps.clock.now().toISOString();
    const { owner } = deps.journals;
    const journal = await deps.journals.create({ type: 'run', time, runId: id, ...facts, endpoint: deps.cloud.endpoint.href, owner });
    return new Run(id, deps, journal, keepOnFailure);
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

  get cloudLost(): boolean {
    return this.#cloudLost;
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
      const stays = this.#keepOnFailure && isProduct(step, this.id) && !isAbort(error);
      if (step.id !== undefined && stays) throw error; // `keepFailed` sees to it
      if (step.id !== undefined || mayExist) await this.#undo(step);
      else await this.#closeUndone(step);
      throw error;
    }
    const { id } = step;
    return { id, step: step.number, undo: () => this.#undo(step), assertUndone: (message) => this.#assertUndone(step, message) };
  }

  /**
   * They stay: the product of the run. All of them or, when that cannot be written down, none. Then they say so themselves, for whoever finds them
   * without a journal; until they do, the journal stays. `mark` false: they say so when the run ends.
   */
  async keep(owned: readonly Owned[], { mark = true }: { readonly mark?: boolean } = {}): Promise<void> {
    await this.#keep(
      this.#open.filter((step) => owned.some((kept) => kept.step === step.number)),
      'whole',
    );
    if (mark) await this.#mark();
  }

  async #keep(steps: readonly Step[], as: KeptAs): Promise<void> {
    await this.#journal.append({ type: 'kept', time: this.#time(), steps: steps.map((step) => step.number), ...(as === 'failed' && { as }) });
    this.#forget(steps);
    this.#unmarked = steps;
    this.#keptAs = as;
  }

  /** For a run that failed and was told to leave what it made: images and VM stay as they are, named in `kept`; all that served their making goes. */
  async keepFailed(): Promise<void> {
    const steps = this.#keepOnFailure ? this.#open.filter((step) => step.id !== undefined && isProduct(step, this.id)) : [];
    if (steps.length === 0) return;
    try {
      await this.#keep(steps, 'failed');
      this.kept.push(...steps.map((step) => describeObject(step.object, step.id)));
    } catch (error) {
      this.warn('JOURNAL_NOT_WRITTEN', `what was made is taken back after all: ${serializeError(error).message}`);
    }
  }

  /** A failure is no reason to lose the product: it is tried once more when the run ends, and by whoever recovers. */
  async #mark(): Promise<void> {
    if (this.#unmarked.length === 0) return;
    try {
      await markKept(this.cloud.cloud, this.#unmarked, this.#keptAs);
      this.#unmarked = [];
    } catch (error) {
      this.#deps.logger.warn({ runId: this.id, error: serializeError(error) }, 'product not marked');
    }
  }

  #assertUndone(step: Step, message: string): void {
    if (!this.#open.includes(step)) return;
    const hint = 'see what in the proxy VM holds the device, then run onevault recover';
    throw new JobError({ code: 'JOB_CLEANUP_FAILED', message, details: { object: describeObject(step.object, step.id) }, hint, cause: step.failure });
  }

  async #undo(step: Step): Promise<void> {
    if (!this.#open.includes(step)) return;
    try {
      await this.step(UNDO_STEPS[step.object.kind], { object: describeObject(step.object, step.id), ...diskOf(step.object) }, () => this.#remove(step));
    } catch (error) {
      step.failure = error;
      this.#cloudLost ||= isCloudLost(error);
      this.emit({ type: 'cleanup.failed', object: describeObject(step.object, step.id), error: serializeError(error) });
      this.#deps.logger.warn({ runId: this.id, object: step.object, error: serializeError(error) }, 'clean-up failed');
      return;
    }
    await this.#closeUndone(step);
  }

  async #remove(step: Step): Promise<void> {
    await removeObject({ ...this.#deps, ...this.cloud }, this.id, step.object, step.id);
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
   * Takes back what is still there, newest first; never throws. What cannot be taken back is named in `residue`, and stays in the journal or, when
   * OpenNebula has said its last word, among the residue. An OpenNebula that does not answer is asked for one object only.
   */
  async unwind(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    await this.#giveBackResources();
    this.#cloudLost = false;
    for (const step of this.#open.toReversed()) {
      if (!this.#cloudLost) await this.#undo(step);
    }
    this.residue.push(...this.#open.map((step) => describeObject(step.object, step.id)));
    if (!this.#cloudLost) await this.#mark();
    if (this.#unmarked.length === 0 && (await this.#setAside())) await this.#finishJournal();
    else await this.#release();
    this.#open.length = 0;
  }

  /** Whether the journal has nothing left to say. */
  async #setAside(): Promise<boolean> {
    const origin = { runId: this.id, endpoint: this.#deps.cloud.endpoint.href, since: this.#time() };
    try {
      return await setAside(this.#deps.journals.residue, origin, this.#open);
    } catch (error) {
      this.warn('JOURNAL_NOT_WRITTEN', serializeError(error).message);
      return false;
    }
  }

  /** This process may live on; the run is over, and whoever recovers may have its journal. */
  async #release(): Promise<void> {
    try {
      await this.#journal.append({ type: 'released', time: this.#time(), claim: this.id });
    } catch (error) {
      this.#deps.logger.warn({ runId: this.id, error: serializeError(error) }, 'journal not released');
    }
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

  #time(): string {
    return this.#deps.clock.now().toISOString();
  }
}

function outcomeOf(report: RunReport): 'complete' | 'residue' | 'failed' {
  if (report.residue.length > 0) return 'residue';
  return report.kind === 'drill' && report.outcome === 'failed' ? 'failed' : 'complete';
}

/**
 * Runs a workflow. However it ends, what it made and did not keep is taken back before anybody is told. `afterFailure` has a last look once that is done,
 * unless OpenNebula is gone.
 */
export async function inRun<R extends RunReport>(
  deps: RunDeps,
  facts: RunFacts & { readonly kind: R['kind'] },
  options: CallOptions,
  work: (run: Run) => Promise<R>,
  afterFailure: (run: Run) => Promise<void> = async () => undefined,
): Promise<R> {
  options.signal?.throwIfAborted();
  const run = await Run.start(deps, facts);
  try {
    const report = await work(run);
    run.emit({ type: 'run.finished', outcome: outcomeOf(report), report, residue: report.residue });
    return report;
  } catch (error) {
    const cancelled = isAbort(error) || (options.signal?.aborted === true && error === options.signal.reason);
    if (!cancelled) await run.keepFailed();
    await run.unwind();
    if (!run.cloudLost && !isCloudLost(error)) await afterFailure(run);
    run.emit({
      type: 'run.finished',
      outcome: cancelled ? 'cancelled' : 'failed',
      error: serializeError(error),
      residue: run.residue,
      ...(run.kept.length > 0 && { kept: run.kept }),
    });
    throw error;
  } finally {
    await run.close();
  }
}
