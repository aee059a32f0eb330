import { setImmediate as nextTurn } from 'node:timers/promises';
import { type CallOptions, type Clock, Mutex } from '@onevault/base';
import { CHUNK_HEADER_BYTES } from '../format/chunk-header.ts';
import { newTimeId, type RandomBytes } from '../format/ids.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import { type IndexedPack, writeTable } from '../index/table-writer.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { ChunkSink } from './chunk-sink.ts';

/** New chunks of a run that wait for an index table: their trailers take 5 MiB, their keys 10 MiB. */
export const TABLE_TARGET_ENTRIES = 100_000;
/** About 2 GiB: what a run that is killed leaves in packs without a table is stored again by the next one. */
const TABLE_TARGET_PACKS = 32;

export interface TableFlusherDeps {
  readonly store: ObjectStore;
  readonly repositoryId: string;
  readonly index: ChunkIndex;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
}

/** Gathers durable packs and writes index tables for them: one whenever enough came together, one at commit (I8). */
export class TableFlusher {
  readonly #deps: TableFlusherDeps;
  readonly #sink: ChunkSink;
  readonly #mutex = new Mutex();
  #packs: IndexedPack[] = [];
  #entries = 0;

  constructor(deps: TableFlusherDeps, sink: ChunkSink) {
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
    const { store, repositoryId, index, clock, randomBytes } = this.#deps;
    await writeTable(store, { repositoryId, tableId: newTimeId(clock.now(), randomBytes), packs }, { randomBytes }, options);
    // First found there, then forgotten here: a lookup in between must not miss.
    await index.reload();
    for (const { trailer } of packs) {
      for (let at = 0; at < trailer.length; at += CHUNK_HEADER_BYTES) this.#sink.arrived(trailer.subarray(at + 16, at + CHUNK_HEADER_BYTES));
      await nextTurn();
    }
  }
}
