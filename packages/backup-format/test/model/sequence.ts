import { seededRandom } from '@onevault/base/testing';
import type { ObjectStore } from '../../src/index.ts';
import { changeDisk, type ModelDisk, newDisk } from './model-disk.ts';
import { openSide } from './model-keys.ts';
import { ModelTime } from './model-time.ts';
import { newSide } from './new-side.ts';
import {
  backup,
  changeKeys,
  collectGarbage,
  copy,
  forget,
  hold,
  oneAfterTheOther,
  type Program,
  type ProgramContext,
  release,
  repair,
  restore,
  runProgram,
  type Side,
  serve,
  verify,
} from './programs.ts';
import { ScheduledStore } from './scheduled-store.ts';
import { type ModelRandom, type Operation, Process, type ProcessFate, Scheduler } from './scheduler.ts';
import type { Truth } from './truth.ts';

/** A way to plant a bug: what one process gets instead of its store. */
export type Decorate = (store: ObjectStore, process: Process) => ObjectStore;

export interface SequenceOptions {
  readonly seed: number;
  readonly decorate?: Decorate;
  /** `collection`: backups, forgetting and garbage collections at the same time, and little else. */
  readonly focus?: 'collection';
}

export interface SequenceReport {
  readonly operations: number;
  readonly steps: readonly string[];
  readonly committed: number;
  /** Everything that happened, in order. */
  readonly trace: readonly string[];
}

/** A broken promise, and how to see it again. */
export class SequenceFailed extends Error {
  override readonly name = 'SequenceFailed';
  readonly seed: number;
  readonly trace: readonly string[];

  constructor(sequence: { readonly seed: number; readonly steps: readonly string[]; readonly trace: readonly string[] }, options: { readonly cause: unknown }) {
    const { seed, steps, trace } = sequence;
    const why = options.cause instanceof Error ? options.cause.message : String(options.cause);
    super(`ONEVAULT_MODEL_SEED=${seed}: ${why}\nsteps:\n  ${steps.join('\n  ')}\nlast operations:\n${trace.slice(-60).join('\n')}`, options);
    this.seed = seed;
    this.trace = trace;
  }
}

/** Plays one random sequence. Throws SequenceFailed. The same seed plays the same sequence, operation by operation. */
export async function playSequence(options: SequenceOptions): Promise<SequenceReport> {
  const sequence = new Sequence(options);
  try {
    await sequence.play();
  } catch (error) {
    throw new SequenceFailed({ seed: options.seed, steps: sequence.steps, trace: sequence.scheduler.trace }, { cause: error });
  }
  return {
    operations: sequence.scheduler.operations,
    steps: sequence.steps,
    committed: sequence.committed,
    trace: sequence.scheduler.trace,
  };
}

const GROUPS = ['vm-1', 'vm-2'];
/** Share of removals after which everything is restored at once; the others show at the end of the step. */
const REMOVALS_CHECKED = 0.2;
/** Share of the repositories that are encrypted, each with keys of its own, and of the work there that changes them. */
const ENCRYPTED = 0.4;
const CHANGES_OF_KEYS = 0.15;
const MINUTE_MS = 60_000;
const SKEW_MS = 10 * MINUTE_MS;

class Sequence {
  readonly scheduler: Scheduler;
  readonly steps: string[] = [];
  readonly #random: ModelRandom;
  readonly #time = new ModelTime();
  readonly #decorate: Decorate;
  readonly #focus: SequenceOptions['focus'];
  readonly #guests = new Map<string, Map<string, ModelDisk>>();
  #sides: readonly [Side, Side] | undefined;
  #processes = 0;

