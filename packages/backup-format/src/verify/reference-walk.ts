import { type BlockGrid, blockGrid, type CallOptions, DIGEST_BYTES } from '@onevault/base';
import { isRepositoryError, RepositoryError } from '../errors.ts';
import { digestKey, fromHex, isZero, toHex, ZERO_HEX } from '../format/bytes.ts';
import { pageCount, pageDigests } from '../format/disk-index-layout.ts';
import { packKey, TABLES_PREFIX } from '../format/ids.ts';
import { PAGE_DIGESTS } from '../format/limits.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import type { ChunkLocation } from '../index/table-reader.ts';
import type { PackIds } from '../pack/pack-ids.ts';
import { type ChunkReader, isDamage } from '../read/chunk-reader.ts';
import { DiskIndexReader } from '../read/disk-index-reader.ts';
import type { RestorePoint, StoredDisk } from '../repository-api.ts';
import type { DamageLog } from './damage-log.ts';
import type { GoodChunks } from './good-chunks.ts';

/** Pages and roots known to be wholly good in this window; points share most of them. Past this many they are walked again: slower, not wrong. */
const MAX_CLEAN = 200_000;

export interface WalkDeps {
  readonly index: ChunkIndex;
  readonly chunks: ChunkReader;
  readonly good: GoodChunks;
  readonly log: DamageLog;
  /** Packs that were there when the run began. */
  readonly packs: PackIds;
  /** Told every chunk that somebody needs and nobody can read: its digest, the object at fault. */
  readonly onLost: (digest: Uint8Array, key: string) => void;
  /** The first window speaks for chunks that no table knows, the final one for packs after the last one there is. */
  readonly first: boolean;
  readonly final: boolean;
}

/** Follows every reference of the restore points into one window of checked packs and notes what is not there, or not good. */
export class ReferenceWalk {
  readonly #deps: WalkDeps;
  readonly #clean = new Set<string>();
  #reloaded = false;

  constructor(deps: WalkDeps) {
    this.#deps = deps;
  }

  async walk(point: RestorePoint, options: CallOptions): Promise<void> {
    for (const disk of point.disks) {
      const grid = blockGrid(disk.sizeBytes, disk.blockSizeBytes);
      if (disk.root !== ZERO_HEX) await this.#walkDisk(point, disk, grid, options);
    }
    for (const { name, digest, sizeBytes } of point.metadata) {
      if (sizeBytes === 0) continue;
      const verdict = await this.#judge(fromHex(digest), options);
      if (verdict.kind === 'bad') this.#deps.log.touch(verdict.key, verdict.error, point, { metadata: name });
    }
  }

