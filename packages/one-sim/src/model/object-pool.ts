/**
 * One pool of the world. Objects that were laid to rest are deeply frozen until somebody asks for one by id: it is thawed then, and belongs to
 * what every commit writes. So a big cloud costs what a run touches, and a change that would not be written throws instead of being lost.
 */
export class ObjectPool<T extends { readonly id: number }> extends Map<number, T> {
  readonly #resting = new Set<number>();
  /** Ids in the file of what rests, whether they have woken since or not. */
  readonly #written = new Set<number>();
  readonly #gone = new Set<number>();

  /** The object, to be read or changed. */
  override get(id: number): T | undefined {
    const object = super.get(id);
    if (object === undefined || !this.#resting.delete(id)) return object;
    const awake = structuredClone(object);
    super.set(id, awake);
    return awake;
  }

  /** The object, to be read only: it may be frozen. */
  peek(id: number): T | undefined {
    return super.get(id);
  }

  override delete(id: number): boolean {
    this.#resting.delete(id);
    if (this.#written.has(id)) this.#gone.add(id);
    return super.delete(id);
  }

  /** Every object, to be read only; `get` the one that is to be changed. */
  override values(): MapIterator<T> {
    return super.values();
  }

  /** Freezes everything; returns it, in the order of ids. */
  rest(): T[] {
    const all = [...super.values()].sort((a, b) => a.id - b.id);
    this.#written.clear();
    this.#gone.clear();
    for (const object of all) {
      freezeDeep(object);
      this.#resting.add(object.id);
      this.#written.add(object.id);
    }
    return all;
  }

  /** What changed, or may have, since everything rested. */
  awake(): T[] {
    return this.#resting.size === 0 ? [...super.values()] : [...super.values()].filter((object) => !this.#resting.has(object.id));
  }

  /** Ids of objects that are in the file of what rests, and are no more. */
  get gone(): number[] {
    return [...this.#gone];
  }

  /** Takes up what `rest` returned once and what became of it since. */
  load(rested: readonly T[], awake: readonly T[], gone: readonly number[]): void {
    for (const id of gone) this.#gone.add(id);
    for (const object of rested) {
      this.#written.add(object.id);
      if (this.#gone.has(object.id)) continue;
      super.set(object.id, freezeDeep(object));
      this.#resting.add(object.id);
    }
    for (const object of awake) {
      this.#resting.delete(object.id);
      super.set(object.id, object);
    }
  }
}

function freezeDeep<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) freezeDeep(inner);
  return Object.freeze(value);
}
