import { asBuffer } from '../format/bytes.ts';

const RING = 2 ** 32;

/**
 * A share of all chunks: digests lie evenly on a ring of 32 bits, so an arc of it is a random share, spread over every pack. The next sample begins where the
 * last one ended: what was checked longest ago comes first, everything comes within 100 / percent samples, and nothing has to be remembered for a chunk.
 */
export class SampleArc {
  readonly #from: number;
  readonly #length: number;

  constructor(from: string, percent: number) {
    if (!(percent > 0 && percent <= 100)) throw new RangeError(`a sample of ${percent} % is none`);
    if (!/^[0-9a-f]{8}$/.test(from)) throw new RangeError(`"${from}" is not the seed of a sample: 8 hex digits`);
    this.#from = Number.parseInt(from, 16);
    this.#length = Math.min(RING, Math.ceil((RING * percent) / 100));
  }

  has(digest: Uint8Array): boolean {
    return (asBuffer(digest).readUInt32BE(0) - this.#from) >>> 0 < this.#length;
  }

  /** Where the next sample begins. */
  get end(): string {
    return ((this.#from + this.#length) % RING).toString(16).padStart(8, '0');
  }
}
