import { clustersFor, ENTRY_BYTES, type Geometry, REFCOUNT_BYTES } from './geometry.ts';
import type { Layout } from './header.ts';

export type WriteAt = (offset: number, data: Uint8Array) => Promise<void>;

/**
 * Gives out the clusters of an image file in order and counts their references. In memory are one refcount block and the table of those that are written,
 * each as soon as its clusters are given out: 8 bytes for every 2 GiB of a file in clusters of 64 KiB.
 */
export class HostClusters {
  readonly #geometry: Geometry;
  readonly #write: WriteAt;
  readonly #beforeEdge: () => Promise<void>;
  #next = 0;
  #block: Buffer;
  /** Offsets of the refcount blocks that are written; the one in memory comes next. */
  readonly #blocks: number[] = [];

  /** `beforeEdge` is called before a refcount block is written: what still has to `share` a cluster in it does so now. */
  constructor(geometry: Geometry, write: WriteAt, beforeEdge: () => Promise<void>) {
    this.#geometry = geometry;
    this.#write = write;
    this.#beforeEdge = beforeEdge;
    this.#block = Buffer.alloc(geometry.clusterBytes);
    this.#count(0); // the header
    this.#next = 1;
  }

  /** Offset of a cluster that nobody had before. Consecutive calls give consecutive clusters, unless `atEdge`. */
  async allocate(): Promise<number> {
    if (this.atEdge) await this.#nextBlock();
    const index = this.#next++;
    this.#count(index);
    return index * this.#geometry.clusterBytes;
  }

  /** One more reference to the cluster at `offset`, one of those counted since the last edge. */
  share(offset: number): void {
    this.#count(offset / this.#geometry.clusterBytes);
  }

  /** Whether the next cluster would follow the one at `offset` (at an edge it does not). */
  isLast(offset: number): boolean {
    return offset === (this.#next - 1) * this.#geometry.clusterBytes && !this.atEdge;
  }

  /** The refcount block is full: the next cluster is counted by another. */
  get atEdge(): boolean {
    return this.#next === (this.#blocks.length + 1) * this.#geometry.refcountEntries;
  }

  async #nextBlock(): Promise<void> {
    await this.#beforeEdge();
    const full = this.#block;
    this.#block = Buffer.alloc(this.#geometry.clusterBytes);
    const index = this.#next++;
    this.#blocks.push(index * this.#geometry.clusterBytes); // before it is counted: it lies in the range of the new block
    this.#count(index);
    await this.#write(index * this.#geometry.clusterBytes, full);
  }

  #count(index: number): void {
    const at = (index - this.#blocks.length * this.#geometry.refcountEntries) * REFCOUNT_BYTES;
    this.#block.writeUInt16BE(this.#block.readUInt16BE(at) + 1, at);
  }

  /** Writes the L1 table and behind it all that is left of the refcounts, which count themselves too. */
  async finish(l1: Buffer): Promise<Layout & { readonly fileBytes: number }> {
    const { clusterBytes, refcountEntries } = this.#geometry;
    const l1Clusters = clustersFor(l1.length, this.#geometry);
    const first = this.#next;
    const { blocks, tableClusters } = tailOf(first + l1Clusters, this.#blocks.length, this.#geometry);
    const total = first + l1Clusters + blocks + tableClusters;
    await this.#write(first * clusterBytes, padded(l1, clusterBytes));
    let at = (first + l1Clusters) * clusterBytes;
    for (let counted = first; counted < total; ) {
      const end = Math.min(total, (this.#blocks.length + 1) * refcountEntries);
      for (; counted < end; counted++) this.#count(counted);
      await this.#write(at, this.#block);
      this.#blocks.push(at);
      this.#block = Buffer.alloc(clusterBytes);
      at += clusterBytes;
    }
    const table = Buffer.alloc(tableClusters * clusterBytes);
    for (const [index, offset] of this.#blocks.entries()) table.writeBigUInt64BE(BigInt(offset), index * ENTRY_BYTES);
    await this.#write(at, table);
    return { l1Offset: first * clusterBytes, refcountTableOffset: at, refcountTableClusters: tableClusters, fileBytes: total * clusterBytes };
  }
}

/**
 * How many refcount blocks and clusters of refcount table it takes to count `clusters` and themselves, when `written` blocks are among the clusters already.
 * More blocks only ever count more, so this ends.
 */
export function tailOf(clusters: number, written: number, geometry: Geometry): { readonly blocks: number; readonly tableClusters: number } {
  let blocks = 0;
  let tableClusters = 1;
  for (;;) {
    const total = clusters + blocks + tableClusters;
    const needed = Math.ceil(total / geometry.refcountEntries);
    const table = clustersFor(needed * ENTRY_BYTES, geometry);
    if (needed - written === blocks && table === tableClusters) return { blocks, tableClusters };
    blocks = needed - written;
    tableClusters = table;
  }
}

function padded(bytes: Buffer, clusterBytes: number): Buffer {
  const rest = bytes.length % clusterBytes;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(clusterBytes - rest)]);
}
