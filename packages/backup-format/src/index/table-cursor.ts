import type { CallOptions } from '@onevault/base';
import { RepositoryError } from '../errors.ts';
import { ENTRY_BYTES, type TablePage } from '../format/table-layout.ts';
import { type IndexTable, PAGES_PER_READ } from './table-reader.ts';

/** The first 6 bytes of a digest fit a number exactly: nearly every comparison of two digests is one of two numbers. */
const PREFIX_BYTES = 6;

/**
 * Reads the entries of one table from the first to the last; the next pages are on their way while the ones at hand are used.
 * `next` before the first entry and whenever `step` says that there is none at hand. Memory: 512 KiB.
 */
export class TableCursor {
  readonly table: IndexTable;
  /** Which of the inputs it is; of equal digests the smaller number wins. */
  readonly input: number;
  /** The entry begins at `at` of `items`. */
  items: Buffer = Buffer.alloc(0);
  at = 0;
  prefix = -1;
  readonly #options: CallOptions;
  #end = 0;
  #pages: TablePage[] = [];
  #page = 0;
  #nextPage = 0;
  #ahead: Promise<TablePage[]> | undefined;

  constructor(table: IndexTable, input: number, options: CallOptions) {
    this.table = table;
    this.input = input;
    this.#options = options;
  }

  /** Goes to the next entry if its page is at hand. Throws REPO_INDEX_INVALID when the table is out of order. */
  step(): boolean {
    this.at += ENTRY_BYTES;
    if (this.at >= this.#end && !this.#turn()) return false;
    const prefix = this.items.readUIntBE(this.at, PREFIX_BYTES);
    if (prefix < this.prefix) throw this.unsorted();
    this.prefix = prefix;
    return true;
  }

  /** Fetches pages and goes to their first entry; false at the end. */
  async next(): Promise<boolean> {
    this.#pages = await (this.#ahead ?? this.#read());
    this.#page = 0;
    this.#end = 0;
    this.#ahead = this.#read();
    this.#ahead.catch(() => undefined); // told to whoever asks for these pages, if anyone does
    return this.#pages.length > 0 && this.step();
  }

  /** Waits for what it still reads, so that nothing goes on when the merge has failed. */
  async close(): Promise<void> {
    await this.#ahead?.catch(() => undefined);
  }

  unsorted(): RepositoryError {
    const { key } = this.table;
    return new RepositoryError({ code: 'REPO_INDEX_INVALID', message: `the index table ${key} is out of order`, details: { key } });
  }

  #read(): Promise<TablePage[]> {
    const first = this.#nextPage;
    this.#nextPage += PAGES_PER_READ;
    return this.table.pages('entries', first, this.#options);
  }

  #turn(): boolean {
    const page = this.#pages[this.#page];
    if (!page) return false;
    this.#page += 1;
    this.items = page.items;
    this.at = 0;
    this.#end = page.count * ENTRY_BYTES;
    return true;
  }
}
