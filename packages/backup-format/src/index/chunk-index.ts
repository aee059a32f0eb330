import { type CallOptions, type Logger, serializeError } from '@onevault/base';
import { isRepositoryError, type RepositoryError } from '../errors.ts';
import { digestKey } from '../format/bytes.ts';
import { parseTableKey, TABLES_PREFIX } from '../format/ids.ts';
import { TABLE_PAGE_BYTES, type TablePage } from '../format/table-layout.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { LruCache } from './lru-cache.ts';
import { type ChunkLocation, IndexTable, type PageCache } from './table-reader.ts';

/** Memory of index pages for the whole repository, however many entries it has: 8192 pages, 750 000 entries. */
const INDEX_CACHE_BYTES = 32 * 1024 * 1024;
/** Damaged chunks remembered so that they are no dedup hit; beyond this many a repository needs verify and repair, not a backup. */
const MAX_SUSPECTS = 100_000;

/**
 * Digest to place, over all index tables, the newest first. What is damaged is logged once and counts as holding nothing (I9): a backup then stores
 * the chunk anew. Memory: the page cache, and 8 bytes for every 92 entries.
 */
export class ChunkIndex {
  readonly #store: ObjectStore;
  readonly #repositoryId: string;
  readonly #logger: Logger;
  readonly #except: ReadonlySet<string>;
  readonly #cache: PageCache = new LruCache<TablePage>(INDEX_CACHE_BYTES, () => TABLE_PAGE_BYTES);
  readonly #refused = new Set<string>();
  readonly #suspects = new Set<string>();
  #tables: IndexTable[] = [];
  #loading: Promise<void> | undefined;
  #problem: RepositoryError | undefined;

  /** `except`: keys of tables to leave out. */
  constructor(store: ObjectStore, repositoryId: string, logger: Logger, except: ReadonlySet<string> = new Set()) {
    this.#store = store;
    this.#except = except;
    this.#repositoryId = repositoryId;
    this.#logger = logger;
  }

  /** The last damage met, if any: the likely cause when a chunk cannot be found. */
  get problem(): RepositoryError | undefined {
    return this.#problem;
  }

  get tables(): readonly IndexTable[] {
    return this.#tables;
  }

  async find(digest: Uint8Array, options: CallOptions = {}): Promise<ChunkLocation | undefined> {
    await (this.#loading ?? this.reload());
    for (const table of this.#tables) {
      try {
        const location = await table.find(digest, options);
        if (location) return location;
      } catch (error) {
        this.#note(table.key, error);
      }
    }
    return undefined;
  }

  /** Looks for tables that came or went since the last time. Shared by all who wait for it, so no single caller's signal ends it. */
  reload(): Promise<void> {
    this.#loading = this.#load();
    this.#loading.catch(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #load(): Promise<void> {
    const known = new Map(this.#tables.map((table) => [table.id, table]));
    const tables: IndexTable[] = [];
    for await (const { key } of this.#store.list(TABLES_PREFIX)) {
      const id = parseTableKey(key);
      if (id === undefined || this.#except.has(key)) continue;
      const table = known.get(id) ?? (await this.#open(id, key));
      if (table) tables.push(table);
    }
    this.#tables = tables.sort((a, b) => (a.id < b.id ? 1 : -1));
  }

  async #open(id: string, key: string): Promise<IndexTable | undefined> {
    try {
      return await IndexTable.open(this.#store, this.#cache, this.#repositoryId, id);
    } catch (error) {
      this.#note(key, error);
      return undefined;
    }
  }

  /** Damage is survived; what is not the repository's fault (an abort, a bug) is thrown on. */
  #note(key: string, error: unknown): void {
    if (!isRepositoryError(error)) throw error;
    this.#problem = error;
    const place = `${key}@${error.details.offset ?? ''}`;
    if (this.#refused.has(place)) return;
    this.#refused.add(place);
    this.#logger.warn({ key, error: serializeError(error) }, 'index table is damaged and counts as holding nothing there');
  }

  /** Remembers that the stored bytes of a chunk are damaged or gone: not a dedup hit until it was stored anew. */
  suspect(digest: Uint8Array): void {
    if (this.#suspects.size < MAX_SUSPECTS) this.#suspects.add(digestKey(digest));
  }

  isSuspect(digest: Uint8Array): boolean {
    return this.#suspects.size > 0 && this.#suspects.has(digestKey(digest));
  }

  /** The chunk was stored again and a newer table says where. */
  healed(digest: Uint8Array): void {
    if (this.#suspects.size > 0) this.#suspects.delete(digestKey(digest));
  }
}
