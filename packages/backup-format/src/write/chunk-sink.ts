import type { CallOptions } from '@onevault/base';
import type { ChunkCodecs, EncodedChunk } from '../codec/chunk-codec.ts';
import { digestKey } from '../format/bytes.ts';
import type { ChunkType } from '../format/chunk-header.ts';
import type { Condemned } from '../gc/condemned.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import type { PackLane } from '../pack/pack-pool.ts';
import type { PackConfirmer } from '../pack/pack-reader.ts';
import type { ChunkReader } from '../read/chunk-reader.ts';
import type { KnownDamage } from '../verify/known-damage.ts';

export interface ChunkSinkDeps {
  readonly index: ChunkIndex;
  readonly codecs: ChunkCodecs;
  readonly confirmer: PackConfirmer;
  readonly chunks: ChunkReader;
  readonly damage: KnownDamage;
  readonly condemned: Condemned;
}

/** Decides what a run has to store. A chunk is on its way from the moment it is claimed until a durable index table lists it. */
export class ChunkSink {
  readonly codecs: ChunkCodecs;
  readonly #index: ChunkIndex;
  readonly #confirmer: PackConfirmer;
  readonly #chunks: ChunkReader;
  readonly #damage: KnownDamage;
  readonly #condemned: Condemned;
  readonly #onTheirWay = new Set<string>();

  constructor(deps: ChunkSinkDeps) {
    this.codecs = deps.codecs;
    this.#index = deps.index;
    this.#confirmer = deps.confirmer;
    this.#chunks = deps.chunks;
    this.#damage = deps.damage;
    this.#condemned = deps.condemned;
  }

  /**
   * True when the caller must store the chunk; it then counts as on its way, so that an equal block a moment later is a hit.
   * `confirm` asks the trailer of the pack, not only whether there is such a pack. A claimed chunk that is then not stored spoils the run.
   */
  async claim(digest: Uint8Array, confirm: boolean, options: CallOptions): Promise<boolean> {
    const key = digestKey(digest);
    if (this.#onTheirWay.has(key)) return false;
    this.#onTheirWay.add(key);
    if (!(await this.#isStored(digest, confirm, options))) return true;
    this.#onTheirWay.delete(key);
    return false;
  }

  /** Whether a durable chunk may be referred to as it is; nothing is claimed. */
  holds(digest: Uint8Array, confirm: boolean, options: CallOptions): Promise<boolean> {
    return this.#isStored(digest, confirm, options);
  }

  async #isStored(digest: Uint8Array, confirm: boolean, options: CallOptions): Promise<boolean> {
    if (this.#index.isSuspect(digest)) return false;
    const location = await this.#index.find(digest, options);
    if (!location || this.#condemned.has(location.packId) || this.#damage.has(digest, location)) return false;
    return confirm ? this.#confirmer.confirms(digest, location, options) : this.#confirmer.stands(location, options);
  }

  /**
   * Stores a page, a root or a metadata file unless an equal one is there and reads back whole. These are few, and everything hangs on them:
   * reading one costs nothing beside what losing one costs, and it heals a damaged one (format.md 11).
   */
  async storeChecked(type: ChunkType, plain: Uint8Array, lane: PackLane, options: CallOptions): Promise<Uint8Array> {
    const digest = this.codecs.digest(plain);
    if (this.#onTheirWay.has(digestKey(digest))) return digest;
    this.#onTheirWay.add(digestKey(digest));
    if (await this.#readsBack(digest, plain.length, options)) {
      this.#onTheirWay.delete(digestKey(digest));
      return digest;
    }
    const encoded: EncodedChunk = await this.codecs.encode(plain, { type, digest });
    await lane.append({ type, digest, plainBytes: plain.length, encoded }, options);
    return digest;
  }

  async #readsBack(digest: Uint8Array, plainBytes: number, options: CallOptions): Promise<boolean> {
    if (this.#index.isSuspect(digest)) return false;
    const location = await this.#index.find(digest, options);
    if (!location || this.#condemned.has(location.packId)) return false;
    return this.#chunks.isWholeAt({ digest, plainBytes }, location, options);
  }

  /** A durable table lists the chunk from here on. */
  arrived(digest: Uint8Array): void {
    this.#onTheirWay.delete(digestKey(digest));
    this.#index.healed(digest);
  }

  get onTheirWay(): number {
    return this.#onTheirWay.size;
  }
}
