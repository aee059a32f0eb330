import type { CallOptions } from '@onevault/base';
import { CHUNK_HEADER_BYTES } from '../format/chunk-header.ts';
import type { RandomBytes } from '../format/ids.ts';
import { encodePackItem, PACK_ITEM_BYTES, type TableIdentity } from '../format/table-layout.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { TableBuilder } from './table-builder.ts';

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

/**
 * Writes one index table for packs that are durable (I8). A digest that several of them hold is listed where the last of them has it.
 * Sorted bucket by bucket with a write in between, so that 100 000 entries never hold the event loop.
 */
export async function writeTable(
  store: ObjectStore,
  table: TableIdentity & { readonly packs: readonly IndexedPack[] },
  deps: { readonly randomBytes: RandomBytes },
  options: CallOptions = {},
): Promise<void> {
  const { packs } = table;
  const builder = await TableBuilder.open(store, table, deps, options);
  try {
    for (const bucket of bucketsByFirstByte(packs)) {
      for (const ref of sortedUnique(bucket, packs)) {
        const trailer = trailerOf(ref, packs);
        const full = builder.add(trailer, ref.at + 16, ref.packNumber, trailer.readUInt32LE(ref.at), trailer.readUInt32LE(ref.at + 12));
        if (full) await builder.drain();
      }
    }
    await builder.finish(packs.map(packItem));
    await builder.commit();
  } catch (error) {
    await builder.abort();
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

function packItem(pack: IndexedPack): Buffer {
  const item = Buffer.alloc(PACK_ITEM_BYTES);
  encodePackItem(item, 0, pack);
  return item;
}
