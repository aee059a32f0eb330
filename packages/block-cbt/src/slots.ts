import { digestStart, type SlotLayout, slotStart } from './scan-protocol.ts';
import { borrowMemory, returnMemory } from './slot-memory.ts';

/** Room for one extent and the digests of its blocks. It is free again when everyone who held it has let go. */
export interface Slot {
  readonly index: number;
  readonly extent: Uint8Array;
  readonly digests: Uint8Array;
  hold(): void;
  letGo(): void;
}

/**
 * A fixed number of slots in memory shared with the scan workers: the bound of what a scan holds. Slots whose blocks are still with the consumer when
 * the scan ends stay valid; the memory is used again once the last of them is let go.
 */
export class Slots {
  readonly memory: SharedArrayBuffer;
  readonly layout: SlotLayout;
  readonly #free: Slot[] = [];
  readonly #waiting: { readonly resolve: (slot: Slot) => void; readonly reject: (reason: unknown) => void }[] = [];
  #failure: { readonly reason: unknown } | undefined;
  #ended = false;

  constructor(layout: SlotLayout) {
    this.layout = layout;
    this.memory = borrowMemory(slotStart(layout, layout.slotCount));
    for (let index = layout.slotCount - 1; index >= 0; index--) this.#free.push(this.#slot(index));
  }

  get freeCount(): number {
    return this.#free.length;
  }

  /** A free slot, held once; waits for one. The most recently used comes first: it is warm in the caches. */
  take(): Promise<Slot> {
    if (this.#failure) return Promise.reject(this.#failure.reason);
    const slot = this.#free.pop();
    if (!slot) return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    slot.hold();
    return Promise.resolve(slot);
  }

  /** Whoever waits, or comes to wait, gets `reason`. */
  fail(reason: unknown): void {
    this.#failure ??= { reason };
    for (const { reject } of this.#waiting.splice(0)) reject(reason);
  }

  /** No worker writes here any more, and nobody takes another slot. */
  end(): void {
    this.#ended = true;
    this.#returnWhenIdle();
  }

  #slot(index: number): Slot {
    const start = slotStart(this.layout, index);
    let holders = 0;
    const slot: Slot = {
      index,
      extent: new Uint8Array(this.memory, start, this.layout.extentBytes),
      digests: new Uint8Array(this.memory, digestStart(this.layout, index), this.layout.digestAreaBytes),
      hold: () => {
        holders++;
      },
      letGo: () => {
        holders--;
        if (holders === 0) this.#pass(slot);
      },
    };
    return slot;
  }

  #pass(slot: Slot): void {
    const next = this.#waiting.shift();
    if (next) {
      slot.hold();
      next.resolve(slot);
      return;
    }
    this.#free.push(slot);
    this.#returnWhenIdle();
  }

  #returnWhenIdle(): void {
    if (this.#ended && this.#free.length === this.layout.slotCount) returnMemory(this.memory);
  }
}
