import type { CallOptions } from '@onevault/base';
import { packKey } from '../format/ids.ts';
import type { ChunkLocation } from '../index/table-reader.ts';
import { LruCache } from '../lru-cache.ts';
import type { ObjectStore } from '../store/object-store.ts';

/** Packs remembered at once: 4 TiB of them, about 8 MiB. One that was forgotten again costs another look. */
const MAX_PACKS = 65_536;

/**
 * Whether packs that an index table names are there, each looked for once. A table may appear late, from a run that was stopped until its lease was over,
 * and name packs that gc has deleted. For a run under a lease the answer holds until it ends: what is there and not condemned by the record that the run
 * has read is not deleted before.
 */
export class StandingPacks {
  readonly #store: ObjectStore;
  readonly #known = new LruCache<Promise<boolean>>(MAX_PACKS, () => 1);

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** True if the pack exists with the length that the index knows. One look is shared by all who wait for it, so no single caller's signal ends it. */
  async stands({ packId, packBytes }: Pick<ChunkLocation, 'packId' | 'packBytes'>, options: CallOptions = {}): Promise<boolean> {
    options.signal?.throwIfAborted();
    const known = this.#known.get(packId);
    if (known !== undefined) return known;
    const looking = this.#store.stat(packKey(packId)).then((found) => found?.sizeBytes === packBytes);
    this.#known.set(packId, looking);
    looking.catch(() => this.#known.delete(packId)); // the store may come back
    return looking;
  }
}
