import { type Clock, errorCode, isAbort, serializeError } from '@onevault/base';
import { isOneError } from '@onevault/one-client';
import type { CloudDeps } from './cloud/cloud-deps.ts';
import { removeObject } from './cloud/remove-object.ts';
import { JobError } from './errors.ts';
import type { JobEventBody, StepName } from './events.ts';
import type { CloudObject, Journal } from './journal.ts';
import { newRunId } from './names.ts';
import { DEFAULT_PATIENCE, type JobDeps } from './ports.ts';
import type { BackupReport, RestoreReport } from './report.ts';

/** Something this run made in the cloud, and will take away again unless it is kept. */
export interface Owned {
  readonly id: number;
  /** Takes it away now. A failure is reported and tried once more when the run ends; it never stops the run: the data comes first. */
  undo(): Promise<void>;
  /** For the rare object whose removal is part of the result: throws JOB_CLEANUP_FAILED when `undo` did not work. */
  assertUndone(message: string): void;
  /** It stays: the product of the run. */
  keep(): Promise<void>;
}

interface Step {
  readonly number: number;
  readonly object: CloudObject;
  id: number | undefined;
}

/**
 * One execution of a workflow: its id, its journal, and everything it has made, taken back in reverse order when it ends.
 * The order of a step is always: journal the intent (durable), call, journal the id, verify the effect; later undo, verify, journal that.
 */
export class Run {
  readonly id: string;
  readonly cloud: CloudDeps;
  readonly residue: string[] = [];
  readonly warnings: { readonly code: string; readonly message: string }[] = [];
  readonly #deps: JobDeps;
  readonly #journal: Journal;
  readonly #open: Step[] = [];
  #steps = 0;
  #cloudLost = false;

  private constructor(id: string, deps: JobDeps, journal: Journal) {
    this.id = id;
    this.#deps = deps;
    this.#journal = journal;
    this.cloud = { cloud: deps.cloud, clock: deps.clock, patience: deps.patience ?? DEFAULT_PATIENCE };
  }

