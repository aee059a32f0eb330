import { REQUEST_MAGIC } from '../protocol.ts';

export const REQUEST_BYTES = 28;

/** A request as it came; the payload of a write follows it. */
export interface Request {
  readonly flags: number;
  readonly command: number;
  /** Sent back as it came. */
  readonly cookie: bigint;
  /** May lie beyond what a number can say exactly; such an offset is beyond the end of any disk, and stays so when rounded. */
  readonly offset: number;
  readonly length: number;
}

/** Undefined without the magic: the stream cannot be understood from there on. */
export function decodeRequest(bytes: Buffer): Request | undefined {
  if (bytes.readUInt32BE(0) !== REQUEST_MAGIC) return undefined;
  return {
    flags: bytes.readUInt16BE(4),
    command: bytes.readUInt16BE(6),
    cookie: bytes.readBigUInt64BE(8),
    offset: Number(bytes.readBigUInt64BE(16)),
    length: bytes.readUInt32BE(24),
  };
}

export function encodeRequest(request: Request): Buffer {
  const bytes = Buffer.alloc(REQUEST_BYTES);
  bytes.writeUInt32BE(REQUEST_MAGIC, 0);
  bytes.writeUInt16BE(request.flags, 4);
  bytes.writeUInt16BE(request.command, 6);
  bytes.writeBigUInt64BE(request.cookie, 8);
  bytes.writeBigUInt64BE(BigInt(request.offset), 16);
  bytes.writeUInt32BE(request.length, 24);
  return bytes;
}
