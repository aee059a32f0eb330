import type { ModelTime } from './model-time.ts';

export interface ModelRandom {
  next(): number;
  int(below: number): number;
  bytes(length: number): Uint8Array;
}

/** What happens to one process while it works. */
export interface ProcessFate {
  /** Dies at its n-th visible write: before it, or when it has happened and nobody has heard of it. */
  readonly crash?: { readonly atWrite: number; readonly when: 'before' | 'after' } | undefined;
  /** Is stopped before its n-th operation, for so long. */
  readonly pause?: { readonly atOperation: number; readonly ms: number } | undefined;
  /** Its n-th operation fails for a reason of the store: before it or when it has happened. */
  readonly fault?: { readonly atOperation: number; readonly when: 'before' | 'after' } | undefined;
}

export interface Operation {
  readonly process: Process;
  readonly kind: string;
  readonly key: string;
  readonly writes: boolean;
}

interface Waiting {
  readonly operation: Operation;
  readonly phase: 'effect' | 'answer';
  readonly go: () => void;
}

/** One process of the model, as the scheduler knows it. */
export class Process {
  readonly name: string;
  readonly fate: ProcessFate;
  operations = 0;
  writes = 0;
  dead = false;
  pausedUntilMs = 0;

  constructor(name: string, fate: ProcessFate = {}) {
    this.name = name;
    this.fate = fate;
  }
}

/** Turns of the event loop without anything new after which every process is taken to wait for the scheduler. */
const QUIET_TURNS = 3;
const IDLE_TURNS = 2000;

/**
 * Decides which store operation of which process proceeds next, and when its answer comes: one at a time, from a seed. What runs between operations is
 * left to the event loop, which is deterministic because nothing in the model uses threads or timers.
 */
export class Scheduler {
  readonly time: ModelTime;
  readonly trace: string[] = [];
  /** Called after each operation with an effect, before anything else may happen. */
  afterWrite: (operation: Operation) => Promise<void> = () => Promise.resolve();
  operations = 0;
  readonly #random: ModelRandom;
  #waiting: Waiting[] = [];
  #arrivals = 0;
  #check: Promise<void> | undefined;
  /** What a check found; kept here because the process that wrote may survive any error. */
  #violation: { readonly error: unknown } | undefined;

  constructor(random: ModelRandom, time: ModelTime) {
    this.#random = random;
    this.time = time;
  }

  /** Resolves when the operation may have its effect, or the answer may be heard. */
  turn(operation: Operation, phase: Waiting['phase']): Promise<void> {
    this.#arrivals += 1;
    const { process } = operation;
    const { pause } = process.fate;
    if (phase === 'effect' && pause?.atOperation === process.operations && process.pausedUntilMs === 0) {
      process.pausedUntilMs = this.time.elapsedMs + pause.ms;
      this.note(`          ${process.name} is stopped for ${pause.ms} ms before ${operation.kind} ${operation.key}`);
    }
    return new Promise((resolve) => this.#waiting.push({ operation, phase, go: resolve }));
  }

  /** To be called where an operation has had its effect: nothing else proceeds until the check is through. */
  written(operation: Operation): Promise<void> {
    this.#check = this.afterWrite(operation).catch((error: unknown) => {
      this.#violation ??= { error };
    });
    return this.#check;
  }

  note(line: string): void {
    this.trace.push(line);
  }

  /** Runs the processes to their ends. */
  async run(work: readonly Promise<unknown>[]): Promise<void> {
    let left = work.length;
    let idle = 0;
    for (const one of work) {
      const done = (): void => {
        left -= 1;
        this.#arrivals += 1;
      };
      one.then(done, done);
    }
    while (left > 0) {
      await this.#settle();
      if (this.#violation) throw this.#violation.error;
      if (left === 0) return;
      idle = this.#step() ? 0 : idle + 1;
      if (idle > IDLE_TURNS) throw new Error('the processes of the model wait for something that never comes');
    }
  }

  async #settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; ) {
      const before = this.#arrivals;
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (this.#check !== undefined) {
        await this.#check;
        this.#check = undefined;
        quiet = 0;
      } else quiet = this.#arrivals === before ? quiet + 1 : 0;
    }
  }

  /** False when nobody could move. */
  #step(): boolean {
    this.#passTime();
    const ready = this.#waiting.filter(({ operation }) => operation.process.pausedUntilMs <= this.time.elapsedMs);
    const next = ready[this.#random.int(ready.length)];
    if (!next) return this.#passTimeToNext();
    this.#waiting = this.#waiting.filter((waiting) => waiting !== next);
    if (next.phase === 'effect') this.#noteOperation(next.operation);
    next.go();
    return true;
  }

  #noteOperation({ process, kind, key }: Operation): void {
    this.operations += 1;
    this.note(`${String(this.time.elapsedMs).padStart(9)} ${process.name} ${kind} ${key}`);
  }

  /** Most operations take milliseconds; now and then the network or a disk hangs. */
  #passTime(): void {
    const luck = this.#random.next();
    if (luck < 0.7) this.time.advance(this.#random.int(20));
    else if (luck < 0.995) this.time.advance(this.#random.int(2000));
    else this.time.advance(this.#random.int(90_000));
  }

  #passTimeToNext(): boolean {
    const next = Math.min(...this.#waiting.map(({ operation }) => operation.process.pausedUntilMs), this.time.nextWakeMs ?? Number.POSITIVE_INFINITY);
    if (!Number.isFinite(next)) return false;
    this.time.advance(Math.max(1, next - this.time.elapsedMs));
    return true;
  }
}
