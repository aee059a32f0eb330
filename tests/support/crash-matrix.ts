import type { CallOptions } from '@onevault/base';
import type { OneApi } from '@onevault/one-client';
import { fileJournals, type JobDeps, type JournalStore, type ProcessIdentity, type RecoverReport, recoverRuns } from '@onevault/orchestrator';
import { expect } from 'vitest';
import { added, type CloudState, cloudState } from './cloud-state.ts';
import { type Fault, Faulty } from './faulty.ts';
import { type Moment, Mortal } from './mortal.ts';
import type { World } from './world.ts';

/** Something onevault does to the cloud that may be ended at any moment. */
export interface MatrixOperation {
  readonly name: string;
  /** One run of it. `attempt` is a new number each time, for names. */
  act(world: World, deps: JobDeps, attempt: number, options: CallOptions): Promise<unknown>;
  /** How many new objects a whole run leaves: they are taken away again by the harness after each attempt. */
  readonly product: { readonly vms: number; readonly images: number };
  /** It does several things at once: its moments come in another order, and in another number, each time. */
  readonly unordered?: true;
}

/** Processes of one machine: whoever is in the set is alive. */
export class Processes {
  readonly #alive = new Set<string>();
  #last = 0;

  start(): ProcessIdentity {
    const owner = `test-machine ${++this.#last} 1`;
    this.#alive.add(owner);
    return { owner, isAlive: async (other) => this.#alive.has(other) };
  }

  end({ owner }: ProcessIdentity): void {
    this.#alive.delete(owner);
  }
}

export interface MatrixOptions {
  /** Every moment, also those between which nothing is written or changed; default: one of each. */
  readonly everyMoment?: boolean;
  /** Every so many of them only, the first included; default: 1. */
  readonly stride?: number;
}

export interface MatrixReport {
  readonly moments: number;
  readonly killed: number;
  /** Kinds of objects that a recovery had to remove, at some moment. */
  readonly removed: readonly string[];
}

/**
 * Kills the operation at every moment, recovers with fresh dependencies, compares the whole cloud with what it was (plus the product, exactly if the run had
 * written down that it stays), and runs the operation again to its end, every few times.
 */
export async function crashMatrix(world: World, operation: MatrixOperation, options: MatrixOptions = {}): Promise<MatrixReport> {
  const matrix = new Matrix(world, operation);
  const { moments } = await matrix.whole();
  const chosen = strided(options.everyMoment === true ? [...moments.keys()] : firstOfEach(moments), options);
  const removed = new Set<string>();
  for (const [turn, at] of chosen.entries()) {
    for (const kind of await matrix.killAt(at)) removed.add(kind);
    // The cloud is as it was, which has been compared: running again after each death would find the same.
    if (options.everyMoment === true || turn % 5 === 4 || turn === chosen.length - 1) await matrix.whole();
  }
  await matrix.expectUnharmed();
  return { moments: moments.length, killed: chosen.length, removed: [...removed].sort() };
}

/** The same with a call that goes wrong in place of a death: the run ends by itself, in success or failure, and what it left behind is recovered. */
export async function faultMatrix(world: World, operation: MatrixOperation, fault: Fault, options: MatrixOptions = {}): Promise<MatrixReport> {
  const matrix = new Matrix(world, operation);
  const { calls } = await matrix.counted(fault);
  const chosen = strided(
    [...calls.keys()].filter((at) => options.everyMoment === true || calls[at]?.changing === true),
    options,
  );
  const removed = new Set<string>();
  for (const at of chosen) for (const kind of await matrix.failAt(at, fault)) removed.add(kind);
  await matrix.whole();
  await matrix.expectUnharmed();
  return { moments: calls.length, killed: chosen.length, removed: [...removed].sort() };
}

function strided(moments: readonly number[], { stride = 1 }: MatrixOptions): number[] {
  return moments.filter((_, at) => at % stride === 0);
}

function firstOfEach(moments: readonly Moment[]): number[] {
  const first = new Map<string, number>();
  for (const [at, { progress }] of moments.entries()) if (!first.has(progress)) first.set(progress, at);
  return [...first.values()];
}

class Matrix {
  readonly #world: World;
  readonly #operation: MatrixOperation;
  readonly #processes = new Processes();
  #attempts = 0;

  constructor(world: World, operation: MatrixOperation) {
    this.#world = world;
    this.#operation = operation;
  }

  /** One run to its end; what it made is taken away again. */
  async whole(): Promise<Mortal> {
    const before = await this.state();
    const process = this.#processes.start();
    const counted = new Mortal();
    await this.#act(counted, process);
    this.#processes.end(process);
    const after = await this.state();
    const product = added(before, after);
    expect([product.vms.length, product.images.length, product.templates.length], `${this.#operation.name}: what a whole run leaves`).toEqual([
      this.#operation.product.vms,
      this.#operation.product.images,
      0,
    ]);
    await this.#remove(product);
    expect(await this.state(), `${this.#operation.name}: after a whole run and without its product`).toEqual(before);
    return counted;
  }

