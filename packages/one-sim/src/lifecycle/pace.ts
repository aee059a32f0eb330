import { setImmediate } from 'node:timers/promises';
import type { CallOptions, Clock } from '@onevault/base';

/** Milliseconds each piece of work takes; 0: as soon as the event loop turns. Real ones take seconds (opennebula.md M.2). */
export interface OperationTimes {
  readonly snapshot: number;
  readonly snapshotDelete: number;
  readonly revert: number;
  readonly saveas: number;
  /** From the VM's release to the saved image's READY. */
  readonly saveasReady: number;
  readonly attach: number;
  readonly detach: number;
  readonly resize: number;
  readonly allocate: number;
  readonly delete: number;
  readonly clone: number;
  /** From PENDING to PROLOG. */
  readonly schedule: number;
  readonly deploy: number;
  readonly boot: number;
  readonly suspend: number;
  readonly resume: number;
  readonly poweroff: number;
  readonly stop: number;
  readonly terminate: number;
  readonly epilog: number;
  /** From an accepted action to the first change of state. */
  readonly react: number;
  /** On top, for drivers that move every byte at attach, detach, deploy and snapshot (ssh, local, fs_lvm). */
  readonly perGiBCopied: number;
}

export const DEFAULT_TIMES: OperationTimes = {
  snapshot: 40,
  snapshotDelete: 40,
  revert: 30,
  saveas: 50,
  saveasReady: 10,
  attach: 50,
  detach: 40,
  resize: 30,
  allocate: 15,
  delete: 15,
  clone: 30,
  schedule: 20,
  deploy: 40,
  boot: 30,
  suspend: 40,
  resume: 40,
  poweroff: 40,
  stop: 40,
  terminate: 30,
  epilog: 30,
  react: 5,
  perGiBCopied: 100,
};

export type TimedStep = Exclude<keyof OperationTimes, 'perGiBCopied'>;

/** How long things take, and the brake: held steps wait at their end until they are let through. */
export class Pace {
  times: OperationTimes;
  readonly #clock: Clock;
  readonly #held = new Set<TimedStep>();
  readonly #waiting: { readonly step: TimedStep; readonly wake: () => void }[] = [];

  constructor(clock: Clock, times: Partial<OperationTimes>) {
    this.#clock = clock;
    this.times = { ...DEFAULT_TIMES, ...times };
  }

  /** One step's duration; `bytesCopied` adds the driver's copying time. */
  async pass(step: TimedStep, options: CallOptions & { readonly bytesCopied?: number }): Promise<void> {
    const ms = this.times[step] + ((options.bytesCopied ?? 0) / 2 ** 30) * this.times.perGiBCopied;
    if (ms > 0) await this.#clock.sleep(ms, options);
    else await setImmediate(undefined, options.signal ? { signal: options.signal } : {});
    if (this.#held.has(step)) await this.#wait(step, options.signal);
  }

  /** From now on these steps wait at their end; every step when none is named. */
  hold(steps: readonly TimedStep[]): void {
    for (const step of steps) this.#held.add(step);
  }

  /** Lets `count` waiting steps through, in the order they came. Returns how many there were. */
  step(count = 1): number {
    const let_ = this.#waiting.splice(0, count);
    for (const entry of let_) entry.wake();
    return let_.length;
  }

  /** Holds nothing any more and lets everything through. */
  release(): void {
    this.#held.clear();
    this.step(this.#waiting.length);
  }

  get waiting(): readonly TimedStep[] {
    return this.#waiting.map((entry) => entry.step);
  }

  #wait(step: TimedStep, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        reject(signal?.reason);
      };
      const entry = {
        step,
        wake: (): void => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(entry);
    });
  }
}
