import type { CallOptions } from '@onevault/base';
import { atPlace, RepositoryError } from '../errors.ts';
import { asBuffer, toHex } from '../format/bytes.ts';
import { tableKey } from '../format/ids.ts';
import type { StructureOwner } from '../format/structure-sum.ts';
import {
  decodeTableFooter,
  decodeTablePage,
  ENTRY_BYTES,
  FENCE_ITEM_BYTES,
  fenceOffset,
  PACK_ITEM_BYTES,
  PACKS_PER_PAGE,
  TABLE_FOOTER_BYTES,
  TABLE_PAGE_BYTES,
  type TableFooter,
  type TableIdentity,
  type TablePage,
  type TablePageKind,
  tableSum,
} from '../format/table-layout.ts';
import type { LruCache } from '../lru-cache.ts';
import type { ObjectStore } from '../store/object-store.ts';

/** 256 KiB, 5888 entries: long reads, and little memory when many tables are read side by side. */
export const PAGES_PER_READ = 64;

/** Where a chunk lies; `offset` is that of its header. */
export interface ChunkLocation {
  readonly packId: string;
  readonly packBytes: number;
  readonly offset: number;
  readonly storedBytes: number;
}

/** How pages of all tables share one bounded memory. */
export type PageCache = LruCache<TablePage>;

/** One index table, searched where it lies: the fence in memory (8 bytes for 92 entries), pages through the shared cache. */
export class IndexTable {
  readonly id: string;
  readonly key: string;
  readonly footer: TableFooter;
  readonly #identity: TableIdentity;
  readonly #store: ObjectStore;
  readonly #fence: Buffer;
  readonly #cache: PageCache;

  private constructor(store: ObjectStore, cache: PageCache, identity: TableIdentity, footer: TableFooter, fence: Buffer) {
    this.#store = store;
    this.#cache = cache;
    this.id = identity.tableId;
    this.key = tableKey(identity.tableId);
    this.#identity = identity;
    this.footer = footer;
    this.#fence = fence;
  }

  /** Throws REPO_INDEX_INVALID, REPO_OBJECT_MISSING. */
  static async open(store: ObjectStore, cache: PageCache, owner: StructureOwner, id: string, options: CallOptions = {}): Promise<IndexTable> {
    const key = tableKey(id);
    const identity = { ...owner, tableId: id };
    const found = await store.stat(key, options);
    if (!found) throw new RepositoryError({ code: 'REPO_OBJECT_MISSING', message: `${key} is not in the repository`, details: { key } });
    const footerAt = found.sizeBytes - TABLE_FOOTER_BYTES;
    if (footerAt < 0)
      throw new RepositoryError({ code: 'REPO_INDEX_INVALID', message: `the index table ${key} is truncated to ${found.sizeBytes} bytes`, details: { key } });
    const footerBytes = await store.get(key, { ...options, range: { offset: footerAt, length: TABLE_FOOTER_BYTES } });
    const footer = atPlace({ key }, () => decodeTableFooter(identity, footerBytes, found.sizeBytes));
    const range = { offset: fenceOffset(footer), length: footer.entryPages * FENCE_ITEM_BYTES };
    const fence = await store.get(key, { ...options, range });
    if (!tableSum(identity, fence).equals(footer.fenceSha256))
      throw new RepositoryError({ code: 'REPO_INDEX_INVALID', message: `the index table ${key} fails the checksum of its fence`, details: { key, ...range } });
    return new IndexTable(store, cache, identity, footer, asBuffer(fence));
  }

  /** Where this table says the chunk lies. Throws what `page` throws when the page that would hold it is damaged. */
  async find(digest: Uint8Array, options: CallOptions = {}): Promise<ChunkLocation | undefined> {
    const wanted = asBuffer(digest);
    for (let number = this.#lastPageNotAfter(wanted); number >= 0; number--) {
      const page = await this.page('entries', number, options);
      const at = search(page, wanted);
      if (at >= 0) return this.#location(page.items.subarray(at, at + ENTRY_BYTES), options);
      // Only digests that share their first 8 bytes with the page's first one can lie in the page before.
      if (page.items.compare(wanted, 0, 32, 0, 32) <= 0) return undefined;
    }
    return undefined;
  }

