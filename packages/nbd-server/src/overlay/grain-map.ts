import { GRAIN, type Grain, MAP_PAGE_BYTES } from './overlay-layout.ts';

export interface GrainRun {
  readonly first: number;
  readonly count: number;
  readonly grain: Grain;
}

/** Two bits a grain, and which pages of it are not in the file yet. */
export class GrainMap {
  readonly #bytes: Buffer;
  readonly #dirty = new Set<number>();

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get(grain: number): Grain {
    const bits = ((this.#bytes[grain >> 2] ?? 0) >> ((grain & 3) * 2)) & 3;
    return bits === GRAIN.here || bits === GRAIN.zero ? bits : GRAIN.below;
  }

  set(first: number, count: number, value: Grain): void {
    for (let grain = first; grain < first + count; grain++) {
      if (this.get(grain) === value) continue;
      const at = grain >> 2;
      const shift = (grain & 3) * 2;
      this.#bytes[at] = ((this.#bytes[at] ?? 0) & ~(3 << shift)) | (value << shift);
      this.#dirty.add(Math.floor(at / MAP_PAGE_BYTES));
    }
  }

  /** Grains `first` up to, without, `end` in runs of a kind. */
  *runs(first: number, end: number): Generator<GrainRun, void> {
    for (let from = first; from < end; ) {
      const grain = this.get(from);
      let to = from + 1;
      while (to < end && this.get(to) === grain) to += 1;
      yield { first: from, count: to - from, grain };
      from = to;
    }
  }

  /** Copies of the pages that changed since the last call, which count as written from now on; those that turn out not to be go back by `redo`. */
  takeDirty(): { readonly page: number; readonly bytes: Buffer }[] {
    const pages = [...this.#dirty].map((page) => ({ page, bytes: Buffer.from(this.#bytes.subarray(page * MAP_PAGE_BYTES, (page + 1) * MAP_PAGE_BYTES)) }));
    this.#dirty.clear();
    return pages;
  }

  redo(pages: readonly { readonly page: number }[]): void {
    for (const { page } of pages) this.#dirty.add(page);
  }
}
