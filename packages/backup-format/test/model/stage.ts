import { seededRandom } from '@onevault/base/testing';
import { openSide } from './model-keys.ts';
import { ModelTime } from './model-time.ts';
import { newSide } from './new-side.ts';
import { type Program, type ProgramContext, runProgram, type Side } from './programs.ts';
import { ScheduledStore } from './scheduled-store.ts';
import { type ModelRandom, Process, type ProcessFate, Scheduler } from './scheduler.ts';
import type { Decorate } from './sequence.ts';

/** Two empty repositories, and processes that work in them at the same time, in an order that the seed decides. */
export class Stage {
  readonly a: Side;
  readonly b: Side;
  readonly random: ModelRandom;
  readonly time: ModelTime;
  readonly #scheduler: Scheduler;
  readonly #decorate: Decorate;
  #processes = 0;

  private constructor(parts: { readonly a: Side; readonly b: Side; readonly random: ModelRandom; readonly time: ModelTime }, decorate: Decorate | undefined) {
    this.a = parts.a;
    this.b = parts.b;
    this.random = parts.random;
    this.time = parts.time;
    this.#scheduler = new Scheduler(parts.random, parts.time);
    this.#decorate = decorate ?? ((store) => store);
  }

  static async open(seed: number, decorate?: Decorate, encrypted = false): Promise<Stage> {
    const random = seededRandom(seed);
    const time = new ModelTime();
    const make = (name: string): Promise<Side> => newSide(name, { digest: 'blake3', encrypted }, { clock: time.clock(0), random });
    return new Stage({ a: await make('A'), b: await make('B'), random, time }, decorate);
  }

  /** Runs processes to their ends, all at once. */
  async run(...work: readonly (readonly [Program, ProcessFate?])[]): Promise<readonly Process[]> {
    const started = work.map(([program, fate]) => {
      const process = new Process(`p${++this.#processes}`, fate);
      const chance = seededRandom(this.random.int(2 ** 31));
      const open: ProgramContext['open'] = (side, used) => {
        const store = this.#decorate(new ScheduledStore(side.store, this.#scheduler, process, () => chance.next()), process);
        return openSide(side, store, { clock: this.time.clock(0), randomBytes: (length) => chance.bytes(length) }, used);
      };
      return { process, run: runProgram({ process, open }, program) };
    });
    for (const { run } of started) run.catch(() => undefined);
    await this.#scheduler.run(started.map(({ run }) => run));
    await Promise.all(started.map(({ run }) => run));
    return started.map(({ process }) => process);
  }

  /** Every restore point is as promised, whatever else lies around. */
  async checkPoints(): Promise<void> {
    for (const { truth, keys, store } of [this.a, this.b]) {
      await keys?.settle(store, { clock: truth.clock });
      await truth.checkAll();
    }
  }

  /** Everything is as promised. */
  async check(): Promise<void> {
    await this.checkPoints();
    for (const { truth } of [this.a, this.b]) await truth.checkVerify();
  }
}
