import type { CallOptions } from '@onevault/base';
import { isRepositoryError, RepositoryError } from '../errors.ts';
import { packKey, parseTableKey, TABLES_PREFIX, tableKey } from '../format/ids.ts';
import { ENTRY_BYTES, TABLE_PAGE_BYTES, type TablePage } from '../format/table-layout.ts';
import { IndexTable } from '../index/table-reader.ts';
import { LruCache } from '../lru-cache.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { type DigestRange, type DigestSet, rangeBounds } from './digest-set.ts';
import type { PackTable } from './pack-table.ts';

export type CountParts = Pick<RepositoryParts, 'store' | 'owner' | 'index'>;

/** Is told where each needed chunk is to be kept. */
export interface HomeSink {
  /** Everything told before does not count: the tables were merged meanwhile. */
  restart(): void;
  /** `pack` is its place in the pack table. */
  home(pack: number, offset: number, storedBytes: number): void;
}

/** Instead of a place in the pack table: the pack came after it was made, or is not there at all. */
const NEWER = -1;
const GONE = -2;

/** How often the tables may be merged by others while they are read. */
const MAX_DISTURBANCES = 8;

/**
 * Finds for each needed chunk the one place where it is to be kept: in the newest table that has it in a pack which is not condemned, else in a condemned
 * pack, which is needed again by that. Reads each table once, or the part that `range` asks for. Throws REPO_CHUNK_MISSING when a needed chunk is in no
 * table, and REPO_INDEX_INVALID for a damaged table: packs that are needed would look as if they were not.
 */
export async function countUse(
  parts: CountParts,
  packs: PackTable,
  chunks: DigestSet,
  range: DigestRange,
  sink: HomeSink,
  options: CallOptions,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    sink.restart();
    chunks.resetFound();
    try {
      return await new UseCount(parts, packs, chunks, range, sink, options).run();
    } catch (error) {
      const merged = isRepositoryError(error, 'REPO_OBJECT_MISSING') && parseTableKey(error.details.key ?? '') !== undefined;
      if (!merged || attempt >= MAX_DISTURBANCES) throw error;
    }
  }
}

class UseCount {
  readonly #parts: CountParts;
  readonly #packs: PackTable;
  readonly #chunks: DigestSet;
  readonly #sink: HomeSink;
  readonly #options: CallOptions;
  readonly #low: number;
  readonly #high: number;
  /** Packs that the listing does not have: NEWER or GONE. */
  readonly #unlisted = new Map<string, number>();

  constructor(parts: CountParts, packs: PackTable, chunks: DigestSet, range: DigestRange, sink: HomeSink, options: CallOptions) {
    const { low, high } = rangeBounds(range);
    this.#parts = parts;
    this.#packs = packs;
    this.#chunks = chunks;
    this.#sink = sink;
    this.#options = options;
    this.#low = low;
    this.#high = high;
  }

  async run(): Promise<void> {
    const tables = await this.#tables();
    const left = (): boolean => this.#chunks.foundSize < this.#chunks.size;
    const scanned = new Set<IndexTable>();
    for (const condemned of [false, true]) {
      for (const table of tables) {
        if (!left()) break;
        await this.#scan(table, condemned);
        scanned.add(table);
      }
    }
    // Also what nobody needs must not be named when it is gone: a later run would meet it.
    for (const table of tables) if (!scanned.has(table)) await this.#packNumbers(table);
    if (!left()) return;
    throw new RepositoryError({
      code: 'REPO_CHUNK_MISSING',
      message: `${this.#chunks.size - this.#chunks.foundSize} chunks that restore points need are in no index table`,
      hint: 'nothing was changed; rebuild the index with repair, and forget the restore points that verify says are lost',
    });
  }

  /** All tables, the newest first. One that cannot be opened is an error: the index itself would do without. */
  async #tables(): Promise<readonly IndexTable[]> {
    const { index, store, owner } = this.#parts;
    await index.reload();
    const { tables } = index;
    const open = new Set(tables.map(({ id }) => id));
    const cache = new LruCache<TablePage>(TABLE_PAGE_BYTES, () => TABLE_PAGE_BYTES);
    for await (const { key } of store.list(TABLES_PREFIX, this.#options)) {
      const id = parseTableKey(key);
      // What opens was written since, by a run whose packs are newer too.
      if (id !== undefined && !open.has(id)) await IndexTable.open(store, cache, owner, id, this.#options);
    }
    return tables;
  }

  async #scan(table: IndexTable, condemned: boolean): Promise<void> {
    const numbers = await this.#packNumbers(table);
    const { entryPages } = table.footer;
    for (let first = await this.#firstPage(table); first < entryPages; ) {
      this.#options.signal?.throwIfAborted();
      const pages = await table.pages('entries', first, this.#options);
      for (const page of pages) if (!this.#scanPage(table, page, numbers, condemned)) return;
      first += pages.length;
    }
  }

  /** False when the range ends in this page. */
  #scanPage(table: IndexTable, { items, count }: TablePage, numbers: Int32Array, condemned: boolean): boolean {
    const chunks = this.#chunks;
    for (let at = 0; at < count * ENTRY_BYTES; at += ENTRY_BYTES) {
      const prefix = items.readUInt32BE(at);
      if (prefix >= this.#high) return false;
      const slot = prefix < this.#low ? -1 : chunks.slot(items, at);
      if (slot < 0 || chunks.isFound(slot)) continue;
      const pack = numbers[items.readUInt32LE(at + 32)];
      if (pack === undefined) throw misnumbered(table);
      if (this.#isHome(pack, condemned)) {
        chunks.find(slot);
        if (pack >= 0) this.#sink.home(pack, items.readUInt32LE(at + 36), items.readUInt32LE(at + 40));
      }
    }
    return true;
  }

  #isHome(pack: number, condemned: boolean): boolean {
    return pack >= 0 ? this.#packs.mayHouse(pack, condemned) : pack === NEWER && !condemned;
  }

  /** A page at or before the first one that has a digest of the range. Digests are spread evenly, so it is found at once, or a little before. */
  async #firstPage(table: IndexTable): Promise<number> {
    const { entryPages } = table.footer;
    if (this.#low === 0) return 0;
    let guess = Math.floor((entryPages * this.#low) / 2 ** 32 - 4 * Math.sqrt(entryPages)) - 1;
    for (let step = 64; guess > 0; guess -= step, step *= 2) {
      const [page] = await table.pages('entries', guess, this.#options);
      if (!page || page.items.readUInt32BE(0) < this.#low) return guess;
    }
    return 0;
  }

  /** The packs of a table as places in the pack table. */
  async #packNumbers(table: IndexTable): Promise<Int32Array> {
    const numbers = new Int32Array(table.footer.packs);
    let number = 0;
    for await (const { packId } of table.packs(this.#options)) {
      const listed = this.#packs.indexOf(packId);
      numbers[number++] = listed >= 0 ? listed : await this.#unlistedPack(packId);
    }
    return numbers;
  }

  async #unlistedPack(packId: string): Promise<number> {
    const known = this.#unlisted.get(packId);
    if (known !== undefined) return known;
    const place = (await this.#parts.store.stat(packKey(packId), this.#options)) ? NEWER : GONE;
    this.#unlisted.set(packId, place);
    if (place === GONE) this.#packs.gone.add(packId);
    return place;
  }
}

function misnumbered({ id }: IndexTable): RepositoryError {
  const key = tableKey(id);
  return new RepositoryError({ code: 'REPO_INDEX_INVALID', message: `the index table ${key} names a pack that it does not list`, details: { key } });
}
