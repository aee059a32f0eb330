import type { CallOptions } from '@onevault/base';
import { CHUNK_HEADER_BYTES } from '../format/chunk-header.ts';
import { PACK_FOOTER_BYTES, PACK_HEADER_BYTES } from '../format/pack-layout.ts';
import { PackIds } from '../pack/pack-ids.ts';
import type { ObjectStore } from '../store/object-store.ts';

const STATES = { sound: 0, condemned: 1, doomed: 2 } as const;

/** All packs as they were listed, and what is needed of them: 33 bytes each, 50 MiB for 1.6 million packs (100 TiB). */
export class PackTable {
  /** Packs that an index table names and that are not there. */
  readonly gone = new Set<string>();
  readonly #ids: PackIds;
  readonly #usedBytes: Float64Array;
  readonly #usedChunks: Uint32Array;
  readonly #states: Uint8Array;

  private constructor(ids: PackIds) {
    this.#ids = ids;
    this.#usedBytes = new Float64Array(ids.count);
    this.#usedChunks = new Uint32Array(ids.count);
    this.#states = new Uint8Array(ids.count);
  }

  static async list(store: ObjectStore, options: CallOptions): Promise<PackTable> {
    return new PackTable(await PackIds.list(store, options));
  }

  get count(): number {
    return this.#ids.count;
  }

  get totalBytes(): number {
    return this.#ids.totalBytes;
  }

  /** The place of a pack, or -1. */
  indexOf(packId: string): number {
    return this.#ids.indexOf(packId);
  }

  id(pack: number): string {
    return this.#ids.at(pack);
  }

  sizeOf(pack: number): number {
    return this.#ids.sizeOf(pack);
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
