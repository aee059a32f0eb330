import type { CallOptions } from '@onevault/base';
import { digestKey, fromHex } from '../format/bytes.ts';
import { parsePackKey } from '../format/ids.ts';
import type { ChunkLocation } from '../index/table-reader.ts';
import { type RecordDeps, readVerifyRecords } from './verify-records.ts';

/** Damaged chunks known at once; beyond this many a repository needs repair, not a backup. About 16 MiB. */
const MAX_KNOWN = 100_000;
/** Stands for "no index table knew it". */
const NOWHERE = '';

/**
 * Which chunks are known to be damaged, and in which pack: from the records of verify, and from what this process met itself. A chunk that was stored again
 * since is not found under this pack any more and so is whole, without anyone having to say so.
 */
export class KnownDamage {
  readonly #deps: RecordDeps;
  readonly #packs = new Map<string, string | string[]>();
  #loading: Promise<void> | undefined;

  constructor(deps: RecordDeps) {
    this.#deps = deps;
  }

  /** Reads the records; what is known already stays known. */
  reload(options: CallOptions = {}): Promise<void> {
    this.#loading = this.#load(options);
    this.#loading.catch(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  /** Reads the records unless they have been read. */
  ready(): Promise<void> {
    return this.#loading ?? this.reload();
  }

  async #load(options: CallOptions): Promise<void> {
    for (const record of await readVerifyRecords(this.#deps, options)) {
      for (const { key, chunks } of record.damage) for (const chunk of chunks) this.add(fromHex(chunk), parsePackKey(key) ?? NOWHERE);
    }
  }

  get size(): number {
    return this.#packs.size;
  }

  add(digest: Uint8Array, packId: string | undefined): void {
    const key = digestKey(digest);
    const known = this.#packs.get(key);
    const added = packId ?? NOWHERE;
    if (known === undefined) {
      if (this.#packs.size < MAX_KNOWN) this.#packs.set(key, added);
    } else if (typeof known === 'string' ? known !== added : !known.includes(added)) this.#packs.set(key, [known, added].flat());
  }

  /** Whether some copy of the chunk is damaged: then it is worth asking where the index has it. */
  mayHave(digest: Uint8Array): boolean {
    return this.#packs.size > 0 && this.#packs.has(digestKey(digest));
  }

  /** Whether the copy that the index leads to is damaged. */
  has(digest: Uint8Array, location: ChunkLocation | undefined): boolean {
    const known = this.#packs.size > 0 ? this.#packs.get(digestKey(digest)) : undefined;
    if (known === undefined) return false;
    return location === undefined || known === location.packId || (typeof known !== 'string' && known.includes(location.packId));
  }

  /** The chunk was read and is whole, whatever was true before. */
  forget(digest: Uint8Array): void {
    if (this.#packs.size > 0) this.#packs.delete(digestKey(digest));
  }
}