  /** Throws REPO_INDEX_INVALID when the page is damaged; the error names its bytes. */
  async page(kind: TablePageKind, number: number, options: CallOptions = {}): Promise<TablePage> {
    const cacheKey = `${this.id}/${number}`;
    const cached = this.#cache.get(cacheKey);
    if (cached) return cached;
    const range = { offset: number * TABLE_PAGE_BYTES, length: TABLE_PAGE_BYTES };
    const bytes = await this.#store.get(this.key, { ...options, range });
    const page = atPlace({ key: this.key, ...range }, () => decodeTablePage(this.#identity, kind, number, this.footer.tag, bytes));
    this.#cache.set(cacheKey, page);
    return page;
  }

  /** Pages of one kind from the `first` of that kind on, read at once and past the cache: for those who read a table from end to end. Throws as `page` does. */
  async pages(kind: TablePageKind, first: number, options: CallOptions = {}): Promise<TablePage[]> {
    const all = kind === 'entries' ? this.footer.entryPages : this.footer.packPages;
    const start = kind === 'entries' ? first : this.footer.entryPages + first;
    const count = Math.min(PAGES_PER_READ, all - first);
    if (count <= 0) return [];
    const range = { offset: start * TABLE_PAGE_BYTES, length: count * TABLE_PAGE_BYTES };
    const bytes = await this.#store.get(this.key, { ...options, range });
    return Array.from({ length: count }, (_, n) => {
      const at = n * TABLE_PAGE_BYTES;
      const place = { key: this.key, offset: range.offset + at, length: TABLE_PAGE_BYTES };
      return atPlace(place, () => decodeTablePage(this.#identity, kind, start + n, this.footer.tag, bytes.subarray(at, at + TABLE_PAGE_BYTES)));
    });
  }

  /** The pack items of the table as they are stored, some at a time. */
  async *packItems(options: CallOptions = {}): AsyncGenerator<Buffer, void> {
    for (let first = 0; first < this.footer.packPages; first += PAGES_PER_READ) {
      for (const { count, items } of await this.pages('packs', first, options)) yield items.subarray(0, count * PACK_ITEM_BYTES);
    }
  }

  /** The packs that this table names. */
  async *packs(options: CallOptions = {}): AsyncGenerator<{ readonly packId: string; readonly packBytes: number; readonly chunks: number }, void> {
    for await (const items of this.packItems(options)) {
      for (let at = 0; at < items.length; at += PACK_ITEM_BYTES) yield { ...decodePackItem(items, at), chunks: items.readUInt32LE(at + 20) };
    }
  }

  async #location(entry: Buffer, options: CallOptions): Promise<ChunkLocation> {
    const packNumber = entry.readUInt32LE(32);
    if (packNumber >= this.footer.packs)
      throw new RepositoryError({
        code: 'REPO_INDEX_INVALID',
        message: `the index table ${this.key} names pack ${packNumber} of ${this.footer.packs}`,
        details: { key: this.key },
      });
    const page = await this.page('packs', this.footer.entryPages + Math.floor(packNumber / PACKS_PER_PAGE), options);
    const pack = decodePackItem(page.items, (packNumber % PACKS_PER_PAGE) * PACK_ITEM_BYTES);
    return { ...pack, offset: entry.readUInt32LE(36), storedBytes: entry.readUInt32LE(40) };
  }

  /** The last page whose first digest, as far as the fence shows it, is not after the digest. */
  #lastPageNotAfter(digest: Buffer): number {
    let low = 0;
    let high = this.footer.entryPages;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = middle * FENCE_ITEM_BYTES;
      if (this.#fence.compare(digest, 0, FENCE_ITEM_BYTES, at, at + FENCE_ITEM_BYTES) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

function decodePackItem(items: Buffer, at: number): { readonly packId: string; readonly packBytes: number } {
  return { packId: toHex(items.subarray(at, at + 16)), packBytes: items.readUInt32LE(at + 16) };
}

/** Offset of the digest's entry among the sorted items, or -1. */
function search(page: TablePage, digest: Buffer): number {
  let low = 0;
  let high = page.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = middle * ENTRY_BYTES;
    const order = page.items.compare(digest, 0, 32, at, at + 32);
    if (order === 0) return at;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return -1;
}
