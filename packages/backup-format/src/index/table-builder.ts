import type { CallOptions } from '@onevault/base';
import { type RandomBytes, tableKey } from '../format/ids.ts';
import {
  ENTRIES_PER_PAGE,
  ENTRY_BYTES,
  encodeTableFooter,
  FENCE_ITEM_BYTES,
  PACK_ITEM_BYTES,
  PACKS_PER_PAGE,
  sealTablePage,
  TABLE_ITEMS_AT,
  TABLE_PAGE_BYTES,
  TABLE_TAG_BYTES,
  type TableIdentity,
  type TablePageKind,
  tableSum,
} from '../format/table-layout.ts';
import type { ObjectStore, ObjectWriter } from '../store/object-store.ts';

/** Pages gathered before they are written: few calls, and the event loop gets its turn between two of them. */
const PAGES_PER_WRITE = 64;

/**
 * Writes one index table from entries in ascending order of digest, however many: `add` them all (and `drain` when it says so), `finish`, `commit`.
 * Memory: 256 KiB, and 8 bytes for every 92 entries. Whoever opened it ends it with `commit` or `abort`.
 */
export class TableBuilder {
  readonly #writer: ObjectWriter;
  readonly #table: TableIdentity;
  readonly #tag: Uint8Array;
  readonly #entries: PageStream;
  readonly #options: CallOptions;

  private constructor(writer: ObjectWriter, table: TableIdentity, tag: Uint8Array, options: CallOptions) {
    this.#writer = writer;
    this.#table = table;
    this.#tag = tag;
    this.#options = options;
    this.#entries = new PageStream(table, 'entries', 0, tag);
  }

  static async open(store: ObjectStore, table: TableIdentity, deps: { readonly randomBytes: RandomBytes }, options: CallOptions): Promise<TableBuilder> {
    const writer = await store.create(tableKey(table.tableId), options);
    return new TableBuilder(writer, table, deps.randomBytes(TABLE_TAG_BYTES), options);
  }

  get entries(): number {
    return this.#entries.items;
  }

  /** Takes the 32 bytes of digest at `at` of `source`. True when `drain` must be called before the next one. */
  add(source: Buffer, at: number, packNumber: number, offset: number, storedBytes: number): boolean {
    const target = this.#entries.buffer;
    const to = this.#entries.take();
    source.copy(target, to, at, at + 32);
    target.writeUInt32LE(packNumber, to + 32);
    target.writeUInt32LE(offset, to + 36);
    target.writeUInt32LE(storedBytes, to + 40);
    return this.#entries.full;
  }

  drain(): Promise<void> {
    return this.#entries.drain(this.#writer, this.#options);
  }

  /** Writes the rest: `packs` as pack items in the order of their numbers. */
  async finish(packs: Iterable<Buffer>): Promise<void> {
    const entries = this.#entries;
    await entries.end(this.#writer, this.#options);
    const items = new PageStream(this.#table, 'packs', entries.pages, this.#tag);
    for (const pack of packs) {
      pack.copy(items.buffer, items.take());
      if (items.full) await items.drain(this.#writer, this.#options);
    }
    await items.end(this.#writer, this.#options);
    const fence = entries.fence;
    const footer = encodeTableFooter(this.#table, {
      repositoryId: this.#table.repositoryId,
      tag: this.#tag,
      entries: entries.items,
      entryPages: entries.pages,
      packs: items.items,
      packPages: items.pages,
      fenceSha256: tableSum(this.#table, fence),
    });
    await this.#writer.write([fence, footer], this.#options);
  }

  commit(): Promise<void> {
    return this.#writer.commit(this.#options);
  }

  abort(): Promise<void> {
    return this.#writer.abort();
  }
}

/** Turns items into pages of one kind, in memory that is written and used again. */
class PageStream {
  items = 0;
  pages = 0;
  readonly buffer = Buffer.alloc(PAGES_PER_WRITE * TABLE_PAGE_BYTES);
  readonly #table: TableIdentity;
  readonly #kind: TablePageKind;
  readonly #firstPage: number;
  readonly #tag: Uint8Array;
  readonly #perPage: number;
  readonly #itemBytes: number;
  /** Finished pages at the beginning of the buffer, and items in the page behind them. */
  #ready = 0;
  #open = 0;
  #fence = Buffer.alloc(1024 * FENCE_ITEM_BYTES);

  constructor(table: TableIdentity, kind: TablePageKind, firstPage: number, tag: Uint8Array) {
    this.#table = table;
    this.#kind = kind;
    this.#firstPage = firstPage;
    this.#tag = tag;
    this.#perPage = kind === 'entries' ? ENTRIES_PER_PAGE : PACKS_PER_PAGE;
    this.#itemBytes = kind === 'entries' ? ENTRY_BYTES : PACK_ITEM_BYTES;
  }

  /** Where in `buffer` the next item goes; the caller puts it there at once. */
  take(): number {
    if (this.#open === this.#perPage) this.#seal();
    const at = this.#ready * TABLE_PAGE_BYTES + TABLE_ITEMS_AT + this.#open * this.#itemBytes;
    this.#open += 1;
    this.items += 1;
    return at;
  }

  get full(): boolean {
    return this.#ready === PAGES_PER_WRITE - 1 && this.#open === this.#perPage;
  }

  /** The beginning of the first item of every page. */
  get fence(): Buffer {
    return this.#fence.subarray(0, this.pages * FENCE_ITEM_BYTES);
  }

  async drain(writer: ObjectWriter, options: CallOptions): Promise<void> {
    if (this.#open === this.#perPage) this.#seal();
    await this.#write(writer, options);
  }

  async end(writer: ObjectWriter, options: CallOptions): Promise<void> {
    if (this.#open > 0) this.#seal();
    await this.#write(writer, options);
  }

  async #write(writer: ObjectWriter, options: CallOptions): Promise<void> {
    if (this.#ready === 0) return;
    await writer.write([this.buffer.subarray(0, this.#ready * TABLE_PAGE_BYTES)], options);
    this.buffer.fill(0);
    this.#ready = 0;
  }

  #seal(): void {
    const start = this.#ready * TABLE_PAGE_BYTES;
    const page = this.buffer.subarray(start, start + TABLE_PAGE_BYTES);
    const fenceAt = this.pages * FENCE_ITEM_BYTES;
    if (fenceAt === this.#fence.length) this.#fence = Buffer.concat([this.#fence, Buffer.alloc(this.#fence.length)]);
    page.copy(this.#fence, fenceAt, TABLE_ITEMS_AT, TABLE_ITEMS_AT + FENCE_ITEM_BYTES);
    sealTablePage(this.#table, page, this.#kind, this.#firstPage + this.pages, this.#tag, this.#open);
    this.pages += 1;
    this.#ready += 1;
    this.#open = 0;
  }
}
