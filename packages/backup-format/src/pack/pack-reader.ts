import type { CallOptions } from '@onevault/base';
import { atPlace, isRepositoryError, RepositoryError } from '../errors.ts';
import { asBuffer } from '../format/bytes.ts';
import { CHUNK_HEADER_BYTES, type PackEntry } from '../format/chunk-header.ts';
import { packKey } from '../format/ids.ts';
import { MAX_PACK_BYTES } from '../format/limits.ts';
import { decodePackEntries, decodePackFooter, PACK_FOOTER_BYTES, PACK_HEADER_BYTES, type PackIdentity } from '../format/pack-layout.ts';
import type { StructureOwner } from '../format/structure-sum.ts';
import type { ChunkLocation } from '../index/table-reader.ts';
import { LruCache } from '../lru-cache.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { StandingPacks } from './standing-packs.ts';

/** A pack whose length is known: what it takes to read its trailer. */
export type SizedPack = PackIdentity & { readonly packBytes: number };

/** The entries of a pack whose length is known, from its header, trailer and footer. Throws REPO_PACK_INVALID, REPO_OBJECT_MISSING, REPO_OBJECT_TRUNCATED. */
export async function readPackEntries(store: ObjectStore, pack: SizedPack, options: CallOptions = {}): Promise<PackEntry[]> {
  return (await readTrailer(store, pack, options)).entries;
}

/** The same, with the trailer as it is stored. */
export async function readTrailer(
  store: ObjectStore,
  pack: SizedPack,
  options: CallOptions,
): Promise<{ readonly entries: PackEntry[]; readonly trailer: Buffer }> {
  const key = packKey(pack.packId);
  const { packBytes } = pack;
  if (packBytes > MAX_PACK_BYTES || packBytes < PACK_HEADER_BYTES + 2 * CHUNK_HEADER_BYTES + PACK_FOOTER_BYTES) {
    throw new RepositoryError({ code: 'REPO_PACK_INVALID', message: `the pack ${key} cannot have ${packBytes} bytes`, details: { key } });
  }
  const footerBytes = await store.get(key, { ...options, range: { offset: packBytes - PACK_FOOTER_BYTES, length: PACK_FOOTER_BYTES } });
  const footer = atPlace({ key }, () => decodePackFooter(footerBytes, packBytes));
  const [header, trailer] = await Promise.all([
    store.get(key, { ...options, range: { offset: 0, length: PACK_HEADER_BYTES } }),
    store.get(key, { ...options, range: { offset: footer.trailerOffset, length: footer.trailerBytes } }),
  ]);
  const entries = atPlace({ key }, () => decodePackEntries(pack, header, trailer, footerBytes));
  return { entries, trailer: asBuffer(trailer) };
}

/** Trailers kept in memory for confirmations; a restore-ordered run of lookups stays within a few packs. */
const TRAILER_CACHE_BYTES = 8 * 1024 * 1024;

/** Answers from the pack itself whether a chunk is really where the index says: looks for each pack once, reads each trailer once while it is in use. */
export class PackConfirmer {
  readonly #store: ObjectStore;
  readonly #owner: StructureOwner;
  readonly #standing: StandingPacks;
  readonly #trailers = new LruCache<Buffer>(TRAILER_CACHE_BYTES, (trailer) => trailer.length + 64);

  constructor(store: ObjectStore, owner: StructureOwner) {
    this.#store = store;
    this.#owner = owner;
    this.#standing = new StandingPacks(store);
  }

  /** True if the pack exists with the length the index knows: less than `confirms`, for one look at each pack. */
  stands(location: ChunkLocation, options: CallOptions = {}): Promise<boolean> {
    return this.#standing.stands(location, options);
  }

  /** True if the pack exists with the length the index knows and its trailer lists this digest at this place. Store failures other than absence are thrown. */
  async confirms(digest: Uint8Array, location: ChunkLocation, options: CallOptions = {}): Promise<boolean> {
    const trailer = await this.#trailer(location, options);
    const at = findOffset(trailer, location.offset);
    if (at < 0) return false;
    return trailer.readUInt32LE(at + 12) === location.storedBytes && trailer.compare(digest, 0, 32, at + 16, at + CHUNK_HEADER_BYTES) === 0;
  }

  async #trailer(location: ChunkLocation, options: CallOptions): Promise<Buffer> {
    const known = this.#trailers.get(location.packId);
    if (known) return known;
    const trailer = await this.#read(location, options);
    this.#trailers.set(location.packId, trailer);
    return trailer;
  }

  /** An empty trailer stands for a pack that confirms nothing. */
  async #read(location: ChunkLocation, options: CallOptions): Promise<Buffer> {
    const found = await this.#store.stat(packKey(location.packId), options);
    if (found?.sizeBytes !== location.packBytes) return Buffer.alloc(0);
    try {
      return (await readTrailer(this.#store, { ...location, ...this.#owner }, options)).trailer;
    } catch (error) {
      if (isRepositoryError(error, 'REPO_PACK_INVALID', 'REPO_OBJECT_MISSING', 'REPO_OBJECT_TRUNCATED')) return Buffer.alloc(0);
      throw error;
    }
  }
}

/** Entries lie in ascending order of offset. */
function findOffset(trailer: Buffer, offset: number): number {
  let low = 0;
  let high = trailer.length / CHUNK_HEADER_BYTES;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const found = trailer.readUInt32LE(middle * CHUNK_HEADER_BYTES);
    if (found === offset) return middle * CHUNK_HEADER_BYTES;
    if (found < offset) low = middle + 1;
    else high = middle;
  }
  return -1;
}
