import type { Clock } from '@onevault/base';
import type { JobEvent } from '@onevault/orchestrator';
import type { JsonObject, RunContext } from '@onevault/run-queue';
import { eventWithoutBody } from './event-without-body.ts';

/** A stretch of work, as the API tells it. */
export interface LedgerStep {
  readonly step: string;
  readonly diskId?: number;
  readonly startedAt: string;
  readonly durationMs?: number;
  readonly outcome: 'running' | 'done' | 'failed';
  readonly code?: string;
}

/** What of a run is kept in its row while it is at work and afterwards; everything in it is bounded. */
export interface Ledger {
  readonly disks: readonly { readonly diskId: number; readonly phase: string; readonly doneBytes: number; readonly totalBytes: number }[];
  readonly steps: readonly LedgerStep[];
  readonly warnings: readonly { readonly code: string; readonly text: string }[];
  readonly residue: readonly string[];
}

export const EMPTY_LEDGER: Ledger = { disks: [], steps: [], warnings: [], residue: [] };

/** The newest of each stay. */
const MAX_STEPS = 300;
const MAX_WARNINGS = 100;
const MAX_RESIDUE = 100;
const MAX_TEXT = 2000;

/** What an event adds. */
export function noteEvent(ledger: Ledger, event: JobEvent): Ledger {
  switch (event.type) {
    case 'step.started': {
      const { step, diskId, time } = event;
      return { ...ledger, steps: last([...ledger.steps, { step, ...(diskId !== undefined && { diskId }), startedAt: time, outcome: 'running' }], MAX_STEPS) };
    }
    case 'step.finished':
    case 'step.failed':
      return { ...ledger, steps: ended(ledger.steps, event) };
    case 'disk.progress': {
      const { diskId, phase, doneBytes, totalBytes } = event;
      return { ...ledger, disks: [...ledger.disks.filter((disk) => disk.diskId !== diskId), { diskId, phase, doneBytes, totalBytes }] };
    }
    case 'warning':
      return { ...ledger, warnings: last([...ledger.warnings, { code: event.code, text: event.message.slice(0, MAX_TEXT) }], MAX_WARNINGS) };
    case 'run.finished':
      return { ...ledger, residue: last([...ledger.residue, ...event.residue], MAX_RESIDUE) };
    default:
      return ledger;
  }
}

function ended(steps: readonly LedgerStep[], event: Extract<JobEvent, { readonly type: 'step.finished' | 'step.failed' }>): readonly LedgerStep[] {
  const at = steps.findLastIndex(({ step, diskId, outcome }) => outcome === 'running' && step === event.step && diskId === event.diskId);
  const begun = steps[at];
  if (begun === undefined) return steps;
  const outcome = event.type === 'step.finished' ? 'done' : 'failed';
  const code = event.type === 'step.failed' ? event.code : undefined;
  return steps.with(at, { ...begun, durationMs: event.durationMs, outcome, ...(code !== undefined && { code }) });
}

function last<T>(all: readonly T[], count: number): readonly T[] {
  return all.slice(-count);
}

/** Progress of a disk is told at most so often, and less often the longer the run takes: a day makes some 1 400 events of a disk. */
const PROGRESS_MS = 1000;
const PROGRESS_SHARE = 200;

/** Hears what a workflow tells, and passes it on to the queue: all but progress as it comes, progress now and then, and the newest state of it all. */
export class RunLedger {
  readonly #context: Pick<RunContext, 'event' | 'progress'>;
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #toldMs = new Map<number, number>();
  #ledger = EMPTY_LEDGER;

  constructor(context: Pick<RunContext, 'event' | 'progress'>, clock: Clock) {
    this.#context = context;
    this.#clock = clock;
    this.#startedMs = clock.monotonicMs();
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  readonly emit = (event: JobEvent): void => {
    this.#ledger = noteEvent(this.#ledger, event);
    this.#context.progress(plain(this.#ledger));
    if (event.type !== 'disk.progress' || this.#isDue(event.diskId)) this.tell(event.type, eventWithoutBody(event));
  };

  /** Something that is no event of a workflow: a command of the policy, a decision. */
  tell(type: string, data: object): void {
    const { type: _, ...rest } = { type, ...data };
    this.#context.event(type, plain(rest));
  }

  warn(code: string, text: string): void {
    this.#ledger = { ...this.#ledger, warnings: last([...this.#ledger.warnings, { code, text: text.slice(0, MAX_TEXT) }], MAX_WARNINGS) };
    this.#context.progress(plain(this.#ledger));
    this.tell('warning', { code, message: text.slice(0, MAX_TEXT) });
  }

  #isDue(diskId: number): boolean {
    const now = this.#clock.monotonicMs();
    const told = this.#toldMs.get(diskId);
    if (told !== undefined && now - told < Math.max(PROGRESS_MS, (now - this.#startedMs) / PROGRESS_SHARE)) return false;
    this.#toldMs.set(diskId, now);
    return true;
  }
}

/** What JSON makes of it: no undefined, no Map, no Date. */
export function plain(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value, (_key, field: unknown) => (field instanceof Map ? Object.fromEntries(field) : field)));
}
