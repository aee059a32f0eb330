/** Which blocks of a disk, one bit each: 32 MiB for 16 TiB in blocks of 64 KiB. */
export class BlockSet {
  readonly #bits: Uint8Array;
  #size = 0;

  constructor(blockCount: number) {
    this.#bits = new Uint8Array(Math.ceil(blockCount / 8));
  }

  get size(): number {
    return this.#size;
  }

  add(index: number): void {
    if (this.has(index)) return;
    this.#bits[index >> 3] = (this.#bits[index >> 3] ?? 0) | (1 << (index & 7));
    this.#size++;
  }

  delete(index: number): void {
    if (!this.has(index)) return;
    this.#bits[index >> 3] = (this.#bits[index >> 3] ?? 0) & ~(1 << (index & 7));
    this.#size--;
  }

  has(index: number): boolean {
    return ((this.#bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  /** The lowest, if there is one. */
  get first(): number | undefined {
    for (const { from } of this.ranges(1)) return from;
    return undefined;
  }

  /** Neighbours together, at most `longest` at a time, in order. */
  *ranges(longest: number): Generator<{ readonly from: number; readonly to: number }, void> {
    const end = this.#bits.length * 8;
    for (let from = 0; from < end; ) {
      if ((from & 7) === 0 && this.#bits[from >> 3] === 0) from += 8;
      else if (!this.has(from)) from++;
      else {
        let to = from + 1;
        while (to < end && to - from < longest && this.has(to)) to++;
        yield { from, to };
        from = to;
      }
    }
  }
}
