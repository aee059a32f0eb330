import type { CallOptions } from '@onevault/base';
import { fromHex } from '../format/bytes.ts';
import { PACKS_PREFIX, parsePackKey } from '../format/ids.ts';
import type { ObjectStore } from '../store/object-store.ts';

const ID_BYTES = 16;

/** The ids and sizes of all packs, 20 bytes each, in order as the store lists them: 32 MiB for 1.6 million packs (100 TiB). */
export class PackIds {
  #ids = Buffer.alloc(1024 * ID_BYTES);
  #sizes = new Uint32Array(1024);
  #count = 0;
  #totalBytes = 0;

  static get empty(): PackIds {
    return new PackIds();
  }

  static async list(store: ObjectStore, options: CallOptions): Promise<PackIds> {
    const ids = new PackIds();
    for await (const { key, sizeBytes } of store.list(PACKS_PREFIX, options)) {
      const id = parsePackKey(key);
      if (id !== undefined) ids.#add(id, sizeBytes);
    }
    return ids;
  }

  get count(): number {
    return this.#count;
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  *[Symbol.iterator](): Generator<string, void> {
    for (let place = 0; place < this.#count; place++) yield this.at(place);
  }

  /** The id at a place in the order. */
  at(place: number): string {
    return this.#ids.toString('hex', place * ID_BYTES, (place + 1) * ID_BYTES);
  }

  sizeOf(place: number): number {
    return this.#sizes[place] ?? 0;
  }

  has(packId: string): boolean {
    return this.indexOf(packId) >= 0;
  }

  /** Its place in the order, or -1. */
  indexOf(packId: string): number {
    const wanted = fromHex(packId);
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = this.#ids.compare(wanted, 0, ID_BYTES, middle * ID_BYTES, (middle + 1) * ID_BYTES);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return -1;
  }

  #add(id: string, sizeBytes: number): void {
    if (this.#count === this.#sizes.length) this.#grow();
    fromHex(id).copy(this.#ids, this.#count * ID_BYTES);
    this.#sizes[this.#count] = sizeBytes;
    this.#count += 1;
    this.#totalBytes += sizeBytes;
  }

  #grow(): void {
    this.#ids = Buffer.concat([this.#ids, Buffer.alloc(this.#ids.length)]);
    const sizes = new Uint32Array(2 * this.#sizes.length);
    sizes.set(this.#sizes);
    this.#sizes = sizes;
  }
}
