import { seededRandom } from '@onevault/base/testing';
import { createRepository, memoryStore, openRepository, type Repository } from '../../src/index.ts';
import { BLOCK } from './model-disk.ts';
import { ModelTime } from './model-time.ts';
import { type Program, runProgram, type Side } from './programs.ts';
import { ScheduledStore } from './scheduled-store.ts';
import { type ModelRandom, Process, type ProcessFate, Scheduler } from './scheduler.ts';
import type { Decorate } from './sequence.ts';
import { Truth } from './truth.ts';

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

  static async open(seed: number, decorate?: Decorate): Promise<Stage> {
    const random = seededRandom(seed);
    const time = new ModelTime();
    const newSide = async (name: string): Promise<Side> => {
      const store = memoryStore(name);
      const clock = time.clock(0);
      await createRepository(store, { blockSizeBytes: BLOCK }, { clock, randomBytes: (length) => random.bytes(length) });
      return { name, store, truth: new Truth(store, clock) };
    };
    return new Stage({ a: await newSide('A'), b: await newSide('B'), random, time }, decorate);
  }

  /** Runs processes to their ends, all at once. */
  async run(...work: readonly (readonly [Program, ProcessFate?])[]): Promise<readonly Process[]> {
    const started = work.map(([program, fate]) => {
      const process = new Process(`p${++this.#processes}`, fate);
      const chance = seededRandom(this.random.int(2 ** 31));
      const open = (side: Side): Promise<Repository> => {
        const store = this.#decorate(new ScheduledStore(side.store, this.#scheduler, process, () => chance.next()), process);
        return openRepository(store, { clock: this.time.clock(0), randomBytes: (length) => chance.bytes(length) });
      };
      return { process, run: runProgram({ process, open }, program) };
    });
    for (const { run } of started) run.catch(() => undefined);
    await this.#scheduler.run(started.map(({ run }) => run));
    await Promise.all(started.map(({ run }) => run));
    return started.map(({ process }) => process);
  }

  /** Everything is as promised. */
  async check(): Promise<void> {
    for (const { truth } of [this.a, this.b]) {
      await truth.checkAll();
      await truth.checkVerify();
    }
  }
}
