import { errorCode } from '@onevault/base';
import { fromHex, toHex } from '../format/bytes.ts';
import { packKey, parsePackKey } from '../format/ids.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import type { PackIds } from '../pack/pack-ids.ts';
import type { Damage } from '../repository-api.ts';
import type { KnownDamage } from './known-damage.ts';
import { MAX_RECORDED_CHUNKS, MAX_RECORDED_OBJECTS, MAX_RECORDED_POINTS, type RecordedDamage, type VerifyRecord } from './verify-record.ts';

interface Gathered {
  code: string;
  readonly chunks: Set<string>;
  readonly points: Set<string>;
}

/** What a run found, for its record: bounded, whatever there is to find. Chunks become known to this process at once. */
export class FoundDamage {
  readonly #known: KnownDamage;
  readonly #objects = new Map<string, Gathered>();
  #chunks = 0;
  #points = 0;
  #complete = true;

  constructor(known: KnownDamage) {
    this.#known = known;
  }

  /** The chunk cannot be read from the object, or no table knows it: then `key` is that of the tables. */
  chunk(digest: Uint8Array, key: string): void {
    this.#known.add(digest, parsePackKey(key));
    const object = this.#object(key);
    const hex = toHex(digest);
    if (!object || object.chunks.has(hex)) return;
    if (this.#chunks >= MAX_RECORDED_CHUNKS) this.#complete = false;
    else {
      object.chunks.add(hex);
      this.#chunks += 1;
    }
  }

  damage(damage: Damage): void {
    const object = this.#object(damage.key);
    if (!object) return;
    object.code = errorCode(damage.error) ?? 'REPO_STORE_FAILED';
    for (const { pointId } of damage.affects) this.#point(object, pointId);
  }

  touches(pointId: string): boolean {
    return [...this.#objects.values()].some(({ points }) => points.has(pointId));
  }

  /**
   * Takes over what an earlier run found and this one did not look at: chunks in packs that are still there. Answers how many of them were healed since:
   * the index has them elsewhere. They are still remembered, for one who rebuilds the index.
   */
  async carry(record: VerifyRecord, packs: PackIds, index: ChunkIndex): Promise<number> {
    let healed = 0;
    for (const damage of record.damage) {
      const packId = parsePackKey(damage.key);
      if (packId !== undefined && packs.has(packId)) healed += await this.#carryPack(damage, index);
    }
    return healed;
  }

  async #carryPack({ key, code, chunks, points }: RecordedDamage, index: ChunkIndex): Promise<number> {
    let healed = 0;
    for (const chunk of chunks) {
      const location = await index.find(fromHex(chunk));
      if (location && packKey(location.packId) !== key) healed += 1;
      this.chunk(fromHex(chunk), key);
    }
    const object = this.#object(key);
    if (object?.code === '') object.code = code;
    if (object && (healed < chunks.length || chunks.length === 0)) for (const point of points) this.#point(object, point);
    return healed;
  }

  toRecord(): { readonly damage: RecordedDamage[]; readonly complete: boolean } {
    const damage = [...this.#objects].map(([key, { code, chunks, points }]) => ({
      key,
      code: code === '' ? 'REPO_CHUNK_MISSING' : code,
      chunks: [...chunks],
      points: [...points],
    }));
    return { damage, complete: this.#complete };
  }

  #point(object: Gathered, pointId: string): void {
    if (object.points.has(pointId)) return;
    if (this.#points >= MAX_RECORDED_POINTS) this.#complete = false;
    else {
      object.points.add(pointId);
      this.#points += 1;
    }
  }

  #object(key: string): Gathered | undefined {
    const known = this.#objects.get(key);
    if (known) return known;
    if (this.#objects.size >= MAX_RECORDED_OBJECTS) {
      this.#complete = false;
      return undefined;
    }
    const object: Gathered = { code: '', chunks: new Set(), points: new Set() };
    this.#objects.set(key, object);
    return object;
  }
}
