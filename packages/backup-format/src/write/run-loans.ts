import type { DiskRun } from './disk-run.ts';

/**
 * Keeps the promise that every changed block is given back exactly once, whatever fails. A block that another thread still reads is held:
 * `releaseAll` gives it back only when the hold ends.
 */
export class RunLoans {
  readonly #loans = new Map<DiskRun, { holds: number; due: boolean }>();
  #closed = false;

  /** The same runs; each changed one is on loan from the moment it is seen. */
  async *track(runs: AsyncIterable<DiskRun>): AsyncGenerator<DiskRun, void> {
    for await (const run of runs) {
      if (run.kind === 'changed') this.#loans.set(run, { holds: 0, due: this.#closed });
      try {
        yield run;
      } finally {
        if (this.#closed) this.release(run);
      }
    }
  }

  hold(run: DiskRun): Disposable {
    const loan = this.#loans.get(run);
    if (loan) loan.holds += 1;
    return {
      [Symbol.dispose]: () => {
        if (!loan) return;
        loan.holds -= 1;
        if (loan.due) this.release(run);
      },
    };
  }

  /** Gives a block back now, or when the last hold on it ends; a second call does nothing. */
  release(run: DiskRun): void {
    const loan = this.#loans.get(run);
    if (!loan) return;
    loan.due = true;
    if (loan.holds > 0) return;
    this.#loans.delete(run);
    if (run.kind === 'changed') run.release?.();
  }

  /** Everything on loan, and everything that comes from now on. */
  releaseAll(): void {
    this.#closed = true;
    for (const run of [...this.#loans.keys()]) this.release(run);
  }
}
