import { setImmediate as nextTurn } from 'node:timers/promises';
import { type CallOptions, Mutex } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import { CHUNK_HEADER_BYTES } from '../format/chunk-header.ts';
import type { Condemned } from '../gc/condemned.ts';
import { mergeAfterRun } from '../index/merge-after-run.ts';
import { newTableId } from '../index/table-id.ts';
import { type IndexedPack, writeTable } from '../index/table-writer.ts';
import type { HeldLease } from '../lease/held-lease.ts';
import { type WithdrawDeps, withdrawTable } from './withdraw-table.ts';

/** New chunks of a run that wait for an index table: their trailers take 5 MiB, their keys 10 MiB. */
export const TABLE_TARGET_ENTRIES = 100_000;
/** About 2 GiB: what a run that is killed leaves in packs without a table is stored again by the next one. */
const TABLE_TARGET_PACKS = 32;
/** A long run merges on its way: lookups ask every table. */
const TABLES_PER_MERGE = 16;
/** Beyond this others write tables all the time; each of them knew the ones before. */
const MAX_TABLE_WRITES = 3;

export type TableFlusherDeps = WithdrawDeps & {
  /** The lease under which the packs were written. */
  readonly lease?: Pick<HeldLease, 'prove'>;
  readonly condemned?: Condemned;
};

/** Who is told of every chunk that a durable table lists. */
export interface ArrivalNote {
  arrived(digest: Uint8Array): void;
}

/** Gathers durable packs and writes index tables for them: one whenever enough came together, one at commit (I8). */
export class TableFlusher {
  readonly #deps: TableFlusherDeps;
  readonly #sink: ArrivalNote;
  readonly #mutex = new Mutex();
  #packs: IndexedPack[] = [];
  #entries = 0;
  #listed = 0;
  #tables = 0;

  constructor(deps: TableFlusherDeps, sink: ArrivalNote) {
    this.#deps = deps;
    this.#sink = sink;
  }

  async add(pack: IndexedPack, options: CallOptions): Promise<void> {
    this.#packs.push(pack);
    this.#entries += pack.trailer.length / CHUNK_HEADER_BYTES;
    if (this.#entries >= TABLE_TARGET_ENTRIES || this.#packs.length >= TABLE_TARGET_PACKS) await this.flush(options);
  }

  /** Everything added so far is in durable tables when it resolves. */
  flush(options: CallOptions): Promise<void> {
    return this.#mutex.run(() => this.#flush(options), options);
  }

  async #flush(options: CallOptions): Promise<void> {
    const packs = this.#packs;
    this.#packs = [];
    this.#entries = 0;
    if (packs.length === 0) return;
    await this.#write(packs, options);
    for (const { trailer } of packs) {
      this.#listed += trailer.length / CHUNK_HEADER_BYTES;
      for (let at = 0; at < trailer.length; at += CHUNK_HEADER_BYTES) this.#sink.arrived(trailer.subarray(at + 16, at + CHUNK_HEADER_BYTES));
      await nextTurn();
    }
    this.#tables += 1;
    if (this.#tables % TABLES_PER_MERGE === 0) await this.merge(options);
  }

  /**
   * First found there, then forgotten here: a lookup in between must not miss. A later table that came meanwhile may be a merge with an older place of a
   * chunk that is stored again here (I8): then the table is written once more, after it. The first one says the same and goes with the next merge.
   * When the lease is lost, gc may have deleted the packs: a table must not name those.
   */
  async #write(packs: readonly IndexedPack[], options: CallOptions): Promise<void> {
    const { store, owner, index, clock, randomBytes, lease } = this.#deps;
    for (let attempt = 1; attempt <= MAX_TABLE_WRITES; attempt++) {
      const tableId = newTableId(clock.now(), index.newestId, randomBytes);
      await lease?.prove(options);
      await writeTable(store, { ...owner, tableId, packs }, { randomBytes }, options);
      await lease?.prove(options).catch(async (error: unknown) => {
        if (isRepositoryError(error, 'REPO_LOCK_LOST')) await withdrawTable(this.#deps, tableId, packs);
        throw error;
      });
      await index.reload();
      if (index.newestId === tableId) return;
    }
  }

  /** Merges tables, as much as is in proportion to what this run has listed. */
  merge(options: CallOptions): Promise<void> {
    return mergeAfterRun(this.#deps, this.#listed, options);
  }
}
