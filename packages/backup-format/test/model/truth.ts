import type { Clock } from '@onevault/base';
import type { ObjectStore, Repository } from '../../src/index.ts';
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
  /** Somebody who forgets it was stopped for minutes: the one window that docs/concurrency.md leaves. */
  excused: boolean;
  /** How many copies may bring it back at this moment. */
  copying: number;
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

  constructor(store: ObjectStore, clock: Clock, open: (store: ObjectStore) => Promise<Repository>) {
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
    this.points.set(id, { group, disks, state: 'writing', held: false, excused: false, copying: 0, forgets: 0, forgetting: 0, releases: 0, releasing: 0 });
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
   * Somebody begins to forget; the answer is to be called with how it ended. Nothing brings back what somebody has forgotten, save for a copy that was
   * under way. Of two who forget the same point at once, one who is refused does not know what the other one has done.
   */
  forgetting(id: string, stopped: boolean): (end: 'forgotten' | 'refused' | 'failed') => void {
    const point = this.points.get(id);
    if (!point) return () => undefined;
    const before = point.state;
    point.excused ||= stopped;
    point.state = point.state === 'gone' ? 'gone' : 'unsettled';
    const alone = point.forgetting === 0;
    const mine = point.forgets + 1;
    point.forgets = mine;
    point.forgetting += 1;
    return (end) => {
      point.forgetting -= 1;
      if (end === 'forgotten') point.state = point.copying > 0 ? 'unsettled' : 'gone';
      if (end === 'refused' && before === 'committed' && alone && point.forgets === mine) point.state = 'committed';
    };
  }

  /** A copy of these begins; the answer is to be called when it is over. */
  copying(ids: readonly string[]): () => void {
    const points = ids.flatMap((id) => this.points.get(id) ?? []);
    for (const point of points) point.copying += 1;
    return () => {
      for (const point of points) point.copying -= 1;
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
    for (const [id, point] of this.points) settlePoint(id, point, there.has(id));
    await this.checkCommitted();
  }

  async checkVerify(): Promise<void> {
    const { damage, report } = await runVerify(await this.#open(this.#store));
    const [first] = damage;
    if (first) throw new Violation(`verify finds ${first.key} damaged: ${String(first.error)}`, { cause: first.error });
    if (report.points !== this.idsOf('committed').length) throw new Violation(`verify sees ${report.points} points of ${this.idsOf('committed').length}`);
  }
}

/** What is seen is true from here on. */
function settlePoint(id: string, point: PointTruth, isThere: boolean): void {
  if (point.state === 'committed' && !isThere) throw new Violation(`the point ${id} is lost`);
  if (point.held && !point.excused && !isThere) throw new Violation(`the point ${id} is lost though it is held`);
  point.excused = false;
  point.state = isThere ? 'committed' : 'gone';
}