  constructor({ seed, decorate, focus }: SequenceOptions) {
    this.#random = seededRandom(seed);
    this.#focus = focus;
    this.#decorate = decorate ?? ((store) => store);
    this.scheduler = new Scheduler(this.#random, this.#time);
    this.scheduler.afterWrite = (operation) => this.#afterWrite(operation);
  }

  get committed(): number {
    return this.#sides?.reduce((sum, { truth }) => sum + truth.idsOf('committed').length, 0) ?? 0;
  }

  async play(): Promise<void> {
    this.#sides = [await this.#newSide('A', 'blake3'), await this.#newSide('B', this.#chance(0.5) ? 'blake3' : 'sha256')];
    this.steps.push(this.#sides.map(({ name, keys }) => `${name} is ${keys ? 'encrypted' : 'in the clear'}`).join(', '));
    for (const group of GROUPS) this.#guests.set(group, new Map([['disk-0', newDisk(this.#random)]]));
    for (let left = 3 + this.#random.int(5); left > 0; left--) await this.#phase();
    for (const { truth } of this.#sides) await truth.checkVerify();
  }

  #newSide(name: string, digest: 'blake3' | 'sha256'): Promise<Side> {
    return newSide(name, { digest, encrypted: this.#chance(ENCRYPTED) }, { clock: this.#time.clock(0), random: this.#random });
  }

  #side(): Side {
    const [a, b] = this.#sides ?? [];
    if (!a || !b) throw new Error('the sequence has not begun');
    return this.#chance(0.75) ? a : b;
  }

  #chance(probability: number): boolean {
    return this.#random.next() < probability;
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[this.#random.int(items.length)];
  }

  /** One process alone or several at once; then everything must be as promised. */
  async #phase(): Promise<void> {
    this.#guestsWrite();
    const count = this.#chance(this.#focus === 'collection' ? 0.1 : 0.4) ? 1 : 2 + this.#random.int(3);
    const work = Array.from({ length: count }, () => this.#start());
    this.steps.push(work.map(({ what }) => what).join(' | '));
    const runs = work.map(({ run }) => run());
    for (const run of runs) run.catch(() => undefined);
    await this.scheduler.run(runs);
    await Promise.all(runs);
    for (const { truth, keys, store } of this.#sides ?? []) {
      await keys?.settle(store, { clock: truth.clock });
      await truth.checkAll();
    }
    if (this.#chance(0.3)) this.#time.advance(this.#random.int(3 * 24 * 60) * MINUTE_MS);
  }

  #guestsWrite(): void {
    for (const disks of this.#guests.values()) {
      for (const [key, disk] of disks) if (this.#chance(0.7)) disks.set(key, changeDisk(disk, this.#random));
      if (this.#chance(0.1)) disks.set(`disk-${disks.size}`, newDisk(this.#random));
    }
  }

  #start(): { readonly what: string; run(): Promise<void> } {
    const chosen = Array.from({ length: this.#chance(0.8) ? 1 : 2 }, () => this.#choose());
    const what = chosen.map((one) => one.what).join(', then ');
    const program = oneAfterTheOther(chosen.map((one) => one.program));
    const fate = this.#fate();
    const process = new Process(`p${++this.#processes}`, fate);
    const skewMs = this.#random.int(2 * SKEW_MS) - SKEW_MS;
    const random = seededRandom(this.#random.int(2 ** 31));
    const chance = seededRandom(this.#random.int(2 ** 31));
    const open: ProgramContext['open'] = (side, used) => {
      const store = this.#decorate(new ScheduledStore(side.store, this.scheduler, process, () => chance.next()), process);
      return openSide(side, store, { clock: this.#time.clock(skewMs), randomBytes: (length) => random.bytes(length) }, used);
    };
    return { what: `${process.name}: ${what}${told(fate)}`, run: () => runProgram({ process, open }, program) };
  }

  #choose(): { readonly what: string; readonly program: Program } {
    const side = this.#side();
    const luck = this.#random.next() * (this.#focus === 'collection' ? 0.62 : 1);
    if (luck < 0.35) return this.#chooseBackup(side);
    if (luck < 0.48) return this.#chooseCollection(side);
    if (luck < 0.5) return { what: `repair of ${side.name}`, program: repair(side) };
    if (side.keys && this.#chance(CHANGES_OF_KEYS)) return this.#chooseKeys(side);
    const id = this.#pick(side.truth.idsOf('committed'));
    if (id === undefined) return this.#chooseBackup(side);
    const evenLast = this.#chance(0.5);
    if (luck < 0.62) return { what: `forget ${id} in ${side.name}${evenLast ? ' even the last' : ''}`, program: forget(side, id, evenLast) };
    if (luck < 0.66) return { what: `hold ${id} in ${side.name}`, program: hold(side, id) };
    if (luck < 0.7) return { what: `release ${id} in ${side.name}`, program: release(side, id) };
    if (luck < 0.8) return this.#chooseReading(side, id);
    if (luck < 0.93) return this.#chooseCopy(side);
    const mode = this.#chance(0.5) ? 'structure' : 'all';
    return { what: `verify ${mode} of ${side.name}`, program: verify(side, mode) };
  }

  #chooseReading(side: Side, id: string): { readonly what: string; readonly program: Program } {
    if (this.#chance(0.4)) return { what: `serve ${id} from ${side.name}`, program: serve(side, id) };
    return { what: `restore ${id} from ${side.name}`, program: restore(side, id) };
  }

  #chooseKeys(side: Side): { readonly what: string; readonly program: Program } {
    const add = this.#chance(0.3);
    return { what: `${add ? 'another key for' : 'a change of keys of'} ${side.name}`, program: changeKeys(side, add) };
  }

  #chooseBackup(side: Side): { readonly what: string; readonly program: Program } {
    const group = this.#pick(GROUPS) ?? '';
    const incremental = this.#chance(0.7);
    const confirmDedup = !incremental && this.#chance(0.5);
    const disks = new Map(this.#guests.get(group));
    const what = `${incremental ? 'incremental' : `full${confirmDedup ? ' confirmed' : ''}`} backup of ${group} to ${side.name}`;
    return { what, program: backup(side, { group, disks, incremental, confirmDedup, together: this.#chance(0.3) }) };
  }

  #chooseCollection(side: Side): { readonly what: string; readonly program: Program } {
    const graceMs = (this.#pick([0, 10, 24 * 60]) ?? 0) * MINUTE_MS;
    const repackBelow = this.#pick([0, 0.5, 1]) ?? 0;
    const wait = this.#chance(0.7);
    const what = `gc of ${side.name} after ${graceMs / MINUTE_MS} min, repacking below ${repackBelow}${wait ? '' : ', without waiting'}`;
    return { what, program: collectGarbage(side, { graceMs, repackBelow, wait }) };
  }

  #chooseCopy(from: Side): { readonly what: string; readonly program: Program } {
    const [a, b] = this.#sides ?? [from, from];
    const to = from === a ? b : a;
    const all = from.truth.idsOf('committed');
    const some = this.#chance(0.5) ? all.filter(() => this.#chance(0.5)) : undefined;
    const full = this.#chance(0.15);
    return { what: `${full ? 'full ' : ''}copy of ${some ? some.length : 'all'} from ${from.name} to ${to.name}`, program: copy(from, to, some, full) };
  }

  #fate(): ProcessFate {
    const luck = this.#random.next();
    const when = this.#chance(0.5) ? 'before' : 'after';
    if (luck < 0.15) return { crash: { atWrite: 1 + this.#random.int(7), when } };
    if (luck < 0.22) return { fault: { atOperation: 1 + this.#random.int(40), when } };
    if (luck < 0.32) return { pause: { atOperation: 1 + this.#random.int(60), ms: this.#random.int(40) * MINUTE_MS } };
    return {};
  }

  /** Right when something has happened: a manifest that appears is whole, and what is removed was needed by nobody. */
  async #afterWrite({ kind, key }: Operation): Promise<void> {
    const truths = this.#sides?.map(({ truth }) => truth) ?? [];
    if (kind.startsWith('put') && key.startsWith('points/')) for (const truth of truths) await checkManifest(truth, key);
    const removes = kind.startsWith('delete') && /^(?:packs|index)\//.test(key);
    if (removes && this.#chance(REMOVALS_CHECKED)) for (const truth of truths) await truth.checkCommitted();
  }
}

async function checkManifest(truth: Truth, key: string): Promise<void> {
  const id = key.split('/')[2]?.replace('.json', '') ?? '';
  if (truth.points.has(id) && (await truth.store.stat(key))) await truth.checkPoint(id);
}

function told({ crash, fault, pause }: ProcessFate): string {
  if (crash) return ` (dies ${crash.when} write ${crash.atWrite})`;
  if (fault) return ` (operation ${fault.atOperation} fails ${fault.when} its effect)`;
  return pause ? ` (stopped for ${pause.ms / MINUTE_MS} min before operation ${pause.atOperation})` : '';
}
