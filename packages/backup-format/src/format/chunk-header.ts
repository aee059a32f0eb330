import { DIGEST_BYTES } from '@onevault/base';
import { RepositoryError, type RepositoryErrorCode } from '../errors.ts';
import { asBuffer } from './bytes.ts';
import { MAX_CHUNK_BYTES } from './limits.ts';

/** docs/format.md section 5. */
export const CHUNK_HEADER_BYTES = 48;
export const CHUNK_TYPES = { data: 1, page: 2, root: 3, metadata: 4 } as const;
export const CHUNK_CODECS = { raw: 0, zstd: 1 } as const;
export type ChunkType = keyof typeof CHUNK_TYPES;
export type ChunkCodec = keyof typeof CHUNK_CODECS;

/** What encryption adds to a payload: 24 bytes of nonce before it, a tag of 16 behind it. */
export const SEAL_OVERHEAD_BYTES = 40;
const ENCRYPTIONS = { none: 0, sealed: 1 } as const;

const MAGIC = 0x6b63766f; // "ovck"
const TYPE_NAMES: readonly (ChunkType | undefined)[] = [undefined, 'data', 'page', 'root', 'metadata'];
const CODEC_NAMES: readonly (ChunkCodec | undefined)[] = ['raw', 'zstd'];

export interface ChunkHeader {
  readonly type: ChunkType;
  readonly codec: ChunkCodec;
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly digest: Uint8Array;
  /** Present when the payload is sealed. */
  readonly encrypted?: true;
}

/** A chunk's header and where it begins in its pack. */
export interface PackEntry extends ChunkHeader {
  readonly offset: number;
}

export function encodeChunkHeader(header: ChunkHeader): Buffer {
  const out = Buffer.alloc(CHUNK_HEADER_BYTES);
  out.writeUInt32LE(MAGIC, 0);
  out.writeUInt8(CHUNK_TYPES[header.type], 4);
  out.writeUInt8(CHUNK_CODECS[header.codec], 5);
  out.writeUInt8(header.encrypted ? ENCRYPTIONS.sealed : ENCRYPTIONS.none, 6);
  out.writeUInt32LE(header.plainBytes, 8);
  out.writeUInt32LE(header.storedBytes, 12);
  out.set(header.digest.subarray(0, DIGEST_BYTES), 16);
  return out;
}

/** Throws REPO_CHUNK_CORRUPT for anything but a header as section 5 has it (I12, I15). */
export function decodeChunkHeader(bytes: Uint8Array): ChunkHeader {
  if (bytes.length < CHUNK_HEADER_BYTES) throw invalid('REPO_CHUNK_CORRUPT', 'a chunk is shorter than its header');
  if (asBuffer(bytes).readUInt32LE(0) !== MAGIC) throw invalid('REPO_CHUNK_CORRUPT', 'a chunk does not begin with its magic');
  return decodeRecord(asBuffer(bytes), 'REPO_CHUNK_CORRUPT');
}

/** A trailer entry is the header with the chunk's offset in place of the magic. Throws REPO_PACK_INVALID. */
export function decodeTrailerEntry(bytes: Uint8Array): PackEntry {
  if (bytes.length < CHUNK_HEADER_BYTES) throw invalid('REPO_PACK_INVALID', 'a trailer entry is cut short');
  const buffer = asBuffer(bytes);
  return { offset: buffer.readUInt32LE(0), ...decodeRecord(buffer, 'REPO_PACK_INVALID') };
}

function decodeRecord(buffer: Buffer, code: RepositoryErrorCode): ChunkHeader {
  const type = TYPE_NAMES[buffer.readUInt8(4)];
  const codec = CODEC_NAMES[buffer.readUInt8(5)];
  if (!type) throw invalid(code, `a chunk has the unknown type ${buffer.readUInt8(4)}`);
  if (!codec) throw invalid(code, `a chunk has the unknown codec ${buffer.readUInt8(5)}`);
  const encryption = buffer.readUInt8(6);
  if (encryption !== ENCRYPTIONS.none && encryption !== ENCRYPTIONS.sealed) throw invalid(code, `a chunk has the unknown encryption ${encryption}`);
  const encrypted = encryption === ENCRYPTIONS.sealed;
  if (buffer.readUInt8(7) !== 0) throw invalid(code, 'a reserved byte of a chunk is not zero');
  const plainBytes = buffer.readUInt32LE(8);
  const storedBytes = buffer.readUInt32LE(12);
  if (plainBytes < 1 || plainBytes > MAX_CHUNK_BYTES) throw invalid(code, `a chunk of ${plainBytes} bytes is outside the limits of the format`);
  const payloadBytes = storedBytes - (encrypted ? SEAL_OVERHEAD_BYTES : 0);
  const lengthsAgree = codec === 'raw' ? payloadBytes === plainBytes : payloadBytes >= 1 && payloadBytes < plainBytes;
  if (!lengthsAgree) throw invalid(code, `a ${codec} chunk of ${plainBytes} bytes cannot be stored as ${storedBytes}`);
  const header = { type, codec, plainBytes, storedBytes, digest: buffer.subarray(16, 16 + DIGEST_BYTES) };
  return encrypted ? { ...header, encrypted } : header;
}

function invalid(code: RepositoryErrorCode, message: string): RepositoryError {
  return new RepositoryError({ code, message });
}
