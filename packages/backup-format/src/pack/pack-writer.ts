import type { CallOptions } from '@onevault/base';
import { type EncodedChunk, isLent } from '../codec/chunk-codec.ts';
import { CHUNK_HEADER_BYTES, type ChunkType, encodeChunkHeader } from '../format/chunk-header.ts';
import { packKey } from '../format/ids.ts';
import { MAX_PACK_BYTES, PACK_TARGET_BYTES, PACK_TARGET_CHUNKS } from '../format/limits.ts';
import { encodePackHeader, encodePackTail, PACK_FOOTER_BYTES, PACK_HEADER_BYTES, type PackIdentity } from '../format/pack-layout.ts';
import type { IndexedPack } from '../index/table-writer.ts';
import type { ObjectStore, ObjectWriter } from '../store/object-store.ts';

/** Compressed chunks are gathered up to this before they go to the store: one system call for many small chunks. */
const PACK_BUFFER_BYTES = 1024 * 1024;

export interface NewChunk {
  readonly type: ChunkType;
  readonly digest: Uint8Array;
  readonly plainBytes: number;
  readonly encoded: EncodedChunk;
}

/** One pack while it grows: streamed to the store, never held. Calls come one at a time. */
export class PackWriter {
  readonly #identity: PackIdentity;
  readonly #writer: ObjectWriter;
  readonly #header: Buffer;
  #trailer = Buffer.allocUnsafe(64 * CHUNK_HEADER_BYTES);
  #chunks = 0;
  #packBytes = PACK_HEADER_BYTES;
  #buffered: Uint8Array[];
  #bufferedBytes = 0;

  private constructor(writer: ObjectWriter, identity: PackIdentity, header: Buffer) {
    this.#writer = writer;
    this.#identity = identity;
    this.#header = header;
    this.#buffered = [header];
  }

  static async open(store: ObjectStore, identity: PackIdentity, options: CallOptions = {}): Promise<PackWriter> {
    const writer = await store.create(packKey(identity.packId), options);
    return new PackWriter(writer, identity, encodePackHeader(identity));
  }

  get packId(): string {
    return this.#identity.packId;
  }

  get full(): boolean {
    return this.#packBytes >= PACK_TARGET_BYTES || this.#chunks >= PACK_TARGET_CHUNKS;
  }

  /** Whether a chunk still fits below the hard limit of the format. */
  fits(storedBytes: number): boolean {
    return this.#packBytes + storedBytes + (this.#chunks + 2) * CHUNK_HEADER_BYTES + PACK_FOOTER_BYTES <= MAX_PACK_BYTES;
  }

  /** When it resolves, memory lent for a chunk is no longer needed; a chunk with memory of its own is kept until there is enough to write. */
  async append(chunk: NewChunk, options: CallOptions = {}): Promise<void> {
    const { type, digest, plainBytes, encoded } = chunk;
    const { codec, storedBytes } = encoded;
    const header = encodeChunkHeader({ type, codec, plainBytes, storedBytes, digest, ...(this.#identity.sum.encrypted && { encrypted: true }) });
    this.#addToTrailer(header);
    this.#buffered.push(header, ...encoded.parts);
    this.#bufferedBytes += header.length + encoded.storedBytes;
    this.#packBytes += header.length + encoded.storedBytes;
    // Lent by a scan that waits for it: never kept back.
    if (isLent(encoded) || this.#bufferedBytes >= PACK_BUFFER_BYTES) await this.#flush(options);
  }

  #addToTrailer(header: Buffer): void {
    const at = this.#chunks * CHUNK_HEADER_BYTES;
    if (at === this.#trailer.length) this.#trailer = Buffer.concat([this.#trailer, Buffer.allocUnsafe(this.#trailer.length)]);
    header.copy(this.#trailer, at);
    this.#trailer.writeUInt32LE(this.#packBytes, at);
    this.#chunks += 1;
  }

  async #flush(options: CallOptions): Promise<void> {
    const parts = this.#buffered;
    this.#buffered = [];
    this.#bufferedBytes = 0;
    if (parts.length > 0) await this.#writer.write(parts, options);
  }

  /** Trailer, footer, durable. The pack as an index table will describe it. */
  async finish(options: CallOptions = {}): Promise<IndexedPack> {
    const trailer = Buffer.from(this.#trailer.subarray(0, this.#chunks * CHUNK_HEADER_BYTES));
    const tail = encodePackTail(this.#identity, this.#header, trailer, this.#packBytes);
    this.#buffered.push(tail);
    await this.#flush(options);
    await this.#writer.commit(options);
    return { packId: this.packId, packBytes: this.#packBytes + tail.length, chunks: this.#chunks, trailer };
  }

  abort(): Promise<void> {
    return this.#writer.abort();
  }
}