  static async start(deps: JobDeps, kind: 'backup' | 'restore', about: string): Promise<Run> {
    const id = newRunId(deps.clock.now(), deps.randomBytes);
    const journal = await deps.journals.create(id);
    const run = new Run(id, deps, journal);
    await journal.append({ type: 'run', time: run.#time(), runId: id, kind, endpoint: deps.cloud.endpoint.href, owner: deps.journals.owner, about });
    return run;
  }

  emit(event: JobEventBody): void {
    this.#deps.emit({ time: this.#time(), runId: this.id, ...event });
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

  /** Reports a stretch of work; the work itself is `work`. */
  async step<T>(step: StepName, facts: { readonly diskId?: number; readonly object?: string }, work: () => Promise<T>): Promise<T> {
    const startedMs = this.clock.monotonicMs();
    this.emit({ type: 'step.started', step, ...facts });
    const result = await work();
    this.emit({ type: 'step.finished', step, ...facts, durationMs: this.elapsedMs(startedMs) });
    return result;
  }

  /**
   * Makes an object in the cloud. `call` answers its id; `settle` waits for it and verifies that it is what was asked for. When either fails the
   * object is looked for by name and taken away before the error goes on: a lost answer leaves nothing behind.
   */
  async create(object: CloudObject, call: () => Promise<number>, settle?: (id: number) => Promise<void>): Promise<Owned> {
    const step: Step = { number: ++this.#steps, object, id: undefined };
    await this.#journal.append({ type: 'intent', time: this.#time(), step: step.number, object });
    this.#open.push(step);
    try {
      step.id = await call();
      await this.#journal.append({ type: 'done', time: this.#time(), step: step.number, id: step.id });
      await settle?.(step.id);
    } catch (error) {
      if (step.id === undefined && wasRefused(error)) await this.#close(step, 'undone');
      else await this.#undo(step);
      throw error;
    }
    return { id: step.id, undo: () => this.#undo(step), keep: () => this.#keep(step), assertUndone: (message) => this.#assertUndone(step, message) };
  }

  #assertUndone(step: Step, message: string): void {
    if (!this.#open.includes(step)) return;
    throw new JobError({ code: 'JOB_CLEANUP_FAILED', message, details: { object: describeObject(step.object, step.id) } });
  }

  async #undo(step: Step): Promise<void> {
    if (!this.#open.includes(step)) return;
    try {
      await this.step(UNDO_STEPS[step.object.kind], { object: describeObject(step.object, step.id), ...diskOf(step.object) }, () =>
        removeObject({ ...this.cloud, attacher: this.#deps.attacher }, this.id, step.object, step.id),
      );
      await this.#close(step, 'undone');
    } catch (error) {
      this.#cloudLost ||= LOST.has(errorCode(error) ?? '');
      this.emit({ type: 'cleanup.failed', object: describeObject(step.object, step.id), error: serializeError(error) });
      this.#deps.logger.warn({ runId: this.id, object: step.object, error: serializeError(error) }, 'clean-up failed');
    }
  }

  async #keep(step: Step): Promise<void> {
    await this.#close(step, 'kept');
  }

  async #close(step: Step, type: 'undone' | 'kept'): Promise<void> {
    this.#open.splice(this.#open.indexOf(step), 1);
    await this.#journal.append({ type, time: this.#time(), step: step.number });
  }

  /**
   * Takes back what is still there, newest first. What cannot be taken back stays in the journal and is named in `residue`. An OpenNebula that does not
   * answer is asked for one object only: waiting as long for each of the others would help nobody.
   */
  async unwind(): Promise<void> {
    this.#cloudLost = false;
    for (const step of this.#open.toReversed()) {
      if (!this.#cloudLost) await this.#undo(step);
    }
    this.residue.push(...this.#open.map((step) => describeObject(step.object, step.id)));
    if (this.#open.length === 0) await this.#journal.finish();
    this.#open.length = 0;
  }

  /** The journal's file is closed; it stays on disk while something is left to undo. */
  async close(): Promise<void> {
    await this.#journal[Symbol.asyncDispose]();
  }

  #time(): string {
    return this.#deps.clock.now().toISOString();
  }
}

/** Runs a workflow. However it ends, what it made and did not keep is taken back before anybody is told. */
export async function inRun<R extends BackupReport | RestoreReport>(deps: JobDeps, kind: R['kind'], about: string, work: (run: Run) => Promise<R>): Promise<R> {
  const run = await Run.start(deps, kind, about);
  try {
    const report = await work(run);
    run.emit({ type: 'run.finished', outcome: report.residue.length > 0 ? 'residue' : 'complete', report });
    return report;
  } catch (error) {
    await run.unwind();
    run.emit({ type: 'run.finished', outcome: isAbort(error) ? 'cancelled' : 'failed', error: serializeError(error) });
    throw error;
  } finally {
    await run.close();
  }
}

const LOST: ReadonlySet<string> = new Set(['ONE_UNREACHABLE', 'ONE_TIMEOUT', 'ONE_HTTP_STATUS']);

/** OpenNebula said no, or was never reached: nothing was made. Any other failure may have lost the answer of a call that worked. */
function wasRefused(error: unknown): boolean {
  return isOneError(error) && (error.details.oneCode !== undefined || error.details.executed === 'no');
}

const UNDO_STEPS = {
  snapshot: 'delete-snapshot',
  image: 'delete-image',
  attachment: 'detach',
  template: 'delete-template',
  vm: 'terminate-vm',
} as const satisfies Record<CloudObject['kind'], StepName>;

function diskOf(object: CloudObject): { readonly diskId?: number } {
  return object.kind === 'snapshot' ? { diskId: object.diskId } : {};
}

/** For a person: what it is called and where to find it. */
export function describeObject(object: CloudObject, id?: number): string {
  const number = id === undefined ? '' : ` (id ${id})`;
  switch (object.kind) {
    case 'snapshot':
      return `snapshot ${object.name}${number} of disk ${object.diskId} of VM ${object.vmId}`;
    case 'image':
      return `image ${object.name}${number}`;
    case 'attachment':
      return `disk with serial ${object.serial} (image ${object.imageId}) attached to proxy VM ${object.proxyVmId}`;
    case 'template':
      return `template ${object.name}${number}`;
    case 'vm':
      return `VM ${object.name}${number}`;
  }
}
