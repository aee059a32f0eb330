import type { CallOptions } from '@onevault/base';
import type { ChunkCodecs } from '../codec/chunk-codec.ts';
import { isRepositoryError, RepositoryError, withPlace } from '../errors.ts';
import { toHex } from '../format/bytes.ts';
import { CHUNK_HEADER_BYTES } from '../format/chunk-header.ts';
import { packKey } from '../format/ids.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import type { ChunkLocation } from '../index/table-reader.ts';
import type { ObjectStore } from '../store/object-store.ts';

export interface WantedChunk {
  readonly digest: Uint8Array;
  /** What the disk index says the chunk must decode to, where one says so. */
  readonly plainBytes?: number;
}

const MAX_MISSING = 10_000;

/** Damage to what is stored, as opposed to a store that fails at the moment. */
export function isDamage(error: unknown): error is RepositoryError {
  return isRepositoryError(error, 'REPO_CHUNK_CORRUPT', 'REPO_CHUNK_MISSING', 'REPO_PAGE_CORRUPT');
}

/** Finds, reads and checks single chunks. What turns out to be damaged is remembered in the index, so that no later backup relies on it. */
export class ChunkReader {
  readonly #store: ObjectStore;
  readonly #index: ChunkIndex;
  readonly #codecs: ChunkCodecs;
  /** Packs found to be gone, after which the tables were looked for again. */
  readonly #missing = new Set<string>();

  constructor(store: ObjectStore, index: ChunkIndex, codecs: ChunkCodecs) {
    this.#store = store;
    this.#index = index;
    this.#codecs = codecs;
  }

  /** Throws REPO_CHUNK_MISSING when no table knows the chunk, also after looking for new tables. */
  async locate(digest: Uint8Array, options: CallOptions = {}): Promise<ChunkLocation> {
    let location = await this.#index.find(digest, options);
    if (!location) {
      await this.#index.reload(); // another process may have committed since
      location = await this.#index.find(digest, options);
    }
    if (location) return location;
    this.#index.suspect(digest);
    const cause = this.#index.problem;
    throw new RepositoryError({
      code: 'REPO_CHUNK_MISSING',
      message: `no index table knows the chunk ${toHex(digest)}`,
      details: { digest: toHex(digest) },
      hint: cause ? 'an index table is damaged; repair makes it again from the packs' : 'run verify; the next backup that meets the same data stores it again',
      ...(cause ? { cause } : {}),
    });
  }

  async load(wanted: WantedChunk, options: CallOptions = {}): Promise<Uint8Array> {
    return this.loadAt(wanted, await this.locate(wanted.digest, options), options);
  }

  loadAt(wanted: WantedChunk, location: ChunkLocation, options: CallOptions = {}): Promise<Uint8Array> {
    return this.#loadAt(wanted, location, new Set(), options);
  }

  async #loadAt(wanted: WantedChunk, location: ChunkLocation, gone: Set<string>, options: CallOptions): Promise<Uint8Array> {
    let stored: Uint8Array;
    const range = { offset: location.offset, length: CHUNK_HEADER_BYTES + location.storedBytes };
    try {
      stored = await this.#store.get(packKey(location.packId), { ...options, range });
    } catch (error) {
      const moved = isRepositoryError(error, 'REPO_OBJECT_MISSING') && (await this.#moved(wanted, location, gone, options));
      if (moved) return this.#loadAt(wanted, moved, gone, options);
      throw this.damaged(wanted, location, error);
    }
    return this.decode(wanted, location, stored);
  }

  /**
   * Where else the chunk lies by now: gc rewrites packs, and deletes one only when no table names it any more; but a table that came late may name packs that
   * are gone, and hide the older place of a chunk that lies elsewhere too.
   */
  async #moved(wanted: WantedChunk, location: ChunkLocation, gone: Set<string>, options: CallOptions): Promise<ChunkLocation | undefined> {
    gone.add(location.packId);
    if (!this.#missing.has(location.packId)) await this.#index.reload();
    if (this.#missing.size < MAX_MISSING) this.#missing.add(location.packId);
    return this.#index.find(wanted.digest, { ...options, notIn: gone });
  }

  /** Whether the store itself has the chunk whole at exactly this place, and not perhaps elsewhere. A store that fails is thrown on. */
  async isWholeAt(wanted: WantedChunk, location: ChunkLocation, options: CallOptions = {}): Promise<boolean> {
    const range = { offset: location.offset, length: CHUNK_HEADER_BYTES + location.storedBytes };
    try {
      await this.#codecs.decode(await this.#store.get(packKey(location.packId), { ...options, range, uncached: true }), wanted);
      return true;
    } catch (error) {
      const meaning = this.damaged(wanted, location, error);
      if (isDamage(meaning)) return false;
      throw meaning;
    }
  }

  /** Checks bytes that were read from `location`. Throws REPO_CHUNK_CORRUPT naming the pack and the bytes in it. */
  async decode(wanted: WantedChunk, location: ChunkLocation, stored: Uint8Array): Promise<Uint8Array> {
    try {
      return await this.#codecs.decode(stored, wanted);
    } catch (error) {
      throw this.damaged(wanted, location, error);
    }
  }

  /** An error of reading or decoding as what it means for this chunk; a store that merely fails is passed through. */
  damaged(wanted: WantedChunk, location: ChunkLocation, cause: unknown): unknown {
    const place = { key: packKey(location.packId), offset: location.offset, length: CHUNK_HEADER_BYTES + location.storedBytes, digest: toHex(wanted.digest) };
    if (isRepositoryError(cause, 'REPO_CHUNK_CORRUPT')) {
      this.#index.suspect(wanted.digest);
      return withPlace(cause, place);
    }
    if (!isRepositoryError(cause, 'REPO_OBJECT_MISSING', 'REPO_OBJECT_TRUNCATED')) return cause;
    this.#index.suspect(wanted.digest);
    return new RepositoryError({ code: 'REPO_CHUNK_MISSING', message: `the chunk ${place.digest} is gone: ${cause.message}`, details: place, cause });
  }
}
