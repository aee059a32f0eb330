import type { FileHandle } from 'node:fs/promises';
import type { ReadBack } from '../read-back.ts';
import { type ClusterCodec, clusterCodec } from './cluster-codec.ts';
import { type Entry, readEntry } from './entries.ts';
import { ENTRY_BYTES, type Geometry, geometryOf } from './geometry.ts';
import { decodeHeader } from './header.ts';

const HEADER_BYTES = 112;

/** Reads an image as this package writes them: enough to read back what was exported, with one L2 table and one cluster in memory. */
export class Qcow2Image implements ReadBack {
  readonly sizeBytes: number;
  readonly #file: FileHandle;
  readonly #geometry: Geometry;
  readonly #codec: ClusterCodec;
  readonly #l1: Buffer;
  #l2: { readonly offset: number; readonly table: Buffer } | undefined;
  #decompressed: { readonly offset: number; readonly data: Uint8Array } | undefined;

  private constructor(file: FileHandle, geometry: Geometry, codec: ClusterCodec, l1: Buffer) {
    this.#file = file;
    this.#geometry = geometry;
    this.#codec = codec;
    this.#l1 = l1;
    this.sizeBytes = geometry.sizeBytes;
  }

  /** The file stays the caller's. Throws RangeError when it is no such image. */
  static async open(file: FileHandle): Promise<Qcow2Image> {
    const header = decodeHeader(await readAt(file, 0, HEADER_BYTES));
    const geometry = geometryOf(header.sizeBytes, 2 ** header.clusterBits);
    const l1 = await readAt(file, header.l1Offset, header.l1Entries * ENTRY_BYTES);
    return new Qcow2Image(file, geometry, clusterCodec(header.compression), l1);
  }

  async readInto(offset: number, target: Uint8Array): Promise<void> {
    const { clusterBytes } = this.#geometry;
    for (let done = 0; done < target.length; ) {
      const start = (offset + done) % clusterBytes;
      const piece = target.subarray(done, done + clusterBytes - start);
      await this.#readPiece(await this.#entryAt(offset + done), start, piece);
      done += piece.length;
    }
  }

  async holeEnd(offset: number): Promise<number> {
    const { l2Span, clusterBytes, sizeBytes } = this.#geometry;
    let at = offset;
    while (at < sizeBytes) {
      const isTable = this.#tableAt(at) !== 0;
      if (isTable && (await this.#entryAt(at)).kind !== 'unallocated') break;
      const step = isTable ? clusterBytes : l2Span;
      at = (Math.floor(at / step) + 1) * step;
    }
    return Math.min(at, sizeBytes);
  }

  async #readPiece(entry: Entry, start: number, target: Uint8Array): Promise<void> {
    if (entry.kind === 'unallocated') target.fill(0);
    else if (entry.kind === 'standard') target.set(await readAt(this.#file, entry.offset + start, target.length));
    else target.set((await this.#decompress(entry)).subarray(start, start + target.length));
  }

  async #decompress({ offset, length }: Extract<Entry, { kind: 'compressed' }>): Promise<Uint8Array> {
    if (this.#decompressed?.offset !== offset) {
      const data = await this.#codec.decompress(await readAt(this.#file, offset, length), this.#geometry.clusterBytes);
      this.#decompressed = { offset, data };
    }
    return this.#decompressed.data;
  }

  #tableAt(offset: number): number {
    const entry = readEntry(this.#l1, Math.floor(offset / this.#geometry.l2Span), this.#geometry.clusterBits);
    return entry.kind === 'standard' ? entry.offset : 0;
  }

  async #entryAt(offset: number): Promise<Entry> {
    const table = this.#tableAt(offset);
    if (table === 0) return { kind: 'unallocated' };
    const { clusterBytes, clusterBits, l2Entries } = this.#geometry;
    if (this.#l2?.offset !== table) this.#l2 = { offset: table, table: await readAt(this.#file, table, clusterBytes) };
    return readEntry(this.#l2.table, Math.floor(offset / clusterBytes) % l2Entries, clusterBits);
  }
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) throw new RangeError(`the image ends at ${offset + done}, before something it points to`);
    done += bytesRead;
  }
  return bytes;
}
