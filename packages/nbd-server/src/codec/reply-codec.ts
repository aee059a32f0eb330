import type { Extent, ExtentKind } from '../export.ts';
import { CHUNK, CHUNK_FLAG_DONE, MAX_UINT32, SIMPLE_REPLY_MAGIC, STATE, STRUCTURED_REPLY_MAGIC } from '../protocol.ts';

const CHUNK_HEADER_BYTES = 20;
/** A multiple of every block size, so that what is cut into several descriptors is cut well. */
const MAX_DESCRIPTOR_BYTES = MAX_UINT32 - (MAX_UINT32 % (1024 * 1024));

export function encodeSimpleReply(cookie: bigint, errno: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32BE(SIMPLE_REPLY_MAGIC, 0);
  bytes.writeUInt32BE(errno, 4);
  bytes.writeBigUInt64BE(cookie, 8);
  return bytes;
}

export interface ChunkPlace {
  readonly cookie: bigint;
  /** Whether nothing follows for this request. */
  readonly done: boolean;
}

/** The head of a chunk of type OFFSET_DATA; `length` bytes of data follow. */
export function encodeDataHead(place: ChunkPlace, offset: number, length: number): Buffer {
  const bytes = chunk(place, CHUNK.OFFSET_DATA, 8, length);
  bytes.writeBigUInt64BE(BigInt(offset), CHUNK_HEADER_BYTES);
  return bytes;
}

export function encodeHole(place: ChunkPlace, offset: number, length: number): Buffer {
  const bytes = chunk(place, CHUNK.OFFSET_HOLE, 12);
  bytes.writeBigUInt64BE(BigInt(offset), CHUNK_HEADER_BYTES);
  bytes.writeUInt32BE(length, CHUNK_HEADER_BYTES + 8);
  return bytes;
}

export function encodeDone(cookie: bigint): Buffer {
  return chunk({ cookie, done: true }, CHUNK.NONE, 0);
}

export function encodeError(cookie: bigint, errno: number, message: string, offset?: number): Buffer {
  const text = Buffer.from(message).subarray(0, 1024);
  const type = offset === undefined ? CHUNK.ERROR : CHUNK.ERROR_OFFSET;
  const bytes = chunk({ cookie, done: true }, type, 6 + text.length + (offset === undefined ? 0 : 8));
  bytes.writeUInt32BE(errno, CHUNK_HEADER_BYTES);
  bytes.writeUInt16BE(text.length, CHUNK_HEADER_BYTES + 4);
  bytes.set(text, CHUNK_HEADER_BYTES + 6);
  if (offset !== undefined) bytes.writeBigUInt64BE(BigInt(offset), CHUNK_HEADER_BYTES + 6 + text.length);
  return bytes;
}

export function encodeBlockStatus(cookie: bigint, contextId: number, extents: readonly Extent[]): Buffer {
  const bytes = chunk({ cookie, done: true }, CHUNK.BLOCK_STATUS, 4 + 8 * extents.length);
  bytes.writeUInt32BE(contextId, CHUNK_HEADER_BYTES);
  for (const [n, { kind, length }] of extents.entries()) {
    bytes.writeUInt32BE(length, CHUNK_HEADER_BYTES + 4 + 8 * n);
    bytes.writeUInt32BE(FLAGS[kind], CHUNK_HEADER_BYTES + 8 + 8 * n);
  }
  return bytes;
}

const FLAGS: Readonly<Record<ExtentKind, number>> = { data: 0, zero: STATE.ZERO, hole: STATE.HOLE | STATE.ZERO };

/**
 * Extents as descriptors of one reply to a request of `length` bytes: neighbours of a kind joined, and only the last one may reach beyond the request
 * (with `one` there is only one, and it may not).
 */
export function describeExtents(extents: readonly Extent[], length: number, one: boolean): readonly Extent[] {
  const out: { kind: ExtentKind; length: number }[] = [];
  let covered = 0;
  for (const extent of extents) {
    const last = out.at(-1);
    const joins = last !== undefined && last.kind === extent.kind && last.length + extent.length <= MAX_DESCRIPTOR_BYTES;
    if (covered >= length && !joins) break;
    if (joins) last.length += extent.length;
    else if (one && last) break;
    else out.push({ kind: extent.kind, length: Math.min(extent.length, MAX_DESCRIPTOR_BYTES) });
    covered += extent.length;
    if (extent.length > MAX_DESCRIPTOR_BYTES) break;
  }
  const first = out[0];
  return one && first ? [{ kind: first.kind, length: Math.min(first.length, length) }] : out;
}

/** Room for the header, and for `fixed` bytes of the `fixed + following` that it announces. */
function chunk({ cookie, done }: ChunkPlace, type: number, fixed: number, following = 0): Buffer {
  const bytes = Buffer.alloc(CHUNK_HEADER_BYTES + fixed);
  bytes.writeUInt32BE(STRUCTURED_REPLY_MAGIC, 0);
  bytes.writeUInt16BE(done ? CHUNK_FLAG_DONE : 0, 4);
  bytes.writeUInt16BE(type, 6);
  bytes.writeBigUInt64BE(cookie, 8);
  bytes.writeUInt32BE(fixed + following, 16);
  return bytes;
}