  /** Answers the kinds of objects that recovery removed. */
  async killAt(at: number): Promise<string[]> {
    const before = await this.state();
    const victim = this.#processes.start();
    const mortal = new Mortal(at);
    const end = await this.#act(mortal, victim).then(
      () => undefined,
      (error: unknown) => error,
    );
    this.#processes.end(victim);
    if (mortal.died === undefined) {
      if (this.#operation.unordered !== true || end !== undefined)
        expect.fail(`${this.#operation.name} took fewer moments than before: ${mortal.moments.length}, not ${at + 1}; it ended with ${String(end)}`);
      await this.#remove(added(before, await this.state()));
      return [];
    }
    const where = `${this.#operation.name} killed ${mortal.died.name} (moment ${at}; ${mortal.died.progress})`;
    const report = await this.recover();
    expect(report.cloudLost, where).toBeUndefined();
    expect(
      report.runs.filter((run) => run.outcome !== 'recovered'),
      where,
    ).toEqual([]);
    expect(await this.#world.unfinishedRuns(), where).toEqual([]);
    const after = await this.state();
    const isKept = mortal.records.some((record) => record.type === 'kept');
    const product = isKept ? added(before, after) : { vms: [], images: [], templates: [] };
    if (isKept) expect([product.vms.length, product.images.length], where).toEqual([this.#operation.product.vms, this.#operation.product.images]);
    await this.#remove(product);
    expect(await this.state(), where).toEqual(before);
    return report.runs.flatMap((run) => run.removed.map(({ object }) => object.kind));
  }

  async counted(fault: Fault): Promise<Faulty> {
    const before = await this.state();
    const counting = new Faulty(fault);
    await this.#actOn(counting.cloud(this.#world.cloud));
    await this.#remove(added(before, await this.state()));
    return counting;
  }

  async failAt(at: number, fault: Fault): Promise<string[]> {
    const before = await this.state();
    const faulty = new Faulty(fault, at);
    const failure = await this.#actOn(faulty.cloud(this.#world.cloud)).then(
      () => undefined,
      (error: unknown) => error ?? 'failed',
    );
    const where = `${this.#operation.name}: ${fault} of call ${at}, ${faulty.calls[at]?.name}`;
    expect(faulty.calls.length, where).toBeGreaterThan(at);
    const report = await this.recover();
    expect(report.cloudLost, where).toBeUndefined();
    expect(await this.#world.unfinishedRuns(), where).toEqual([]);
    const product = failure === undefined ? added(before, await this.state()) : { vms: [], images: [], templates: [] };
    if (failure === undefined)
      expect([product.vms.length, product.images.length], where).toEqual([this.#operation.product.vms, this.#operation.product.images]);
    await this.#remove(product);
    expect(await this.state(), where).toEqual(before);
    return report.runs.flatMap((run) => run.removed.map(({ object }) => object.kind));
  }

  /** Whatever happened, the guest was never left to stand still. */
  async expectUnharmed(): Promise<void> {
    expect((await this.#world.sim.control.history(this.#world.vm)).harm).toEqual([]);
    expect(await this.#world.sim.control.unexpectedErrors()).toEqual([]);
  }

  async #actOn(cloud: OneApi): Promise<void> {
    const process = this.#processes.start();
    try {
      await this.#operation.act(this.#world, this.#world.deps({ cloud, journals: this.#journals(process) }), ++this.#attempts, {});
    } finally {
      this.#processes.end(process);
    }
  }

  async recover(): Promise<RecoverReport> {
    const process = this.#processes.start();
    const report = await recoverRuns(this.#world.deps({ journals: this.#journals(process) }));
    this.#processes.end(process);
    return report;
  }

  async state(): Promise<CloudState> {
    await this.#world.sim.control.idle();
    return cloudState(await this.#world.sim.control.state());
  }

  #act(mortal: Mortal, process: ProcessIdentity): Promise<unknown> {
    const deps = this.#world.deps({ cloud: mortal.cloud(this.#world.cloud), journals: mortal.journals(this.#journals(process)) });
    return this.#operation.act(this.#world, deps, ++this.#attempts, { signal: mortal.signal });
  }

  #journals(identity: ProcessIdentity): JournalStore {
    return fileJournals({ directory: this.#world.journalPath, identity });
  }

  /** By somebody else's hand. */
  async #remove({ vms, images }: { readonly vms: readonly number[]; readonly images: readonly number[] }): Promise<void> {
    for (const vm of vms) await this.#world.must('one.vm.action', 'terminate-hard', vm);
    const others = (await this.#world.sim.control.state()).vms.filter((vm) => vm.stateText !== 'DONE' && !vms.includes(vm.id));
    for (const vm of others)
      for (const { diskId, imageId } of vm.disks) if (images.includes(imageId ?? -1)) await this.#world.must('one.vm.detach', vm.id, diskId);
    await this.#world.sim.control.idle();
    for (const image of images) await this.#world.must('one.image.delete', image, true);
    await this.#world.sim.control.idle();
  }
}
