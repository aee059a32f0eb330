import { ALLOCATION_CONTEXT, HANDSHAKE, INFO, MAX_STRING_BYTES, NBD_MAGIC, OPTION_MAGIC, OPTION_REPLY_MAGIC, REPLY } from '../protocol.ts';

export const CLIENT_FLAGS_BYTES = 4;
export const OPTION_HEADER_BYTES = 16;
/** Longest option data that is looked at: a name and some hundred queries. */
export const MAX_OPTION_BYTES = 64 * 1024;
export const MAX_QUERIES = 256;

/** The first message of the server. */
export function encodeGreeting(): Buffer {
  const bytes = Buffer.alloc(18);
  bytes.writeBigUInt64BE(NBD_MAGIC, 0);
  bytes.writeBigUInt64BE(OPTION_MAGIC, 8);
  bytes.writeUInt16BE(HANDSHAKE.FIXED_NEWSTYLE | HANDSHAKE.NO_ZEROES, 16);
  return bytes;
}

export interface ClientFlags {
  readonly fixedNewstyle: boolean;
  readonly noZeroes: boolean;
}

/** Undefined for flags that are not ours to understand: the protocol wants the connection dropped. */
export function decodeClientFlags(bytes: Buffer): ClientFlags | undefined {
  const flags = bytes.readUInt32BE(0);
  if ((flags & ~(HANDSHAKE.FIXED_NEWSTYLE | HANDSHAKE.NO_ZEROES)) !== 0) return undefined;
  return { fixedNewstyle: (flags & HANDSHAKE.FIXED_NEWSTYLE) !== 0, noZeroes: (flags & HANDSHAKE.NO_ZEROES) !== 0 };
}

export interface OptionHeader {
  readonly option: number;
  readonly length: number;
}

/** Undefined without the magic: what follows cannot be understood either. */
export function decodeOptionHeader(bytes: Buffer): OptionHeader | undefined {
  if (bytes.readBigUInt64BE(0) !== OPTION_MAGIC) return undefined;
  return { option: bytes.readUInt32BE(8), length: bytes.readUInt32BE(12) };
}

export function encodeOptionReply(option: number, type: number, data: Uint8Array = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(20 + data.length);
  bytes.writeBigUInt64BE(OPTION_REPLY_MAGIC, 0);
  bytes.writeUInt32BE(option, 8);
  bytes.writeUInt32BE(type, 12);
  bytes.writeUInt32BE(data.length, 16);
  bytes.set(data, 20);
  return bytes;
}

/** One export in the answer to LIST. */
export function encodeListed(option: number, name: string, description: string | undefined): Buffer {
  return encodeOptionReply(option, REPLY.SERVER, Buffer.concat([encodeString(name), Buffer.from(description ?? '')]));
}

export function encodeContext(option: number, id: number): Buffer {
  const data = Buffer.alloc(4);
  data.writeUInt32BE(id, 0);
  return encodeOptionReply(option, REPLY.META_CONTEXT, Buffer.concat([data, Buffer.from(ALLOCATION_CONTEXT)]));
}

export function encodeExportInfo(option: number, sizeBytes: number, flags: number): Buffer {
  const data = Buffer.alloc(12);
  data.writeUInt16BE(INFO.EXPORT, 0);
  data.writeBigUInt64BE(BigInt(sizeBytes), 2);
  data.writeUInt16BE(flags, 10);
  return encodeOptionReply(option, REPLY.INFO, data);
}

export function encodeTextInfo(option: number, type: number, text: string): Buffer {
  const data = Buffer.alloc(2);
  data.writeUInt16BE(type, 0);
  return encodeOptionReply(option, REPLY.INFO, Buffer.concat([data, Buffer.from(text)]));
}

export function encodeBlockSizeInfo(option: number, sizes: { readonly minimum: number; readonly preferred: number; readonly maximum: number }): Buffer {
  const data = Buffer.alloc(14);
  data.writeUInt16BE(INFO.BLOCK_SIZE, 0);
  data.writeUInt32BE(sizes.minimum, 2);
  data.writeUInt32BE(sizes.preferred, 6);
  data.writeUInt32BE(sizes.maximum, 10);
  return encodeOptionReply(option, REPLY.INFO, data);
}

/** The answer to EXPORT_NAME, which has no reply header. */
export function encodeExportName(sizeBytes: number, flags: number, noZeroes: boolean): Buffer {
  const bytes = Buffer.alloc(noZeroes ? 10 : 134);
  bytes.writeBigUInt64BE(BigInt(sizeBytes), 0);
  bytes.writeUInt16BE(flags, 8);
  return bytes;
}

export interface InfoRequest {
  readonly name: string;
  readonly wanted: readonly number[];
}

/** Data of INFO and GO; undefined when it is not of that form. */
export function decodeInfoRequest(data: Buffer): InfoRequest | undefined {
  const name = decodeString(data, 0);
  if (!name || data.length < name.end + 2) return undefined;
  const count = data.readUInt16BE(name.end);
  if (data.length !== name.end + 2 + 2 * count) return undefined;
  return { name: name.text, wanted: Array.from({ length: count }, (_, n) => data.readUInt16BE(name.end + 2 + 2 * n)) };
}

export interface ContextRequest {
  readonly name: string;
  readonly queries: readonly string[];
}

/** Data of LIST_META_CONTEXT and SET_META_CONTEXT; undefined when it is not of that form, `too-big` for more queries than anybody has reason to send. */
export function decodeContextRequest(data: Buffer): ContextRequest | 'too-big' | undefined {
  const name = decodeString(data, 0);
  if (!name || data.length < name.end + 4) return undefined;
  const count = data.readUInt32BE(name.end);
  if (count > MAX_QUERIES) return 'too-big';
  const queries: string[] = [];
  let at = name.end + 4;
  for (let n = 0; n < count; n++) {
    const query = decodeString(data, at);
    if (!query) return undefined;
    queries.push(query.text);
    at = query.end;
  }
  return at === data.length ? { name: name.text, queries } : undefined;
}

/** A name without a length before it, as EXPORT_NAME has it; undefined when it is none. */
export function decodeName(data: Buffer): string | undefined {
  if (data.length > MAX_STRING_BYTES || data.includes(0)) return undefined;
  const text = data.toString('utf8');
  return Buffer.byteLength(text) === data.length && !text.includes('\ufffd') ? text : undefined;
}

function decodeString(data: Buffer, at: number): { readonly text: string; readonly end: number } | undefined {
  if (data.length < at + 4) return undefined;
  const end = at + 4 + data.readUInt32BE(at);
  if (end > data.length) return undefined;
  const text = decodeName(data.subarray(at + 4, end));
  return text === undefined ? undefined : { text, end };
}

function encodeString(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length, 0);
  return Buffer.concat([length, bytes]);
}
