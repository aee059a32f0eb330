import { asBuffer } from '../format/bytes.ts';

const LOAD = 0.75;
const FIRST_SLOTS = 1024;

/**
 * Digests, each by its first `bytes`: open addressing in one typed array. With 8 bytes a foreign digest is taken for a member once in 2^64 tries for each
 * member: whoever uses it so may only err on the safe side. Memory: `bytes` and a bit for each slot, two slots for three members at the fullest, and both
 * sizes while it grows.
 */
export class DigestSet {
  readonly #words: number;
  #slots: Uint32Array;
  #found: Uint8Array;
  #size = 0;
  #foundSize = 0;

  constructor(bytes: 8 | 32) {
    this.#words = bytes / 4;
    this.#slots = new Uint32Array(FIRST_SLOTS * this.#words);
    this.#found = new Uint8Array(FIRST_SLOTS / 8);
  }

  get size(): number {
    return this.#size;
  }

  /** Members that `find` has been told to be found. */
  get foundSize(): number {
    return this.#foundSize;
  }

  /** False when it is a member already. */
  add(digest: Uint8Array): boolean {
    const slot = this.slot(asBuffer(digest), 0);
    if (slot >= 0) return false;
    if (this.#size + 1 > (this.#slots.length / this.#words) * LOAD) this.#grow();
    this.#put(asBuffer(digest));
    return true;
  }

  /** The slot of a member, or -1. */
  slot(digest: Buffer, at: number): number {
    const words = this.#words;
    const slots = this.#slots;
    const mask = slots.length / words - 1;
    const first = firstWord(digest, at);
    for (let slot = digest.readUInt32LE(at + 4) & mask; ; slot = (slot + 1) & mask) {
      const base = slot * words;
      const known = slots[base];
      if (known === 0) return -1;
      if (known === first && this.#equals(base, digest, at)) return slot;
    }
  }

  #equals(base: number, digest: Buffer, at: number): boolean {
    for (let word = 1; word < this.#words; word++) if (this.#slots[base + word] !== digest.readUInt32LE(at + 4 * word)) return false;
    return true;
  }

  isFound(slot: number): boolean {
    return ((this.#found[slot >> 3] ?? 0) & (1 << (slot & 7))) !== 0;
  }

  find(slot: number): void {
    this.#found[slot >> 3] = (this.#found[slot >> 3] ?? 0) | (1 << (slot & 7));
    this.#foundSize += 1;
  }

  /** No member is found any more. */
  resetFound(): void {
    this.#found.fill(0);
    this.#foundSize = 0;
  }

  #put(digest: Buffer): void {
    const mask = this.#slots.length / this.#words - 1;
    let slot = digest.readUInt32LE(4) & mask;
    while (this.#slots[slot * this.#words] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot * this.#words] = firstWord(digest, 0);
    for (let word = 1; word < this.#words; word++) this.#slots[slot * this.#words + word] = digest.readUInt32LE(4 * word);
    this.#size += 1;
  }

  #grow(): void {
    const words = this.#words;
    const before = this.#slots;
    this.#slots = new Uint32Array(before.length * 2);
    this.#found = new Uint8Array(before.length / words / 4);
    this.#foundSize = 0;
    const mask = this.#slots.length / words - 1;
    for (let base = 0; base < before.length; base += words) {
      if (before[base] === 0) continue;
      let slot = (before[base + 1] ?? 0) & mask;
      while (this.#slots[slot * words] !== 0) slot = (slot + 1) & mask;
      this.#slots.set(before.subarray(base, base + words), slot * words);
    }
  }
}

/** Zero stands for an empty slot. */
function firstWord(digest: Buffer, at: number): number {
  return digest.readUInt32LE(at) || 1;
}

/** A share of all digests, by their first 4 bytes: `part` of `parts` of equal size. */
export interface DigestRange {
  readonly part: number;
  readonly parts: number;
}

/** The least first 4 bytes (big-endian) of the range, and the least after it. */
export function rangeBounds({ part, parts }: DigestRange): { readonly low: number; readonly high: number } {
  return { low: Math.ceil((part * 2 ** 32) / parts), high: Math.ceil(((part + 1) * 2 ** 32) / parts) };
}
