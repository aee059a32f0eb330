import type { HomeSink } from './count-use.ts';
import type { PackTable } from './pack-table.ts';

/** Counts what is needed of each pack; `keep` adds it to the pack table, when the tables were read to the end. Memory: 12 bytes for each pack. */
export class PackUse implements HomeSink {
  readonly #packs: PackTable;
  readonly #bytes: Float64Array;
  readonly #chunks: Uint32Array;

  constructor(packs: PackTable) {
    this.#packs = packs;
    this.#bytes = new Float64Array(packs.count);
    this.#chunks = new Uint32Array(packs.count);
  }

  restart(): void {
    this.#bytes.fill(0);
    this.#chunks.fill(0);
  }

  home(pack: number, _offset: number, storedBytes: number): void {
    this.#bytes[pack] = (this.#bytes[pack] ?? 0) + storedBytes;
    this.#chunks[pack] = (this.#chunks[pack] ?? 0) + 1;
  }

  keep(): void {
    for (let pack = 0; pack < this.#chunks.length; pack++) {
      const chunks = this.#chunks[pack] ?? 0;
      if (chunks > 0) this.#packs.use(pack, chunks, this.#bytes[pack] ?? 0);
    }
  }
}

/** Gathers where in the chosen packs the needed chunks lie. Memory: 4 bytes for each of these, and their share of the range until `keep`. */
export class NeededOffsets implements HomeSink {
  readonly #chosen: ReadonlySet<number>;
  readonly #kept = new Map<number, number[]>();
  #now = new Map<number, number[]>();

  constructor(chosen: ReadonlySet<number>) {
    this.#chosen = chosen;
  }

  restart(): void {
    this.#now = new Map();
  }

  home(pack: number, offset: number): void {
    if (!this.#chosen.has(pack)) return;
    const offsets = this.#now.get(pack);
    if (offsets) offsets.push(offset);
    else this.#now.set(pack, [offset]);
  }

  keep(): void {
    for (const [pack, offsets] of this.#now) {
      const kept = this.#kept.get(pack);
      if (kept) for (const offset of offsets) kept.push(offset);
      else this.#kept.set(pack, offsets);
    }
    this.#now = new Map();
  }

  of(pack: number): ReadonlySet<number> {
    return new Set(this.#kept.get(pack));
  }
}
