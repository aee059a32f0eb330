import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CallOptions } from '@onevault/base';
import { digestKey } from '../format/bytes.ts';
import { CHUNK_HEADER_BYTES, type PackEntry } from '../format/chunk-header.ts';
import { condemnedBy } from '../gc/condemned.ts';
import { readGcRecord } from '../gc/gc-record.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import { mergeTables } from '../index/merge-tables.ts';
import { preferSound } from '../index/prefer-sound.ts';
import { newTableId } from '../index/table-id.ts';
import type { ChunkLocation } from '../index/table-reader.ts';
import { type IndexedPack, writeTable } from '../index/table-writer.ts';
import type { PackIds } from '../pack/pack-ids.ts';
import { ChunkReader } from '../read/chunk-reader.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { TABLE_TARGET_ENTRIES } from '../write/table-flusher.ts';

export type RelistDeps = Pick<RepositoryParts, 'store' | 'config' | 'owner' | 'envelopes' | 'codecs' | 'damage' | 'clock' | 'randomBytes' | 'logger'> & {
  /** Without damaged tables. */
  readonly index: ChunkIndex;
  readonly packs: PackIds;
  /** Packs whose chunks nobody should be led to if there is another copy; grows while the others are read. */
  readonly beyondHelp: ReadonlySet<string>;
  readonly dryRun: boolean;
  /** Throws when the lease of the repair is not held any more. */
  prove(): Promise<void>;
};

/** New tables between two merges. */
const TABLES_PER_MERGE = 16;

interface SizedPack {
  readonly packId: string;
  readonly packBytes: number;
}

/**
 * Lists in new tables what no sound table leads to, and what one leads to a damaged copy of while another is whole (I7). A chunk that lies in several packs
 * was stored again because one copy was damaged: a second copy is listed only if it reads back whole. Memory: one table's entries.
 */
export class Relist {
  listedChunks = 0;
  relistedChunks = 0;
  readonly #deps: RelistDeps;
  readonly #chunks: ChunkReader;
  /** Listed since the last table: whether that copy is known to be whole. */
  readonly #listed = new Map<string, boolean>();
  #packs: IndexedPack[] = [];
  #tables = 0;

  constructor(deps: RelistDeps) {
    this.#deps = deps;
    this.#chunks = new ChunkReader(deps.store, deps.index, deps.codecs);
  }

  /** The chunks of a sound pack. Answers those that are known to be damaged here and that nothing better is known of. */
  async add(pack: SizedPack, entries: readonly PackEntry[], trailer: Buffer, options: CallOptions): Promise<PackEntry[]> {
    const records: Buffer[] = [];
    const damaged: PackEntry[] = [];
    for (const [n, entry] of entries.entries()) {
      const known = await this.#deps.index.find(entry.digest, options);
      if (this.#isDamaged(entry, { ...pack, ...entry })) {
        if (!known || known.packId === pack.packId) damaged.push(entry);
        // Listed all the same if there is nothing else: a restore then says what is wrong, and where.
        if (known || this.#listed.has(digestKey(entry.digest))) continue;
        this.#listed.set(digestKey(entry.digest), false);
        this.listedChunks += 1;
        records.push(trailer.subarray(n * CHUNK_HEADER_BYTES, (n + 1) * CHUNK_HEADER_BYTES));
      } else if (await this.#belongs(pack, entry, known, options)) {
        records.push(trailer.subarray(n * CHUNK_HEADER_BYTES, (n + 1) * CHUNK_HEADER_BYTES));
      }
    }
    if (records.length > 0) this.#packs.push({ packId: pack.packId, packBytes: pack.packBytes, chunks: entries.length, trailer: Buffer.concat(records) });
    if (this.#listed.size >= TABLE_TARGET_ENTRIES) await this.flush(options);
    await nextTurn();
    return damaged;
  }

  /** A pack that was just written: everything in it is whole. */
  addWhole(pack: IndexedPack): void {
    this.#packs.push(pack);
    for (let at = 0; at < pack.trailer.length; at += CHUNK_HEADER_BYTES) this.#listed.set(digestKey(pack.trailer.subarray(at + 16, at + 48)), true);
  }

  #isDamaged(entry: PackEntry, location: ChunkLocation): boolean {
    return this.#deps.damage.mayHave(entry.digest) && this.#deps.damage.has(entry.digest, location);
  }

  async #belongs(pack: SizedPack, entry: PackEntry, known: ChunkLocation | undefined, options: CallOptions): Promise<boolean> {
    const key = digestKey(entry.digest);
    const listed = this.#listed.get(key);
    if (listed === true || known?.packId === pack.packId) return false;
    const leadsAstray = known !== undefined && this.#leadsAstray(entry, known);
    if (known && !leadsAstray) return false;
    const isFirst = listed === undefined && !known;
    const whole = isFirst && !this.#deps.damage.mayHave(entry.digest) ? undefined : await this.#readsBack(pack, entry, options);
    if (whole === false && !isFirst) return false;
    if (known) this.relistedChunks += 1;
    else if (listed === undefined) this.listedChunks += 1;
    this.#listed.set(key, whole ?? false);
    return true;
  }

  #leadsAstray(entry: PackEntry, known: ChunkLocation): boolean {
    const { packs, beyondHelp, damage } = this.#deps;
    return !packs.has(known.packId) || beyondHelp.has(known.packId) || damage.has(entry.digest, known);
  }

  #readsBack(pack: SizedPack, entry: PackEntry, options: CallOptions): Promise<boolean> {
    return this.#chunks.isWholeAt(entry, { ...pack, ...entry }, options);
  }

  async flush(options: CallOptions): Promise<void> {
    const packs = this.#packs;
    this.#packs = [];
    if (this.#deps.dryRun && this.#listed.size >= TABLE_TARGET_ENTRIES) this.#listed.clear();
    if (packs.length === 0 || this.#deps.dryRun) return;
    const { store, owner, index, clock, randomBytes } = this.#deps;
    await index.reload();
    const tableId = newTableId(clock.now(), index.newestId, randomBytes);
    await this.#deps.prove();
    await writeTable(store, { ...owner, tableId, packs }, { randomBytes }, options);
    this.#listed.clear();
    await index.reload();
    this.#tables += 1;
    if (this.#tables % TABLES_PER_MERGE === 0) await this.merge(options);
  }

  /** Keeps the tables few: every chunk that follows is looked up in all of them. */
  async merge(options: CallOptions): Promise<void> {
    if (this.#tables === 0) return;
    const condemned = condemnedBy(await readGcRecord(this.#deps, options));
    await mergeTables(this.#deps, { ...options, preferPlace: preferSound(condemned) });
  }
}
