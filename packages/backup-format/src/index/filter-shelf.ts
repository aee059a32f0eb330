import { isAbort, type Logger, serializeError } from '@onevault/base';
import { ENTRY_BYTES } from '../format/table-layout.ts';
import { TableFilter } from './table-filter.ts';
import { type IndexTable, PAGES_PER_READ } from './table-reader.ts';

/** Memory of all filters together: 12 bits for each of 44 million entries, 5 bits at 100 million. */
const FILTER_BYTES = 64 * 1024 * 1024;
const BEST_BITS = 12;
/** With fewer bits an entry a filter lets a fifth of the others through: not worth reading the table for. */
const LEAST_BITS = 3.5;
/** Smaller tables stay in the page cache anyway. */
const LEAST_PAGES = 2048;
/** A filter is made after one lookup in vain for so many pages: reading the table costs about 6 % of what the new data behind these lookups costs to store (1 MiB blocks). */
const PAGES_PER_MISS = 16;

/**
 * Filters of the large tables, made in the background for whoever looks up much that is not there (a full backup), and kept in bounded memory.
 * An incremental never pays for one.
 */
export class FilterShelf implements AsyncDisposable {
  readonly #filters = new Map<string, TableFilter>();
  readonly #misses = new Map<string, number>();
  readonly #logger: Logger;
  readonly #end = new AbortController();
  readonly #budget: number;
  readonly #leastPages: number;
  #building: Promise<void> | undefined;

  constructor(logger: Logger, limits: { readonly bytes?: number; readonly leastPages?: number } = {}) {
    this.#logger = logger;
    this.#budget = limits.bytes ?? FILTER_BYTES;
    this.#leastPages = limits.leastPages ?? LEAST_PAGES;
  }

  /** False when the table surely does not hold the digest; true also when nothing is known of it. */
  mayHold(table: IndexTable, digest: Uint8Array): boolean {
    return this.#filters.get(table.id)?.mayHold(digest) ?? true;
  }

  /** The table was searched in vain. */
  missed(table: IndexTable): void {
    const pages = table.footer.entryPages;
    if (pages < this.#leastPages || this.#filters.has(table.id)) return;
    const misses = (this.#misses.get(table.id) ?? 0) + 1;
    this.#misses.set(table.id, misses);
    if (misses >= pages / PAGES_PER_MISS && !this.#building) this.#start(table);
  }

  /** Forgets tables that are gone. */
  retain(ids: ReadonlySet<string>): void {
    for (const id of [...this.#filters.keys(), ...this.#misses.keys()]) {
      if (ids.has(id)) continue;
      this.#filters.delete(id);
      this.#misses.delete(id);
    }
  }

  /** Resolves when no filter is being made. */
  async idle(): Promise<void> {
    await this.#building;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#building;
  }

  #start(table: IndexTable): void {
    const { entries } = table.footer;
    const bytes = Math.floor(Math.min((entries * BEST_BITS) / 8, this.#budget - this.#used()));
    // Not tried again: a table that is damaged, or for which there is no room, is searched page by page.
    this.#misses.set(table.id, Number.NEGATIVE_INFINITY);
    if (bytes * 8 < entries * LEAST_BITS || this.#end.signal.aborted) return;
    this.#building = this.#build(table, new TableFilter(entries, bytes)).finally(() => {
      this.#building = undefined;
    });
  }

  async #build(table: IndexTable, filter: TableFilter): Promise<void> {
    try {
      for (let first = 0; first < table.footer.entryPages; first += PAGES_PER_READ) {
        for (const { count, items } of await table.pages('entries', first, { signal: this.#end.signal })) {
          for (let at = 0; at < count * ENTRY_BYTES; at += ENTRY_BYTES) filter.add(items, at);
        }
      }
      this.#end.signal.throwIfAborted();
      this.#filters.set(table.id, filter);
    } catch (error) {
      if (!isAbort(error)) this.#logger.debug({ key: table.key, error: serializeError(error) }, 'an index table is searched without a filter');
    }
  }

  #used(): number {
    return [...this.#filters.values()].reduce((sum, filter) => sum + filter.bytes, 0);
  }
}
