import type { CallOptions } from '@onevault/base';
import { ENTRY_BYTES } from '../format/table-layout.ts';
import { CursorHeap } from './cursor-heap.ts';
import { PackNumbers } from './pack-numbers.ts';
import type { TableBuilder } from './table-builder.ts';
import { TableCursor } from './table-cursor.ts';
import type { ChunkLocation, IndexTable } from './table-reader.ts';

/** Which of two places of one chunk a merged table lists. */
export type PreferPlace = (digest: Uint8Array, newer: ChunkLocation, older: ChunkLocation) => Promise<'newer' | 'older'>;

export interface MergeChoices {
  /** True for packs that are gone or about to go: their entries are left out, and an older place of the same chunk is listed instead. */
  readonly dropPack?: ((packId: string) => boolean) | undefined;
  /** The newer place unless this says otherwise. */
  readonly preferPlace?: PreferPlace | undefined;
}

export interface RunCounts {
  readonly readEntries: number;
  readonly droppedEntries: number;
  readonly supersededEntries: number;
}

/**
 * Merges tables, the newest first, into one that is being built; the caller commits it. One pass over each, in order of digest; of a digest that several
 * tables hold the newest wins. Memory: 512 KiB a table and what `PackNumbers` and `TableBuilder` say. Throws REPO_INDEX_INVALID naming the table that is damaged.
 */
export async function mergeRun(builder: TableBuilder, tables: readonly IndexTable[], choices: MergeChoices, options: CallOptions): Promise<RunCounts> {
  const packs = new PackNumbers();
  for (const table of tables) await packs.load(table, choices.dropPack, options);
  packs.begin();
  const cursors = tables.map((table, input) => new TableCursor(table, input, options));
  try {
    const merge = new Merge(builder, packs, choices.preferPlace);
    const heap = new CursorHeap();
    for (const cursor of cursors) if (await cursor.next()) heap.push(cursor);
    for (let cursor = heap.first; cursor; cursor = heap.first) {
      if (merge.offer(cursor)) await merge.settle();
      if (cursor.step() || (await cursor.next())) heap.firstChanged();
      else heap.removeFirst();
    }
    if (merge.emit()) await builder.drain();
    await builder.finish(packs.items());
    const { readEntries, droppedEntries, supersededEntries } = merge;
    return { readEntries, droppedEntries, supersededEntries };
  } finally {
    for (const cursor of cursors) await cursor.close();
  }
}

/** Holds one entry back until it is known that no other table has a better place for it. */
class Merge {
  readEntries = 0;
  droppedEntries = 0;
  supersededEntries = 0;
  readonly #builder: TableBuilder;
  readonly #packs: PackNumbers;
  readonly #prefer: PreferPlace | undefined;
  readonly #held = Buffer.alloc(ENTRY_BYTES);
  #heldPrefix = -1;
  #heldInput = -1;
  #rival: { readonly input: number; readonly entry: Buffer } | undefined;
  #full = false;

  constructor(builder: TableBuilder, packs: PackNumbers, prefer: PreferPlace | undefined) {
    this.#builder = builder;
    this.#packs = packs;
    this.#prefer = prefer;
  }

  /** Takes the entry under the cursor. True when `settle` must be awaited before the next one. */
  offer(cursor: TableCursor): boolean {
    const { items, at, input } = cursor;
    this.readEntries += 1;
    if (this.#packs.isDropped(input, items.readUInt32LE(at + 32))) {
      this.droppedEntries += 1;
      return false;
    }
    const order = cursor.prefix === this.#heldPrefix ? items.compare(this.#held, 0, 32, at, at + 32) : 1;
    if (order < 0) throw cursor.unsorted();
    if (order === 0 && this.#heldInput >= 0) return this.#meet(input, items, at);
    this.#full = this.emit();
    items.copy(this.#held, 0, at, at + ENTRY_BYTES);
    this.#heldPrefix = cursor.prefix;
    this.#heldInput = input;
    return this.#full;
  }

  /** A second place of the chunk that is held. */
  #meet(input: number, items: Buffer, at: number): boolean {
    this.supersededEntries += 1;
    if (!this.#prefer) return false;
    this.#rival = { input, entry: Buffer.from(items.subarray(at, at + ENTRY_BYTES)) };
    return true;
  }

  async settle(): Promise<void> {
    if (this.#full) await this.#builder.drain();
    this.#full = false;
    const rival = this.#rival;
    this.#rival = undefined;
    if (!rival || !this.#prefer) return;
    const held = this.#packs.location(this.#heldInput, this.#held);
    const other = this.#packs.location(rival.input, rival.entry);
    if (held.packId === other.packId || (await this.#prefer(this.#held.subarray(0, 32), held, other)) === 'newer') return;
    rival.entry.copy(this.#held);
    this.#heldInput = rival.input;
  }

  /** Hands the entry that is held to the builder, if there is one. True when the builder must be drained. */
  emit(): boolean {
    if (this.#heldInput < 0) return false;
    const held = this.#held;
    const number = this.#packs.number(this.#heldInput, held.readUInt32LE(32));
    return this.#builder.add(held, 0, number, held.readUInt32LE(36), held.readUInt32LE(40));
  }
}
