import { Decoder, Encoder } from '@toondepauw/node-zstd';
import { RepositoryError } from '../errors.ts';
import { asBuffer, toHex } from '../format/bytes.ts';
import { CHUNK_HEADER_BYTES, type ChunkCodec, type ChunkHeader, decodeChunkHeader } from '../format/chunk-header.ts';
import type { RepositoryConfig } from '../repository-api.ts';
import { type DigestFunction, digestFunction } from './digest.ts';
import { seemsIncompressible } from './incompressible.ts';
import { checkFrame, withContentSize } from './zstd-frame.ts';

/** How a chunk will be stored; `parts` of a raw one are the caller's own memory. */
export interface EncodedChunk {
  readonly codec: ChunkCodec;
  readonly storedBytes: number;
  readonly parts: readonly Uint8Array[];
}

/** Compresses and checks chunks on libuv's thread pool: the event loop only hands memory around. */
export class ChunkCodecs {
  readonly digest: DigestFunction;
  readonly #encoder: Encoder;
  readonly #probe = new Encoder(1);
  readonly #decoder = new Decoder();

  constructor(config: Pick<RepositoryConfig, 'digest' | 'compression'>) {
    this.digest = digestFunction({ algorithm: config.digest });
    this.#encoder = new Encoder(config.compression.level);
  }

  /** The plain bytes are read until the promise settles; they may lie in shared memory. Stored raw when zstd does not, or would not, make them smaller. */
  async encode(plain: Uint8Array): Promise<EncodedChunk> {
    if (seemsIncompressible(plain, (sample) => this.#probe.encodeSync(sample))) return { codec: 'raw', storedBytes: plain.length, parts: [plain] };
    const parts = withContentSize(await this.#encoder.encode(asBuffer(plain)), plain.length);
    const storedBytes = parts.reduce((sum, part) => sum + part.length, 0);
    if (storedBytes < plain.length) return { codec: 'zstd', storedBytes, parts };
    return { codec: 'raw', storedBytes: plain.length, parts: [plain] };
  }

  /**
   * The plain bytes of a stored chunk (header and payload), checked against the digest that was asked for (I4, I16). Throws REPO_CHUNK_CORRUPT.
   * The result may share memory with `stored`.
   */
  async decode(stored: Uint8Array, expected: { readonly digest: Uint8Array; readonly plainBytes?: number }): Promise<Uint8Array> {
    const header = decodeChunkHeader(stored);
    const payload = stored.subarray(CHUNK_HEADER_BYTES);
    checkAgreement(header, payload, expected);
    const plain = header.codec === 'raw' ? payload : await this.#decompress(payload, header.plainBytes);
    if (!asBuffer(this.digest(plain)).equals(expected.digest)) throw corrupt(`the chunk ${toHex(expected.digest)} does not have its digest`);
    return plain;
  }

  async #decompress(payload: Uint8Array, plainBytes: number): Promise<Uint8Array> {
    checkFrame(payload, plainBytes);
    let plain: Uint8Array;
    try {
      plain = await this.#decoder.decode(asBuffer(payload));
    } catch (error) {
      throw corrupt(`a chunk does not decompress: ${error instanceof Error ? error.message : String(error)}`, error);
    }
    if (plain.length !== plainBytes) throw corrupt(`a chunk decompresses to ${plain.length} bytes instead of ${plainBytes}`);
    return plain;
  }
}

function checkAgreement(header: ChunkHeader, payload: Uint8Array, expected: { readonly digest: Uint8Array; readonly plainBytes?: number }): void {
  if (header.storedBytes !== payload.length) throw corrupt(`a chunk has ${payload.length} stored bytes where its header says ${header.storedBytes}`);
  if (!asBuffer(header.digest).equals(expected.digest)) throw corrupt(`the chunk ${toHex(header.digest)} lies where ${toHex(expected.digest)} should be`);
  if (expected.plainBytes !== undefined && header.plainBytes !== expected.plainBytes) {
    throw corrupt(`the chunk ${toHex(expected.digest)} has ${header.plainBytes} bytes instead of ${expected.plainBytes}`);
  }
}

function corrupt(message: string, cause?: unknown): RepositoryError {
  return new RepositoryError({ code: 'REPO_CHUNK_CORRUPT', message, cause });
}
