import type { CallOptions } from '@onevault/base';
import { fromHex } from '../format/bytes.ts';
import { CHUNK_HEADER_BYTES } from '../format/chunk-header.ts';
import { PACKS_PREFIX, parsePackKey } from '../format/ids.ts';
import { PACK_FOOTER_BYTES, PACK_HEADER_BYTES } from '../format/pack-layout.ts';
import type { ObjectStore } from '../store/object-store.ts';

const ID_BYTES = 16;
const STATES = { sound: 0, condemned: 1, doomed: 2 } as const;

/** All packs as they were listed, and what is needed of them: 33 bytes each, 50 MiB for 1.6 million packs (100 TiB). */
export class PackTable {
  #ids = Buffer.alloc(1024 * ID_BYTES);
  #sizes = new Uint32Array(1024);
  #usedBytes = new Float64Array(0);
  #usedChunks = new Uint32Array(0);
  #states = new Uint8Array(0);
  #count = 0;
  #totalBytes = 0;

  static async list(store: ObjectStore, options: CallOptions): Promise<PackTable> {
    const table = new PackTable();
    for await (const { key, sizeBytes } of store.list(PACKS_PREFIX, options)) {
      const id = parsePackKey(key);
      if (id !== undefined) table.#add(id, sizeBytes);
    }
    table.#usedBytes = new Float64Array(table.#count);
    table.#usedChunks = new Uint32Array(table.#count);
    table.#states = new Uint8Array(table.#count);
    return table;
  }

  #add(id: string, sizeBytes: number): void {
    if (this.#count === this.#sizes.length) {
      this.#ids = Buffer.concat([this.#ids, Buffer.alloc(this.#ids.length)]);
      const sizes = new Uint32Array(2 * this.#sizes.length);
      sizes.set(this.#sizes);
      this.#sizes = sizes;
    }
    fromHex(id).copy(this.#ids, this.#count * ID_BYTES);
    this.#sizes[this.#count] = sizeBytes;
    this.#count += 1;
    this.#totalBytes += sizeBytes;
  }

  /** Packs that an index table names and that are not there. */
  readonly gone = new Set<string>();

  get count(): number {
    return this.#count;
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** The place of a pack, or -1. Listed in order of key, which is the order of ids. */
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

  id(pack: number): string {
    return this.#ids.toString('hex', pack * ID_BYTES, (pack + 1) * ID_BYTES);
  }

  sizeOf(pack: number): number {
    return this.#sizes[pack] ?? 0;
  }

  condemn(pack: number): void {
    this.#states[pack] = STATES.condemned;
  }

  /** About to be deleted: no chunk is looked for in it any more. */
  doom(pack: number): void {
    this.#states[pack] = STATES.doomed;
  }

  isCondemned(pack: number): boolean {
    return this.#states[pack] !== STATES.sound;
  }

  /** Whether chunks are to be found in it, when looking among condemned packs or among the others. */
  mayHouse(pack: number, condemned: boolean): boolean {
    return this.#states[pack] === (condemned ? STATES.condemned : STATES.sound);
  }

  /** So many chunks that are needed are to be found in this pack. */
  use(pack: number, chunks: number, storedBytes: number): void {
    this.#usedBytes[pack] = (this.#usedBytes[pack] ?? 0) + chunks * CHUNK_HEADER_BYTES + storedBytes;
    this.#usedChunks[pack] = (this.#usedChunks[pack] ?? 0) + chunks;
  }

  usedChunks(pack: number): number {
    return this.#usedChunks[pack] ?? 0;
  }

  /** What is needed of a pack, of all that it holds: 0 to 1. */
  usedShare(pack: number): number {
    const used = (this.#usedBytes[pack] ?? 0) + CHUNK_HEADER_BYTES * this.usedChunks(pack); // its entry in the trailer too
    return used / Math.max(1, this.sizeOf(pack) - PACK_HEADER_BYTES - PACK_FOOTER_BYTES);
  }
}
