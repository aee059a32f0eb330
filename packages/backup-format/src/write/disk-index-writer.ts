import { type BlockGrid, DIGEST_BYTES } from '@onevault/base';
import { isZero, toHex, ZERO_DIGEST, ZERO_HEX } from '../format/bytes.ts';
import { encodeRoot, PAGE_BYTES, pageCount, pageDigests } from '../format/disk-index-layout.ts';
import { PAGE_DIGESTS } from '../format/limits.ts';

/** Stores a page or root and answers its digest. The bytes may be reused once it resolves. */
export type StorePage = (type: 'page' | 'root', bytes: Uint8Array) => Promise<Uint8Array>;

/** Builds the two-level index of one disk from its digests in order. Memory: one page, and 32 bytes for every page. */
export class DiskIndexWriter {
  readonly #grid: BlockGrid;
  readonly #storePage: StorePage;
  readonly #pages: Buffer;
  readonly #page = Buffer.alloc(PAGE_BYTES);
  #next = 0;

  constructor(grid: BlockGrid, storePage: StorePage) {
    this.#grid = grid;
    this.#storePage = storePage;
    this.#pages = Buffer.alloc(pageCount(grid) * DIGEST_BYTES);
  }

  /** Index of the block whose digest comes next. */
  get next(): number {
    return this.#next;
  }

  /** The page that begins at the next block and lies whole within the next `count` blocks, if there is one. */
  wholePage(count: number): number | undefined {
    if (this.#next % PAGE_DIGESTS !== 0 || count <= 0) return undefined;
    const page = this.#next / PAGE_DIGESTS;
    return count >= pageDigests(this.#grid, page) ? page : undefined;
  }

  /** Takes a whole page by its digest, the zero digest included. */
  addPage(digest: Uint8Array): void {
    const page = this.#next / PAGE_DIGESTS;
    this.#pages.set(digest.subarray(0, DIGEST_BYTES), page * DIGEST_BYTES);
    this.#next += pageDigests(this.#grid, page);
  }

  /** Takes digests of blocks, one after the other. */
  async add(digests: Uint8Array): Promise<void> {
    for (let at = 0; at < digests.length; ) {
      const slot = this.#next % PAGE_DIGESTS;
      const take = Math.min(digests.length - at, (PAGE_DIGESTS - slot) * DIGEST_BYTES);
      this.#page.set(digests.subarray(at, at + take), slot * DIGEST_BYTES);
      at += take;
      await this.#advance(take / DIGEST_BYTES);
    }
  }

  async addZeros(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      const page = this.wholePage(left);
      const slot = this.#next % PAGE_DIGESTS;
      const take = page === undefined ? Math.min(left, PAGE_DIGESTS - slot) : pageDigests(this.#grid, page);
      left -= take;
      if (page !== undefined) this.addPage(ZERO_DIGEST);
      else {
        this.#page.fill(0, slot * DIGEST_BYTES, (slot + take) * DIGEST_BYTES);
        await this.#advance(take);
      }
    }
  }

  async #advance(count: number): Promise<void> {
    this.#next += count;
    const page = Math.ceil(this.#next / PAGE_DIGESTS) - 1;
    const blocks = pageDigests(this.#grid, page);
    if (this.#next < page * PAGE_DIGESTS + blocks) return;
    const bytes = this.#page.subarray(0, blocks * DIGEST_BYTES);
    const digest = isZero(bytes) ? ZERO_DIGEST : await this.#storePage('page', bytes);
    this.#pages.set(digest.subarray(0, DIGEST_BYTES), page * DIGEST_BYTES);
  }

  /** Stores the root; hex of its digest, zeros for a disk that reads as zeros (I5). */
  async finish(): Promise<string> {
    if (this.#next !== this.#grid.blockCount) throw new RangeError(`the disk index ends at block ${this.#next} of ${this.#grid.blockCount}`);
    if (isZero(this.#pages)) return ZERO_HEX;
    return toHex(await this.#storePage('root', encodeRoot(this.#grid, this.#pages)));
  }
}