  async #walkDisk(point: RestorePoint, disk: StoredDisk, grid: BlockGrid, options: CallOptions): Promise<void> {
    if (this.#clean.has(disk.root)) return;
    const touch = (verdict: Bad, offset: number, end: number): void =>
      this.#deps.log.touch(verdict.key, verdict.error, point, { diskKey: disk.key, offset, length: Math.min(end, disk.sizeBytes) - offset });
    const reader = new DiskIndexReader(grid, disk, this.#deps.chunks);
    const root = await this.#read(fromHex(disk.root), () => reader.root(options), options);
    if (root.kind === 'bad') return touch(root, 0, disk.sizeBytes);
    if (root.kind === 'elsewhere') return;
    const pageBytes = PAGE_DIGESTS * grid.blockSizeBytes;
    let clean = true;
    for (let page = 0; page < pageCount(grid); page++) {
      const digest = await reader.pageDigest(page, options);
      if (isZero(digest) || this.#clean.has(digestKey(digest))) continue;
      const digests = await this.#read(digest, () => reader.page(page, options), options);
      if (digests.kind === 'bad') touch(digests, page * pageBytes, (page + 1) * pageBytes);
      const pageClean = digests.kind === 'read' && (await this.#walkPage(digests.value, grid, page, touch, options));
      if (pageClean) this.#remember(digestKey(digest));
      clean &&= pageClean;
    }
    if (clean) this.#remember(disk.root);
  }

  async #walkPage(
    digests: Buffer,
    grid: BlockGrid,
    page: number,
    touch: (verdict: Bad, offset: number, end: number) => void,
    options: CallOptions,
  ): Promise<boolean> {
    options.signal?.throwIfAborted();
    let clean = true;
    for (let slot = 0; slot < pageDigests(grid, page); slot++) {
      const digest = digests.subarray(slot * DIGEST_BYTES, (slot + 1) * DIGEST_BYTES);
      if (isZero(digest)) continue;
      const verdict = await this.#judge(digest, options);
      if (verdict.kind !== 'bad') continue;
      const block = page * PAGE_DIGESTS + slot;
      touch(verdict, block * grid.blockSizeBytes, (block + 1) * grid.blockSizeBytes);
      clean = false;
    }
    return clean;
  }

  /** A page or root, read if it is not known to be bad. What another window has found bad is no news here. */
  async #read<T>(digest: Uint8Array, read: () => Promise<T | undefined>, options: CallOptions): Promise<Read<T>> {
    const verdict = await this.#judge(digest, options);
    if (verdict.kind === 'bad') return verdict;
    try {
      const value = await read();
      return value === undefined ? { kind: 'elsewhere' } : { kind: 'read', value };
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_CHUNK_CORRUPT', 'REPO_CHUNK_MISSING', 'REPO_PAGE_CORRUPT')) throw error;
      // Not read before, or good bytes of the right digest that are not the page of this disk: then the writer was wrong, and only this walk can tell.
      if (verdict.kind !== 'good') return { kind: 'elsewhere' };
      const key = error.details.key ?? verdict.key;
      this.#deps.onLost(digest, key);
      return { kind: 'bad', key, error };
    }
  }

  async #judge(digest: Uint8Array, options: CallOptions): Promise<Verdict> {
    const { index, good, first, final } = this.#deps;
    const location = await index.find(digest, options);
    if (!location && !first) return { kind: 'elsewhere' };
    if (location && !good.covers(location.packId, final)) return { kind: 'elsewhere' };
    if (location && good.has(digest, location)) return { kind: 'good', key: packKey(location.packId) };
    if (await this.#movedWhole(digest, location, options)) return { kind: 'elsewhere' };
    const bad = location ? missing(digest, packKey(location.packId)) : this.#unknown(digest);
    this.#deps.onLost(digest, bad.key);
    return bad;
  }

  /** Somebody may have stored the chunk again, or moved it, since the run began: then it lies in a pack that this run has not listed, and is read there. */
  async #movedWhole(digest: Uint8Array, before: ChunkLocation | undefined, options: CallOptions): Promise<boolean> {
    const { index, packs, chunks } = this.#deps;
    if (!this.#reloaded) await index.reload();
    this.#reloaded = true;
    const now = await index.find(digest, options);
    if (!now || (now.packId === before?.packId && packs.has(now.packId))) return false;
    try {
      await chunks.loadAt({ digest }, now, options);
      return true;
    } catch (error) {
      if (isDamage(error)) return false;
      throw error;
    }
  }

  #unknown(digest: Uint8Array): Bad {
    const problem = this.#deps.index.problem;
    return {
      kind: 'bad',
      key: problem?.details.key ?? TABLES_PREFIX,
      error: new RepositoryError({
        code: 'REPO_CHUNK_MISSING',
        message: `no index table knows the chunk ${toHex(digest)}`,
        details: { digest: toHex(digest) },
        hint: 'if an index table is damaged or lost, repair the repository: it is made again from the packs',
        ...(problem ? { cause: problem } : {}),
      }),
    };
  }

  #remember(digest: string): void {
    if (this.#clean.size < MAX_CLEAN) this.#clean.add(digest);
  }
}

function missing(digest: Uint8Array, key: string): Bad {
  return {
    kind: 'bad',
    key,
    error: new RepositoryError({
      code: 'REPO_CHUNK_MISSING',
      message: `${key} does not hold the chunk ${toHex(digest)} whole`,
      details: { key, digest: toHex(digest) },
    }),
  };
}

type Bad = { readonly kind: 'bad'; readonly key: string; readonly error: RepositoryError };
type Verdict = Bad | { readonly kind: 'good'; readonly key: string } | { readonly kind: 'elsewhere' };
type Read<T> = Bad | { readonly kind: 'elsewhere' } | { readonly kind: 'read'; readonly value: T };
