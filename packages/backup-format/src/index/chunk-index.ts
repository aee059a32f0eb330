import { type CallOptions, type Logger, serializeError } from '@onevault/base';
import { isRepositoryError, type RepositoryError } from '../errors.ts';
import { digestKey } from '../format/bytes.ts';
import { parseTableKey, TABLES_PREFIX } from '../format/ids.ts';
import type { StructureOwner } from '../format/structure-sum.ts';
import { TABLE_PAGE_BYTES, type TablePage } from '../format/table-layout.ts';
import { LruCache } from '../lru-cache.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { FilterShelf } from './filter-shelf.ts';
import { type ChunkLocation, IndexTable, type PageCache } from './table-reader.ts';

/** Memory of index pages for the whole repository, however many entries it has: 8192 pages, 750 000 entries. */
const INDEX_CACHE_BYTES = 32 * 1024 * 1024;
/** Damaged chunks remembered so that they are no dedup hit; beyond this many a repository needs verify and repair, not a backup. */
const MAX_SUSPECTS = 100_000;
/** Merges that may come in between a look at the tables and their use; each of them makes the tables fewer. */
const MAX_RELOADS = 10;

/**
 * Digest to place, over all index tables, the newest first. Tables that a merge has deleted are looked for again, and nobody notices. What is damaged is
 * logged once and counts as holding nothing (I9): a backup then stores the chunk anew.
 * Memory: the page cache, 8 bytes for every 92 entries, and the filters of large tables (64 MiB at most), made when much is looked up in vain.
 */
export class ChunkIndex implements AsyncDisposable {
  readonly #store: ObjectStore;
  readonly #owner: StructureOwner;
  readonly #logger: Logger;
  readonly #except: ReadonlySet<string>;
  readonly #cache: PageCache = new LruCache<TablePage>(INDEX_CACHE_BYTES, () => TABLE_PAGE_BYTES);
  readonly #filters: FilterShelf;
  readonly #refused = new Set<string>();
  readonly #suspects = new Set<string>();
  #tables: readonly IndexTable[] = [];
  /** The greatest id listed, also of a table that cannot be read. */
  #newest: string | undefined;
  #loaded = false;
  #loading: Promise<void> | undefined;
  #queued: Promise<void> | undefined;
  #problem: RepositoryError | undefined;

  /** `except`: keys of tables to leave out. */
  constructor(store: ObjectStore, owner: StructureOwner, logger: Logger, except: ReadonlySet<string> = new Set()) {
    this.#store = store;
    this.#except = except;
    this.#owner = owner;
    this.#logger = logger;
    this.#filters = new FilterShelf(logger);
  }

  /** The last damage met, if any: the likely cause when a chunk cannot be found. */
  get problem(): RepositoryError | undefined {
    return this.#problem;
  }

  /** The newest first. */
  get tables(): readonly IndexTable[] {
    return this.#tables;
  }

  get newestId(): string | undefined {
    return this.#newest;
  }

  /** Filters of large tables, and whether one is being made. */
  get filters(): FilterShelf {
    return this.#filters;
  }

  /** The newest place of a chunk; with `notIn` the newest that is in none of these packs. */
  async find(digest: Uint8Array, options: CallOptions & { readonly notIn?: ReadonlySet<string> } = {}): Promise<ChunkLocation | undefined> {
    if (!this.#loaded) await this.reload();
    for (let reloads = 0; ; reloads++) {
      const found = await this.#search(digest, reloads < MAX_RELOADS, options);
      if (found !== 'merged') return found;
      await this.reload();
    }
  }

  /** `merged` when a table has gone since it was listed, which `mayBeMerged` allows. */
  async #search(
    digest: Uint8Array,
    mayBeMerged: boolean,
    options: CallOptions & { readonly notIn?: ReadonlySet<string> },
  ): Promise<ChunkLocation | 'merged' | undefined> {
    for (const table of this.#tables) {
      if (!this.#filters.mayHold(table, digest)) continue;
      try {
        const location = await table.find(digest, options);
        if (location && !options.notIn?.has(location.packId)) return location;
        if (!location) this.#filters.missed(table);
      } catch (error) {
        if (mayBeMerged && isRepositoryError(error, 'REPO_OBJECT_MISSING')) return 'merged';
        this.#note(table.key, error);
      }
    }
    return undefined;
  }

  /**
   * Looks for tables that came or went since the last time: what is durable when this is called is known when it resolves. Shared by all who wait for it,
   * so no single caller's signal ends it.
   */
  reload(): Promise<void> {
    // A look that has begun may have passed the place of what the caller knows to be there: the next one begins when it has ended.
    this.#queued ??= this.#loadAfter(this.#loading);
    return this.#queued;
  }

  async #loadAfter(loading: Promise<void> | undefined): Promise<void> {
    await loading?.catch(() => undefined);
    this.#loading = this.#load();
    this.#queued = undefined;
    await this.#loading;
  }

  async #load(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const tables = await this.#openAll(await this.#settledList(), attempt < MAX_RELOADS);
      if (!tables) continue;
      this.#tables = tables;
      this.#filters.retain(new Set(tables.map(({ id }) => id)));
      this.#loaded = true;
      return;
    }
  }

  /**
   * The ids of all tables, the newest first. A listing need not show what is written while it runs, and a merge writes one table and deletes others: only
   * a listing that shows the same as the one before is believed.
   */
  async #settledList(): Promise<readonly string[]> {
    let before: string | undefined;
    for (let attempt = 0; ; attempt++) {
      const ids: string[] = [];
      for await (const { key } of this.#store.list(TABLES_PREFIX)) {
        const id = parseTableKey(key);
        if (id !== undefined) ids.push(id);
      }
      const newest = ids.at(-1);
      if (newest !== undefined && newest > (this.#newest ?? '')) this.#newest = newest;
      const all = ids.join();
      if (all === before || attempt === MAX_RELOADS) return ids.reverse();
      before = all;
    }
  }

  /** Undefined when a table has gone since it was listed. */
  async #openAll(ids: readonly string[], mayBeMerged: boolean): Promise<IndexTable[] | undefined> {
    const known = new Map(this.#tables.map((table) => [table.id, table]));
    const tables: IndexTable[] = [];
    for (const id of ids) {
      const key = `${TABLES_PREFIX}${id}`;
      if (this.#except.has(key)) continue;
      try {
        tables.push(known.get(id) ?? (await IndexTable.open(this.#store, this.#cache, this.#owner, id)));
      } catch (error) {
        if (mayBeMerged && isRepositoryError(error, 'REPO_OBJECT_MISSING')) return undefined;
        this.#note(key, error);
      }
    }
    return tables;
  }

  /** Damage is survived; a store that fails, an abort, a bug are not damage and are thrown on. */
  #note(key: string, error: unknown): void {
    if (!isRepositoryError(error, 'REPO_INDEX_INVALID', 'REPO_OBJECT_MISSING', 'REPO_OBJECT_TRUNCATED')) throw error;
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

  /** Ends what is done in the background. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#filters[Symbol.asyncDispose]();
  }
}
