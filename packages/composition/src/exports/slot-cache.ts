/**
 * Blocks by key in slots of memory of equal size, which are allocated when first needed and never given back: the memory is bounded to the byte and nothing of
 * it is left to the garbage collector. The block that was not used for longest makes room.
 */
export class SlotCache {
  readonly slotBytes: number;
  readonly #capacity: number;
  /** In the order of use. */
  readonly #used = new Map<string, { readonly slot: Uint8Array; readonly length: number }>();

  /** At least one slot, whatever the limit. */
  constructor(limitBytes: number, slotBytes: number) {
    this.slotBytes = slotBytes;
    this.#capacity = Math.max(1, Math.floor(limitBytes / slotBytes));
  }

  get capacityBytes(): number {
    return this.#capacity * this.slotBytes;
  }

  /** Good until something else is put: copy what is needed of it before anything else happens. */
  get(key: string): Uint8Array | undefined {
    const found = this.#used.get(key);
    if (!found) return undefined;
    this.#used.delete(key);
    this.#used.set(key, found);
    return found.slot.subarray(0, found.length);
  }

  has(key: string): boolean {
    return this.#used.has(key);
  }

  /** Copies the block. */
  put(key: string, block: Uint8Array): void {
    const slot = this.#take(key);
    slot.set(block);
    this.#used.set(key, { slot, length: block.length });
  }

  #take(key: string): Uint8Array {
    const known = this.#used.get(key);
    if (known) {
      this.#used.delete(key);
      return known.slot;
    }
    if (this.#used.size < this.#capacity) return Buffer.allocUnsafeSlow(this.slotBytes);
    const [oldest = key, entry] = this.#used.entries().next().value ?? [];
    this.#used.delete(oldest);
    return entry?.slot ?? Buffer.allocUnsafeSlow(this.slotBytes);
  }
}
