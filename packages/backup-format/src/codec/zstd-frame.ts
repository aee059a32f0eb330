import { RepositoryError } from '../errors.ts';
import { asBuffer } from '../format/bytes.ts';
import { MAX_ZSTD_WINDOW_BYTES } from '../format/limits.ts';

/** RFC 8878 section 3.1.1. */
const MAGIC = 0xfd2fb528;
const BLOCK_BYTES = 128 * 1024;
const BLOCKS_PER_BLOCK_BYTES = 16;

interface FrameHeader {
  readonly descriptor: number;
  readonly headerBytes: number;
  readonly contentBytes: number | undefined;
  readonly windowBytes: number;
  readonly checksum: boolean;
}

/**
 * The parts of a frame whose header says how much it decodes to. The encoder streams and leaves that out, but the format asks for it (docs/format.md section 5):
 * then the field is inserted behind the window descriptor, which changes nothing else. Copies only the header.
 */
export function withContentSize(frame: Uint8Array, plainBytes: number): readonly Uint8Array[] {
  const header = parseFrameHeader(asBuffer(frame));
  if (header.contentBytes !== undefined) return [frame];
  const head = Buffer.alloc(header.headerBytes + 4);
  head.set(frame.subarray(0, header.headerBytes));
  head.writeUInt8(header.descriptor | 0x80, 4);
  head.writeUInt32LE(plainBytes, header.headerBytes);
  return [head, frame.subarray(header.headerBytes)];
}

/**
 * Throws REPO_CHUNK_CORRUPT unless the bytes are one frame that says it holds `plainBytes` and cannot decode to much more. The library has no limit of its own:
 * 32 KiB can make it produce 1 GiB. Walking the block headers costs 3 bytes a block and bounds the output before anything is decoded (I15).
 */
export function checkFrame(frame: Uint8Array, plainBytes: number): void {
  const buffer = asBuffer(frame);
  const header = parseFrameHeader(buffer);
  if (header.contentBytes !== plainBytes)
    throw corrupt(`says it holds ${header.contentBytes ?? 'an unknown number of'} bytes where the chunk has ${plainBytes}`);
  if (header.windowBytes > MAX_ZSTD_WINDOW_BYTES) throw corrupt(`asks for a window of ${header.windowBytes} bytes`);
  const mostBlocks = BLOCKS_PER_BLOCK_BYTES * Math.ceil(plainBytes / BLOCK_BYTES);
  let at = header.headerBytes;
  for (let blocks = 1; ; blocks++) {
    if (blocks > mostBlocks) throw corrupt(`has more than ${mostBlocks} blocks`);
    if (at + 3 > buffer.length) throw corrupt('is cut short');
    const block = buffer.readUIntLE(at, 3);
    at += 3 + blockContentBytes(block);
    if (block & 1) break;
  }
  if (at + (header.checksum ? 4 : 0) !== buffer.length) throw corrupt('does not end where its chunk ends');
}

function blockContentBytes(block: number): number {
  const type = (block >> 1) & 3;
  const size = block >> 3;
  if (type === 3 || size > BLOCK_BYTES) throw corrupt('has an invalid block');
  return type === 1 ? 1 : size;
}

function parseFrameHeader(buffer: Buffer): FrameHeader {
  if (buffer.length < 6 || buffer.readUInt32LE(0) !== MAGIC) throw corrupt('does not begin with its magic');
  const descriptor = buffer.readUInt8(4);
  if ((descriptor & 0x1b) !== 0) throw corrupt('uses a dictionary or reserved bits');
  const singleSegment = (descriptor & 0x20) !== 0;
  const windowAt = 5;
  const contentAt = singleSegment ? windowAt : windowAt + 1;
  const contentField = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  const headerBytes = contentAt + contentField;
  if (buffer.length < headerBytes) throw corrupt('is cut short');
  const contentBytes = readContentSize(buffer, contentAt, contentField);
  const windowBytes = singleSegment ? (contentBytes ?? 0) : windowSize(buffer.readUInt8(windowAt));
  return { descriptor, headerBytes, contentBytes, windowBytes, checksum: (descriptor & 0x04) !== 0 };
}

function readContentSize(buffer: Buffer, at: number, bytes: number): number | undefined {
  if (bytes === 0) return undefined;
  if (bytes === 1) return buffer.readUInt8(at);
  if (bytes === 2) return buffer.readUInt16LE(at) + 256;
  if (bytes === 4) return buffer.readUInt32LE(at);
  return Number(buffer.readBigUInt64LE(at));
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function corrupt(message: string): RepositoryError {
  return new RepositoryError({ code: 'REPO_CHUNK_CORRUPT', message: `the zstd frame of a chunk ${message}` });
}
