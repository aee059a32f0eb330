import { Decoder, Encoder } from '@toondepauw/node-zstd';
import type { ChunkCipher } from '../crypto/chunk-cipher.ts';
import type { Protection } from '../crypto/protection.ts';
import { RepositoryError } from '../errors.ts';
import { asBuffer, toHex } from '../format/bytes.ts';
import {
  CHUNK_HEADER_BYTES,
  type ChunkCodec,
  type ChunkHeader,
  type ChunkType,
  decodeChunkHeader,
  encodeChunkHeader,
  SEAL_OVERHEAD_BYTES,
} from '../format/chunk-header.ts';
import type { RepositoryConfig } from '../repository-api.ts';
import { type DigestFunction, digestFunction } from './digest.ts';
import { seemsIncompressible } from './incompressible.ts';
import { checkFrame, withContentSize } from './zstd-frame.ts';

/** The payload of a chunk as it will be stored. */
export interface EncodedChunk {
  readonly codec: ChunkCodec;
  readonly storedBytes: number;
  readonly parts: readonly Uint8Array[];
  /** Present when the parts are ciphertext, and thus never the caller's memory. */
  readonly encrypted?: true;
}

/** Whether the parts are memory of the caller's, which is needed until they are written. */
export function isLent(encoded: EncodedChunk): boolean {
  return encoded.codec === 'raw' && !encoded.encrypted;
}

/** Compresses and checks chunks on libuv's thread pool: the event loop only hands memory around. */
export class ChunkCodecs {
  readonly digest: DigestFunction;
  readonly #cipher: ChunkCipher | undefined;
  readonly #encoder: Encoder;
  readonly #probe = new Encoder(1);
  readonly #decoder = new Decoder();

  constructor(config: Pick<RepositoryConfig, 'compression'>, protection: Pick<Protection, 'digest' | 'cipher'>) {
    this.digest = digestFunction(protection.digest);
    this.#cipher = protection.cipher;
    this.#encoder = new Encoder(config.compression.level);
  }

  /**
   * The plain bytes are read until the promise settles; they may lie in shared memory. Stored raw when zstd does not, or would not, make them smaller;
   * sealed in an encrypted repository, for which type and digest are what it is bound to.
   */
  async encode(plain: Uint8Array, chunk: { readonly type: ChunkType; readonly digest: Uint8Array }): Promise<EncodedChunk> {
    const encoded = await this.#compress(plain);
    if (!this.#cipher) return encoded;
    const storedBytes = encoded.storedBytes + SEAL_OVERHEAD_BYTES;
    const { type, digest } = chunk;
    const header = encodeChunkHeader({ type, codec: encoded.codec, plainBytes: plain.length, storedBytes, digest, encrypted: true });
    return { codec: encoded.codec, storedBytes, parts: this.#cipher.seal(header, encoded.parts), encrypted: true };
  }

  async #compress(plain: Uint8Array): Promise<EncodedChunk> {
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
    const sealed = stored.subarray(CHUNK_HEADER_BYTES);
    checkAgreement(header, sealed, expected);
    const payload = this.#open(header, stored.subarray(0, CHUNK_HEADER_BYTES), sealed);
    const plain = header.codec === 'raw' ? payload : await this.#decompress(payload, header.plainBytes);
    if (!asBuffer(this.digest(plain)).equals(expected.digest)) throw corrupt(`the chunk ${toHex(expected.digest)} does not have its digest`);
    return plain;
  }

  #open(header: ChunkHeader, headerBytes: Uint8Array, payload: Uint8Array): Uint8Array {
    if (this.#cipher === undefined && !header.encrypted) return payload;
    if (!this.#cipher || !header.encrypted)
      throw corrupt(`the chunk ${toHex(header.digest)} is ${header.encrypted ? '' : 'not '}encrypted, unlike its repository`);
    return this.#cipher.open(headerBytes, payload);
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
