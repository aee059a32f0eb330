import { availableParallelism } from 'node:os';
import { type CallOptions, mapOrdered } from '@onevault/base';
import type { Compression } from '../export-api.ts';
import type { FileWriter } from '../file-writer.ts';
import type { DiskRun } from '../source.ts';
import { clusterCodec } from './cluster-codec.ts';
import { cutClusters } from './cut-clusters.ts';
import { writeCompressedEntry, writeStandardEntry } from './entries.ts';
import { ENTRY_BYTES, type Geometry } from './geometry.ts';
import { encodeHeader, type Layout } from './header.ts';
import { HostClusters } from './host-clusters.ts';

/** A cluster under way: as it is, or compressed. */
interface Packed {
  readonly index: number;
  readonly data: Uint8Array;
  readonly compressed: boolean;
}

/** A cluster of the file that compressed ones are packed into. */
interface OpenCluster {
  readonly offset: number;
  readonly data: Buffer;
  filled: number;
}

/**
 * Writes an image to a new file in the order of the disk: data as it comes, each table when nothing can come into it any more, the header last, so that what was
 * interrupted is no image at all. Memory does not depend on the size of the disk, but for the L1 table: 256 KiB for 16 TiB. Returns the size of the file.
 */
export async function writeQcow2File(
  runs: AsyncIterable<DiskRun>,
  writer: FileWriter,
  image: { readonly geometry: Geometry; readonly compression: Compression | undefined },
  options: CallOptions,
): Promise<number> {
  const { geometry, compression } = image;
  const clusters = cutClusters(runs, geometry.clusterBytes);
  const builder = new ImageBuilder(geometry, (offset, data) => writer.write(offset, data, options));
  if (compression === undefined) for await (const { index, data } of clusters) await builder.add({ index, data, compressed: false });
  else for await (const packed of compressAll(clusters, compression, options)) await builder.add(packed);
  const { fileBytes, ...layout } = await builder.finish();
  await writer.write(0, encodeHeader(geometry, layout, compression), options);
  await writer.flush();
  return fileBytes;
}

async function* compressAll(clusters: ReturnType<typeof cutClusters>, compression: Compression, options: CallOptions): AsyncGenerator<Packed, void> {
  const codec = clusterCodec(compression);
  const pack = async ({ index, data }: { readonly index: number; readonly data: Uint8Array }): Promise<Packed> => {
    const plain = Buffer.from(data); // before the next step of the iteration takes its memory
    const compressed = await codec.compress(plain);
    return { index, data: compressed ?? plain, compressed: compressed !== undefined };
  };
  yield* mapOrdered(clusters, pack, { ...options, concurrency: 4 * availableParallelism() });
}

class ImageBuilder {
  readonly #geometry: Geometry;
  readonly #write: (offset: number, data: Uint8Array) => Promise<void>;
  readonly #host: HostClusters;
  readonly #l1: Buffer;
  #l2: { readonly index: number; readonly table: Buffer } | undefined;
  #open: OpenCluster | undefined;

  constructor(geometry: Geometry, write: (offset: number, data: Uint8Array) => Promise<void>) {
    this.#geometry = geometry;
    this.#write = write;
    this.#host = new HostClusters(geometry, write, () => this.#close());
    this.#l1 = Buffer.alloc(geometry.l1Entries * ENTRY_BYTES);
  }

  /** In the order of the disk. */
  async add({ index, data, compressed }: Packed): Promise<void> {
    const { l2Entries, clusterBits } = this.#geometry;
    const table = await this.#tableOf(Math.floor(index / l2Entries));
    if (compressed) {
      const offset = await this.#pack(data);
      writeCompressedEntry(table, index % l2Entries, { offset, length: data.length }, clusterBits);
    } else {
      const offset = await this.#host.allocate();
      writeStandardEntry(table, index % l2Entries, offset);
      await this.#write(offset, data);
    }
  }

  async finish(): Promise<Layout & { readonly fileBytes: number }> {
    await this.#endTable();
    await this.#close();
    return await this.#host.finish(this.#l1);
  }

  async #tableOf(index: number): Promise<Buffer> {
    if (this.#l2?.index !== index) {
      await this.#endTable();
      this.#l2 = { index, table: Buffer.alloc(this.#geometry.clusterBytes) };
    }
    return (this.#l2 as { readonly table: Buffer }).table;
  }

  async #endTable(): Promise<void> {
    if (!this.#l2) return;
    const { index, table } = this.#l2;
    this.#l2 = undefined;
    const offset = await this.#host.allocate();
    writeStandardEntry(this.#l1, index, offset);
    await this.#write(offset, table);
  }

  /**
   * Puts compressed bytes behind the last ones, also across the end of their cluster when the next one follows in the file. Where it does not, because a whole
   * cluster was written meanwhile, the rest stays open for what fits. Every cluster that is touched has one more reference.
   */
  async #pack(data: Uint8Array): Promise<number> {
    const { clusterBytes } = this.#geometry;
    if (this.#open && this.#open.filled + data.length <= clusterBytes) {
      this.#host.share(this.#open.offset);
      return this.#fill(this.#open, data);
    }
    if (this.#open && this.#open.filled < clusterBytes && this.#host.isLast(this.#open.offset)) {
      const { offset, filled } = this.#open;
      this.#host.share(offset);
      const head = data.subarray(0, clusterBytes - filled);
      this.#fill(this.#open, head);
      await this.#close();
      this.#open = await this.#newOpen();
      this.#fill(this.#open, data.subarray(head.length));
      return offset + filled;
    }
    await this.#close();
    this.#open = await this.#newOpen();
    return this.#fill(this.#open, data);
  }

  async #newOpen(): Promise<OpenCluster> {
    return { offset: await this.#host.allocate(), data: Buffer.alloc(this.#geometry.clusterBytes), filled: 0 };
  }

  #fill(open: OpenCluster, data: Uint8Array): number {
    open.data.set(data, open.filled);
    open.filled += data.length;
    return open.offset + open.filled - data.length;
  }

  async #close(): Promise<void> {
    if (!this.#open) return;
    const { offset, data } = this.#open;
    this.#open = undefined;
    await this.#write(offset, data);
  }
}
