import { createHash } from 'node:crypto';
import type { CallOptions } from '@onevault/base';
import { CHUNK_HEADER_BYTES } from '../format/chunk-header.ts';
import { type RandomBytes, tableKey } from '../format/ids.ts';
import {
  ENTRIES_PER_PAGE,
  ENTRY_BYTES,
  encodePackItem,
  encodeTableEntry,
  encodeTableFooter,
  encodeTablePage,
  FENCE_ITEM_BYTES,
  PACK_ITEM_BYTES,
  PACKS_PER_PAGE,
  TABLE_TAG_BYTES,
  type TablePageKind,
} from '../format/table-layout.ts';
import type { ObjectStore, ObjectWriter } from '../store/object-store.ts';

/** A pack as an index table describes it. */
export interface IndexedPack {
  readonly packId: string;
  readonly packBytes: number;
  /** Chunks in the pack. */
  readonly chunks: number;
  /** The entries to be listed, as the pack's trailer has them: all of them, or those that no table knows. */
  readonly trailer: Buffer;
}

/** Where one entry to be sorted comes from. */
interface EntryRef {
  readonly packNumber: number;
  readonly at: number;
}

/** Pages gathered before they are written: few system calls, and the event loop gets its turn between two of them. */
const PAGES_PER_WRITE = 64;

/**
 * Writes one index table for packs that are durable (I8). A digest that several of them hold is listed where the last of them has it.
 * Sorted bucket by bucket with a write in between, so that 100 000 entries never hold the event loop.
 */
export async function writeTable(
  store: ObjectStore,
  table: { readonly repositoryId: string; readonly tableId: string; readonly packs: readonly IndexedPack[] },
  deps: { readonly randomBytes: RandomBytes },
  options: CallOptions = {},
): Promise<void> {
  const writer = await store.create(tableKey(table.tableId), options);
  try {
    const tag = deps.randomBytes(TABLE_TAG_BYTES);
    const entries = new PageStream(writer, 'entries', 0, tag, options);
    for (const bucket of bucketsByFirstByte(table.packs)) {
      for (const ref of sortedUnique(bucket, table.packs)) await entries.add(entryItem(ref, table.packs));
    }
    await entries.end();
    const packs = new PageStream(writer, 'packs', entries.pages, tag, options);
    for (const pack of table.packs) await packs.add(packItem(pack));
    await packs.end();
    const fence = entries.fence();
    const footer = encodeTableFooter({
      repositoryId: table.repositoryId,
      tag,
      entries: entries.items,
      entryPages: entries.pages,
      packs: packs.items,
      packPages: packs.pages,
      fenceSha256: createHash('sha256').update(fence).digest(),
    });
    await writer.write([fence, footer], options);
    await writer.commit(options);
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

function bucketsByFirstByte(packs: readonly IndexedPack[]): EntryRef[][] {
  const buckets: EntryRef[][] = Array.from({ length: 256 }, () => []);
  for (const [packNumber, { trailer }] of packs.entries()) {
    for (let at = 0; at < trailer.length; at += CHUNK_HEADER_BYTES) buckets[trailer[at + 16] as number]?.push({ packNumber, at });
  }
  return buckets;
}

function sortedUnique(bucket: EntryRef[], packs: readonly IndexedPack[]): EntryRef[] {
  const compare = (a: EntryRef, b: EntryRef): number => digestOf(a, packs).compare(digestOf(b, packs));
  bucket.sort((a, b) => compare(a, b) || a.packNumber - b.packNumber || a.at - b.at);
  return bucket.filter((ref, i) => {
    const next = bucket[i + 1];
    return !next || compare(ref, next) !== 0;
  });
}

function trailerOf(ref: EntryRef, packs: readonly IndexedPack[]): Buffer {
  const pack = packs[ref.packNumber];
  if (!pack) throw new RangeError(`pack ${ref.packNumber} of ${packs.length}`);
  return pack.trailer;
}

function digestOf(ref: EntryRef, packs: readonly IndexedPack[]): Buffer {
  return trailerOf(ref, packs).subarray(ref.at + 16, ref.at + CHUNK_HEADER_BYTES);
}

function entryItem(ref: EntryRef, packs: readonly IndexedPack[]): Buffer {
  const trailer = trailerOf(ref, packs);
  const item = Buffer.allocUnsafe(ENTRY_BYTES);
  encodeTableEntry(item, 0, digestOf(ref, packs), {
    packNumber: ref.packNumber,
    offset: trailer.readUInt32LE(ref.at),
    storedBytes: trailer.readUInt32LE(ref.at + 12),
  });
  return item;
}

function packItem(pack: IndexedPack): Buffer {
  const item = Buffer.alloc(PACK_ITEM_BYTES);
  encodePackItem(item, 0, pack);
  return item;
}

/** Turns items into pages of one kind, written a few at a time. */
class PageStream {
  items = 0;
  pages = 0;
  readonly #writer: ObjectWriter;
  readonly #kind: TablePageKind;
  readonly #firstPage: number;
  readonly #tag: Uint8Array;
  readonly #options: CallOptions;
  readonly #perPage: number;
  readonly #fence: Buffer[] = [];
  #open: Buffer[] = [];
  #ready: Buffer[] = [];

  constructor(writer: ObjectWriter, kind: TablePageKind, firstPage: number, tag: Uint8Array, options: CallOptions) {
    this.#writer = writer;
    this.#kind = kind;
    this.#firstPage = firstPage;
    this.#tag = tag;
    this.#options = options;
    this.#perPage = kind === 'entries' ? ENTRIES_PER_PAGE : PACKS_PER_PAGE;
  }

  async add(item: Buffer): Promise<void> {
    this.items += 1;
    this.#open.push(item);
    if (this.#open.length === this.#perPage) this.#closePage();
    if (this.#ready.length === PAGES_PER_WRITE) await this.#write();
  }

  async end(): Promise<void> {
    if (this.#open.length > 0) this.#closePage();
    await this.#write();
  }

  fence(): Buffer {
    return Buffer.concat(this.#fence);
  }

  #closePage(): void {
    const items = Buffer.concat(this.#open);
    this.#ready.push(encodeTablePage(this.#kind, this.#firstPage + this.pages, this.#tag, items));
    this.#fence.push(items.subarray(0, FENCE_ITEM_BYTES));
    this.#open = [];
    this.pages += 1;
  }

  async #write(): Promise<void> {
    const ready = this.#ready;
    this.#ready = [];
    if (ready.length > 0) await this.#writer.write(ready, this.#options);
  }
}
