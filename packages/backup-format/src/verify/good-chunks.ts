import { asBuffer } from '../format/bytes.ts';
import type { PackEntry } from '../format/chunk-header.ts';
import type { ChunkLocation } from '../index/table-reader.ts';

/** Checked chunks remembered at once: 8 bytes each, so 32 MiB, and about 200 bytes for each pack. Beyond that verify works through the repository in windows. */
const WINDOW_CHUNKS = 4 * 1024 * 1024;

/** Which chunks of a window of packs passed their check. Packs come in ascending order of id. */
export class GoodChunks {
  readonly #packs = new Map<string, { readonly offsets: Uint32Array; readonly tags: Uint32Array }>();
  readonly #after: string;
  #last = '';
  #chunks = 0;

  /** The window begins after this pack id. */
  constructor(after: string) {
    this.#after = after;
  }

  add(packId: string, good: readonly PackEntry[]): void {
    const offsets = Uint32Array.from(good, (entry) => entry.offset);
    const tags = Uint32Array.from(good, (entry) => tagOf(entry.digest));
    this.#packs.set(packId, { offsets, tags });
    this.#last = packId;
    this.#chunks += good.length;
  }

  get full(): boolean {
    return this.#chunks >= WINDOW_CHUNKS;
  }

  get last(): string {
    return this.#last;
  }

  /** Whether this window decides about the pack; the final one decides about all that come after. */
  covers(packId: string, final: boolean): boolean {
    return packId > this.#after && (final || packId <= this.#last);
  }

  /** Whether the chunk is where the index says and passed its check. */
  has(digest: Uint8Array, location: ChunkLocation): boolean {
    const pack = this.#packs.get(location.packId);
    if (!pack) return false;
    const at = indexOf(pack.offsets, location.offset);
    return at >= 0 && pack.tags[at] === tagOf(digest);
  }
}

function tagOf(digest: Uint8Array): number {
  return asBuffer(digest).readUInt32LE(0);
}

function indexOf(sorted: Uint32Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const found = sorted[middle] ?? 0;
    if (found === value) return middle;
    if (found < value) low = middle + 1;
    else high = middle;
  }
  return -1;
}
