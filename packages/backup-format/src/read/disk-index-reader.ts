import { type BlockGrid, type CallOptions, DIGEST_BYTES } from '@onevault/base';
import { atPlace } from '../errors.ts';
import { asBuffer, fromHex, isZero, ZERO_HEX } from '../format/bytes.ts';
import { decodeRoot, PAGE_BYTES, pageCount, pageDigests, ROOT_HEADER_BYTES } from '../format/disk-index-layout.ts';
import { PAGE_DIGESTS } from '../format/limits.ts';
import { LruCache } from '../lru-cache.ts';
import type { StoredDisk } from '../repository-api.ts';
import type { ChunkReader } from './chunk-reader.ts';

/** Pages of one disk index in memory: 2 MiB, 64 Ki blocks; scans and restores move through them once. */
const CACHED_PAGES = 64;
const ZERO_PAGE = Buffer.alloc(PAGE_BYTES);

/**
 * The two-level index of one disk. Pages and the root are loaded once for all who ask at the time, so no single caller's signal ends a load.
 * Memory: the root (32 bytes for 1024 blocks) and CACHED_PAGES pages.
 */
export class DiskIndexReader {
  readonly grid: BlockGrid;
  readonly #disk: StoredDisk;
  readonly #chunks: ChunkReader;
  readonly #pages = new LruCache<Promise<Buffer>>(CACHED_PAGES, () => 1);
  #root: Promise<Buffer | undefined> | undefined;

  constructor(grid: BlockGrid, disk: StoredDisk, chunks: ChunkReader) {
    this.grid = grid;
    this.#disk = disk;
    this.#chunks = chunks;
  }

  /** The digest of a page, from the root alone; the zero digest for a page of zeros. Throws REPO_CHUNK_*, REPO_PAGE_CORRUPT when the root is damaged. */
  async pageDigest(page: number, options: CallOptions = {}): Promise<Uint8Array> {
    const root = await this.root(options);
    return root ? root.subarray(page * DIGEST_BYTES, (page + 1) * DIGEST_BYTES) : ZERO_PAGE.subarray(0, DIGEST_BYTES);
  }

  /** All page digests; undefined for a disk that reads as zeros. */
  root(options: CallOptions = {}): Promise<Buffer | undefined> {
    options.signal?.throwIfAborted();
    this.#root ??= this.#loadRoot().catch((error: unknown) => {
      this.#root = undefined;
      throw error;
    });
    return this.#root;
  }

  async #loadRoot(): Promise<Buffer | undefined> {
    const { root, key } = this.#disk;
    if (root === ZERO_HEX) return undefined;
    const plainBytes = ROOT_HEADER_BYTES + pageCount(this.grid) * DIGEST_BYTES;
    const bytes = await this.#chunks.load({ digest: fromHex(root), plainBytes });
    return atPlace({ diskKey: key, digest: root }, () => decodeRoot(this.grid, bytes));
  }

  /** The digests of one page, checked. */
  async page(page: number, options: CallOptions = {}): Promise<Buffer> {
    const digest = await this.pageDigest(page, options);
    const plainBytes = pageDigests(this.grid, page) * DIGEST_BYTES;
    if (isZero(digest)) return ZERO_PAGE.subarray(0, plainBytes);
    const cached = this.#pages.get(String(page));
    if (cached !== undefined) return cached;
    const loading = this.#chunks.load({ digest, plainBytes }).then(asBuffer);
    this.#pages.set(String(page), loading);
    // Damage may be healed, and a store may come back.
    loading.catch(() => this.#pages.delete(String(page)));
    return loading;
  }

  /** Digests of blocks `first .. first + count - 1`, one after the other. */
  async digests(first: number, count: number, options: CallOptions = {}): Promise<Uint8Array> {
    if (count < 0 || first < 0 || first + count > this.grid.blockCount)
      throw new RangeError(`blocks ${first} to ${first + count} are outside a disk of ${this.grid.blockCount}`);
    const parts: Uint8Array[] = [];
    for (let at = first; at < first + count; ) {
      const page = Math.floor(at / PAGE_DIGESTS);
      const end = Math.min(first + count, (page + 1) * PAGE_DIGESTS);
      const digests = await this.page(page, options);
      parts.push(digests.subarray((at - page * PAGE_DIGESTS) * DIGEST_BYTES, (end - page * PAGE_DIGESTS) * DIGEST_BYTES));
      at = end;
    }
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
  }
}
