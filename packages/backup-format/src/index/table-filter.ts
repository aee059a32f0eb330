import { asBuffer } from '../format/bytes.ts';

/** Digests are random already: each probe takes four bytes of its own, past the eight that the fence knows. */
const FIRST_PROBE_AT = 8;
const MAX_PROBES = 6;

/**
 * Says of nearly every digest that is not in a table that it is not: a Bloom filter. 12 bits an entry let one in 250 of the others through, 6 bits one in 18.
 * Never says no to a digest that was added.
 */
export class TableFilter {
  readonly #bits: Uint8Array;
  readonly #bitCount: number;
  readonly #probes: number;

  constructor(entries: number, bytes: number) {
    this.#bits = new Uint8Array(bytes);
    this.#bitCount = bytes * 8;
    this.#probes = Math.min(MAX_PROBES, Math.max(1, Math.round((this.#bitCount / entries) * Math.LN2)));
  }

  get bytes(): number {
    return this.#bits.length;
  }

  /** The digest of 32 bytes at `at`. */
  add(source: Buffer, at: number): void {
    for (let probe = 0; probe < this.#probes; probe++) {
      const bit = this.#bit(source, at, probe);
      const byte = Math.floor(bit / 8);
      this.#bits[byte] = (this.#bits[byte] ?? 0) | (1 << (bit % 8));
    }
  }

  mayHold(digest: Uint8Array): boolean {
    const source = asBuffer(digest);
    for (let probe = 0; probe < this.#probes; probe++) {
      const bit = this.#bit(source, 0, probe);
      if (((this.#bits[Math.floor(bit / 8)] ?? 0) & (1 << (bit % 8))) === 0) return false;
    }
    return true;
  }

  #bit(source: Buffer, at: number, probe: number): number {
    return Math.floor((source.readUInt32LE(at + FIRST_PROBE_AT + 4 * probe) / 2 ** 32) * this.#bitCount);
  }
}
