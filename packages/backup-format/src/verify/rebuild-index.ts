import { randomBytes as systemRandomBytes } from 'node:crypto';
import { type CallOptions, silentLogger } from '@onevault/base';
import { ChunkCodecs } from '../codec/chunk-codec.ts';
import { readConfig } from '../config-object.ts';
import { plainProtection } from '../crypto/protection.ts';
import { isRepositoryError } from '../errors.ts';
import { digestKey } from '../format/bytes.ts';
import { CHUNK_HEADER_BYTES, type PackEntry } from '../format/chunk-header.ts';
import { newTimeId, packKey, TABLES_PREFIX } from '../format/ids.ts';
import type { StructureOwner } from '../format/structure-sum.ts';
import { ChunkIndex } from '../index/chunk-index.ts';
import { type IndexedPack, writeTable } from '../index/table-writer.ts';
import { readTrailer } from '../pack/pack-reader.ts';
import { ChunkReader } from '../read/chunk-reader.ts';
import type { RepositoryDeps } from '../repository-deps.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { TABLE_TARGET_ENTRIES } from '../write/table-flusher.ts';
import { DamageLog } from './damage-log.ts';
import { PackIds } from './pack-ids.ts';
import { checkTables } from './table-check.ts';

export interface RebuildReport {
  readonly packs: number;
  /** Chunks that no sound table knew and that a new table lists now. */
  readonly addedEntries: number;
  /** Damaged tables, removed once the new ones were durable. Kept while a pack cannot be read: they may know what it holds. */
  readonly removedTables: readonly string[];
  /** Packs without a readable trailer. */
  readonly unreadablePacks: readonly string[];
}

/**
 * Makes the index whole again from the trailers of the packs (I7): whatever no sound table knows is listed in new tables, then damaged tables go.
 * Changes nothing else and is safe to run again. Of a chunk stored twice the whole copy is preferred among the packs of one new table (100 000 chunks).
 * Memory: as a run's, one table's entries.
 */
export async function rebuildIndex(store: ObjectStore, deps: RepositoryDeps, options: CallOptions = {}): Promise<RebuildReport> {
  const config = await readConfig(store, options);
  const packs = await PackIds.list(store, options);
  const log = new DamageLog();
  const protection = plainProtection(config.digest);
  const owner = { repositoryId: config.id, sum: protection.sum };
  await checkTables(store, owner, packs, log, options);
  const damagedTables = log.keys().filter((key) => key.startsWith(TABLES_PREFIX));
  const index = new ChunkIndex(store, owner, deps.logger ?? silentLogger, new Set(damagedTables));
  const rebuild = new Rebuild(store, owner, index, new ChunkReader(store, index, new ChunkCodecs(config, protection)), deps, options);
  for (const packId of packs) await rebuild.add(packId);
  await rebuild.flush();
  const removedTables = rebuild.unreadable.length === 0 ? damagedTables : [];
  for (const key of removedTables) await store.delete(key, options);
  return { packs: packs.count, addedEntries: rebuild.addedEntries, removedTables, unreadablePacks: rebuild.unreadable };
}

class Rebuild {
  addedEntries = 0;
  readonly unreadable: string[] = [];
  readonly #store: ObjectStore;
  readonly #owner: StructureOwner;
  readonly #index: ChunkIndex;
  readonly #chunks: ChunkReader;
  readonly #deps: RepositoryDeps;
  readonly #options: CallOptions;
  readonly #listed = new Set<string>();
  #packs: IndexedPack[] = [];

  constructor(store: ObjectStore, owner: StructureOwner, index: ChunkIndex, chunks: ChunkReader, deps: RepositoryDeps, options: CallOptions) {
    this.#store = store;
    this.#owner = owner;
    this.#index = index;
    this.#chunks = chunks;
    this.#deps = deps;
    this.#options = options;
  }

  async add(packId: string): Promise<void> {
    this.#options.signal?.throwIfAborted();
    const key = packKey(packId);
    const found = await this.#store.stat(key, this.#options);
    if (!found) return;
    const pack = { ...this.#owner, packId, packBytes: found.sizeBytes };
    try {
      const { entries, trailer } = await readTrailer(this.#store, pack, this.#options);
      await this.#addPack(pack, entries, trailer);
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_PACK_INVALID', 'REPO_OBJECT_TRUNCATED', 'REPO_OBJECT_MISSING')) throw error;
      this.unreadable.push(key);
    }
  }

  async #addPack(pack: { readonly packId: string; readonly packBytes: number }, entries: readonly PackEntry[], trailer: Buffer): Promise<void> {
    const missing: Buffer[] = [];
    for (const [n, entry] of entries.entries()) {
      if (!(await this.#belongs(pack, entry))) continue;
      missing.push(trailer.subarray(n * CHUNK_HEADER_BYTES, (n + 1) * CHUNK_HEADER_BYTES));
      this.#listed.add(digestKey(entry.digest));
    }
    if (missing.length > 0) this.#packs.push({ ...pack, chunks: entries.length, trailer: Buffer.concat(missing) });
    this.addedEntries += missing.length;
    if (this.#listed.size >= TABLE_TARGET_ENTRIES) await this.flush();
  }

  /** A chunk that lies in several packs was stored again because one copy was damaged: a later copy is listed only if it reads back whole. */
  async #belongs(pack: { readonly packId: string; readonly packBytes: number }, entry: PackEntry): Promise<boolean> {
    if (await this.#index.find(entry.digest, this.#options)) return false;
    if (!this.#listed.has(digestKey(entry.digest))) return true;
    try {
      await this.#chunks.loadAt(entry, { ...pack, ...entry }, this.#options);
      return true;
    } catch (error) {
      if (isRepositoryError(error, 'REPO_CHUNK_CORRUPT', 'REPO_CHUNK_MISSING')) return false;
      throw error;
    }
  }

  async flush(): Promise<void> {
    const packs = this.#packs;
    this.#packs = [];
    if (packs.length === 0) return;
    const randomBytes = this.#deps.randomBytes ?? systemRandomBytes;
    const tableId = newTimeId(this.#deps.clock.now(), randomBytes);
    await writeTable(this.#store, { ...this.#owner, tableId, packs }, { randomBytes }, this.#options);
    this.#listed.clear();
    await this.#index.reload();
  }
}
