import type { Clock } from '@onevault/base';
import { type ObjectStore, openRepository, type Repository } from '../../src/index.ts';
import { runVerify } from '../support/run-verify.ts';
import { difference, type ModelDisk } from './model-disk.ts';

/**
 * `writing`: its manifest may appear, and then it must be whole. `committed`: it must be there. `unsettled`: its writer or the one who forgets it failed, or
 * is still at work; it may be there or not, and is whole if it is. `gone`: it must never be there again.
 */
export type PointState = 'writing' | 'committed' | 'unsettled' | 'gone';

interface PointTruth {
  readonly group: string;
  readonly disks: ReadonlyMap<string, ModelDisk>;
  state: PointState;
  /** Somebody was told that it is held, and nobody has begun to release it. */
  held: boolean;
  /** How often somebody has begun to forget it, and how many are at it. */
  forgets: number;
  forgetting: number;
  /** The same of releasing its holds: one that is taken away before its holder has heard of it holds nothing. */
  releases: number;
  releasing: number;
}

/** A promise of the repository that was broken. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** What one repository must hold: every committed point, byte for byte. Nothing else is promised. */
export class Truth {
  readonly points = new Map<string, PointTruth>();
  readonly #store: ObjectStore;
  readonly #clock: Clock;
  readonly #open: (store: ObjectStore) => Promise<Repository>;

  constructor(store: ObjectStore, clock: Clock, open: (store: ObjectStore) => Promise<Repository> = (raw) => openRepository(raw, { clock })) {
    this.#store = store;
    this.#clock = clock;
    this.#open = open;
  }

  get store(): ObjectStore {
    return this.#store;
  }

  get clock(): Clock {
    return this.#clock;
  }

  writing(id: string, group: string, disks: ReadonlyMap<string, ModelDisk>): void {
    const known = this.points.get(id);
    if (known && known.state !== 'gone') return; // a copy of what is there
    this.points.set(id, { group, disks, state: 'writing', held: false, forgets: 0, forgetting: 0, releases: 0, releasing: 0 });
  }

  settle(id: string, state: PointState): void {
    const point = this.points.get(id);
    if (point) point.state = state;
  }

  /** Asked at the end of some work: whether the point had to be there from its beginning until now. */
  watch(id: string): () => boolean {
    const point = this.points.get(id);
    if (point?.state !== 'committed') return () => false;
    const { forgets } = point;
    return () => point.forgets === forgets && point.state === 'committed';
  }

  /**
   * Somebody begins to forget; the answer is to be called with how it ended. Of two who forget the same point at once, one who may not take the last good
   * point may give back what the other one has taken: then nobody knows.
   */
  forgetting(id: string): (end: 'forgotten' | 'refused' | 'failed') => void {
    const point = this.points.get(id);
    if (!point) return () => undefined;
    const before = point.state;
    point.state = point.state === 'gone' ? 'gone' : 'unsettled';
    const alone = point.forgetting === 0;
    const mine = point.forgets + 1;
    point.forgets = mine;
    point.forgetting += 1;
    return (end) => {
      point.forgetting -= 1;
      if (!alone || point.forgets !== mine) return;
      if (end === 'forgotten') point.state = 'gone';
      if (end === 'refused' && before === 'committed') point.state = 'committed';
    };
  }

  idsOf(state: PointState): string[] {
    return [...this.points].flatMap(([id, point]) => (point.state === state ? [id] : []));
  }

  /** One point as a process sees it that has just started. */
  async checkPoint(id: string): Promise<void> {
    const point = this.points.get(id);
    if (!point) throw new Violation(`the point ${id} is nobody's`);
    const repository = await this.#open(this.#store);
    try {
      const listed = await repository.point(id);
      for (const [key, disk] of point.disks) {
        const wrong = await difference(disk, await repository.openDisk(listed, key));
        if (wrong !== undefined) throw new Violation(`disk ${key} of ${id} ${wrong}`);
      }
    } catch (error) {
      if (error instanceof Violation) throw error;
      throw new Violation(`the ${point.state} point ${id} does not restore: ${String(error)}`, { cause: error });
    }
  }

  /** While others work: what must be there now. */
  async checkCommitted(): Promise<void> {
    for (const id of this.idsOf('committed')) await this.checkPoint(id);
  }

  /** When nobody works: exactly what is promised is there, whole. */
  async checkAll(): Promise<void> {
    const repository = await this.#open(this.#store);
    const there = new Set<string>();
    for await (const listed of repository.points()) {
      if (listed.kind === 'damaged') throw new Violation(`the manifest ${listed.key} cannot be read: ${String(listed.error)}`);
      there.add(listed.point.id);
      const state = this.points.get(listed.point.id)?.state;
      if (state === undefined) throw new Violation(`the point ${listed.point.id} is nobody's`);
      if (state === 'gone') throw new Violation(`the point ${listed.point.id} came back`);
    }
    for (const [id, point] of this.points) {
      if (point.state === 'committed' && !there.has(id)) throw new Violation(`the point ${id} is lost`);
      point.state = there.has(id) ? 'committed' : 'gone';
    }
    await this.checkCommitted();
  }

  async checkVerify(): Promise<void> {
    const { damage, report } = await runVerify(await this.#open(this.#store));
    const [first] = damage;
    if (first) throw new Violation(`verify finds ${first.key} damaged: ${String(first.error)}`, { cause: first.error });
    if (report.points !== this.idsOf('committed').length) throw new Violation(`verify sees ${report.points} points of ${this.idsOf('committed').length}`);
  }
}
