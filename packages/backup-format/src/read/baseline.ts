import { type BlockGrid, type CallOptions, DIGEST_BYTES, type DigestSource } from '@onevault/base';
import type { ChunkIndex } from '../index/chunk-index.ts';
import type { KnownDamage } from '../verify/known-damage.ts';

/** No bytes are known that have this digest, and none will be. */
const NO_MATCH = Buffer.alloc(DIGEST_BYTES, 0xff);

/** The digests of a disk, without those whose chunks are known to be damaged; see `DiskReader.baseline`. */
export class Baseline implements DigestSource {
  readonly grid: BlockGrid;
  readonly #disk: DigestSource;
  readonly #index: ChunkIndex;
  readonly #damage: KnownDamage;

  constructor(disk: DigestSource, known: { readonly index: ChunkIndex; readonly damage: KnownDamage }) {
    this.grid = disk.grid;
    this.#disk = disk;
    this.#index = known.index;
    this.#damage = known.damage;
  }

  async digests(first: number, count: number, options: CallOptions = {}): Promise<Uint8Array | undefined> {
    await this.#damage.ready();
    const digests = await this.#disk.digests(first, count, options);
    if (!digests) return undefined;
    let masked: Uint8Array = digests;
    for (let at = 0; at < digests.length; at += DIGEST_BYTES) {
      const digest = digests.subarray(at, at + DIGEST_BYTES);
      if (!this.#index.isSuspect(digest) && !(this.#damage.mayHave(digest) && (await this.#isDamaged(digest, options)))) continue;
      if (masked === digests) masked = Uint8Array.from(digests); // the page behind it is shared
      masked.set(NO_MATCH, at);
    }
    return masked;
  }

  /** Whether the copy that a restore would read is the damaged one. */
  async #isDamaged(digest: Uint8Array, options: CallOptions): Promise<boolean> {
    return this.#damage.has(digest, await this.#index.find(digest, options));
  }
}
