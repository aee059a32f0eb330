import { randomBytes } from 'node:crypto';
import { silentLogger } from '@onevault/base';
import { newHexId, newTimeId } from '../src/format/ids.ts';
import { plainSum, type StructureOwner } from '../src/format/structure-sum.ts';
import { encodePackItem, PACK_ITEM_BYTES } from '../src/format/table-layout.ts';
import { ChunkIndex } from '../src/index/chunk-index.ts';
import { type MergeReport, mergeTables } from '../src/index/merge-tables.ts';
import { TableBuilder } from '../src/index/table-builder.ts';
import type { ObjectStore } from '../src/index.ts';

const OWNER: StructureOwner = { repositoryId: 'ab'.repeat(16), sum: plainSum };
/** 64 MiB of blocks of 1 MiB. */
const CHUNKS_PER_PACK = 64;
const CHUNK_BYTES = 1 << 20;
const FIRST_TABLE_MS = Date.UTC(2026, 10, 22, 19, 0, 0);
const U32 = 2 ** 32;

/**
 * The `i`-th of `entries` digests in ascending order: spread evenly over all there can be, at a chance place between its neighbours, the rest of its bytes
 * by chance. `salt` 0 are those that a synthetic index lists, any other one makes digests that it does not.
 */
export function syntheticDigest(i: number, entries: number, salt = 0): Buffer {
  const digest = Buffer.allocUnsafe(32);
  putDigest(digest, i, entries, salt);
  return digest;
}

/** Writes an index of `entries` chunks as runs leave it: tables of equal size, each with digests from the whole range and packs of its own. Memory: one table's fence. */
export async function writeSyntheticIndex(store: ObjectStore, entries: number, tables: number): Promise<void> {
  const digest = Buffer.allocUnsafe(32);
  for (let table = 0; table < tables; table++) {
    const own = Math.ceil((entries - table) / tables);
    const packs = Math.ceil(own / CHUNKS_PER_PACK);
    const tableId = newTimeId(new Date(FIRST_TABLE_MS + table), randomBytes);
    const builder = await TableBuilder.open(store, { ...OWNER, tableId }, { randomBytes }, {});
    for (let n = 0; n < own; n++) {
      const i = table + n * tables;
      putDigest(digest, i, entries, 0);
      const slot = mix(i, 9) % (packs * CHUNKS_PER_PACK);
      const offset = 64 + (slot % CHUNKS_PER_PACK) * CHUNK_BYTES;
      if (builder.add(digest, 0, Math.floor(slot / CHUNKS_PER_PACK), offset, CHUNK_BYTES)) await builder.drain();
    }
    await builder.finish(packItems(packs));
    await builder.commit();
  }
}

/** The index of a repository without the repository around it. */
export function openSyntheticIndex(store: ObjectStore): ChunkIndex {
  return new ChunkIndex(store, OWNER, silentLogger);
}

export async function mergeSyntheticIndex(store: ObjectStore): Promise<MergeReport> {
  await using index = openSyntheticIndex(store);
  return await mergeTables({ store, owner: OWNER, index, randomBytes, logger: silentLogger });
}

function putDigest(target: Buffer, i: number, entries: number, salt: number): void {
  const place = ((i + mix(i, 8 + salt) / U32) / entries) * U32;
  const high = Math.floor(place);
  target.writeUInt32BE(high, 0);
  target.writeUInt32BE(Math.floor((place - high) * U32), 4);
  for (let word = 2; word < 8; word++) target.writeUInt32LE(mix(i, word + 16 * salt), 4 * word);
}

function* packItems(count: number): Generator<Buffer, void> {
  const item = Buffer.alloc(PACK_ITEM_BYTES);
  for (let n = 0; n < count; n++) {
    encodePackItem(item, 0, { packId: newHexId(randomBytes), packBytes: CHUNKS_PER_PACK * CHUNK_BYTES, chunks: CHUNKS_PER_PACK });
    yield item;
  }
}

/** The finisher of MurmurHash3, twice: 32 bits that look like chance. */
function mix(i: number, salt: number): number {
  let h = Math.imul(i, 0x9e3779b1) ^ Math.floor(i / U32) ^ Math.imul(salt + 1, 0x85ebca6b);
  for (let round = 0; round < 2; round++) {
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
  }
  return h >>> 0;
}
