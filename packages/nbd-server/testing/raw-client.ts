import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encodeOptionReply } from '../src/codec/option-codec.ts';
import { encodeRequest, type Request } from '../src/codec/request-codec.ts';
import { CHUNK, OPTION, OPTION_MAGIC, REPLY, STRUCTURED_REPLY_MAGIC } from '../src/protocol.ts';
import { SocketChannel } from '../src/socket-channel.ts';

export interface OptionReply {
  readonly type: number;
  readonly data: Buffer;
}

export interface Chunk {
  readonly flags: number;
  readonly type: number;
  readonly cookie: bigint;
  readonly payload: Buffer;
}

/** Speaks as much of the protocol as a test wants, and anything else it is told to. */
export class RawClient {
  readonly socket: Socket;
  readonly #channel: SocketChannel;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.#channel = new SocketChannel(socket);
  }

  static async connect(path: string): Promise<RawClient> {
    const socket = connect(path);
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** Greets, and agrees to `flags`. */
  static async greet(path: string, flags = 3): Promise<RawClient> {
    const client = await RawClient.connect(path);
    await client.read(18);
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(flags, 0);
    await client.send(bytes);
    return client;
  }

  /** In transmission, by GO; with structured replies and base:allocation unless told otherwise. */
  static async enter(path: string, name: string, structured = true): Promise<RawClient> {
    const client = await RawClient.greet(path);
    if (structured) {
      await client.option(OPTION.STRUCTURED_REPLY);
      await client.option(OPTION.SET_META_CONTEXT, contextData(name, ['base:allocation']));
    }
    await client.option(OPTION.GO, infoData(name, []));
    return client;
  }

  async send(bytes: Uint8Array): Promise<void> {
    await this.#channel.write([bytes]);
  }

  /** What comes next; undefined when the server has ended the connection. */
  read(length: number): Promise<Buffer | undefined> {
    return this.#channel.read(length);
  }

  async need(length: number): Promise<Buffer> {
    const bytes = await this.read(length);
    if (!bytes) throw new Error('the server has ended the connection');
    return bytes;
  }

  /** Sends an option and gathers its replies, up to the one that ends them. */
  async option(option: number, data: Uint8Array = Buffer.alloc(0)): Promise<OptionReply[]> {
    await this.send(encodeOption(option, data));
    const replies: OptionReply[] = [];
    for (;;) {
      const head = await this.need(20);
      const type = head.readUInt32BE(12);
      replies.push({ type, data: await this.need(head.readUInt32BE(16)) });
      if (type === REPLY.ACK || type >= 0x80000000) return replies;
    }
  }

  async ask(request: Partial<Request> & { readonly command: number }, payload?: Uint8Array): Promise<void> {
    await this.send(encodeRequest({ flags: 0, cookie: 1n, offset: 0, length: 0, ...request }));
    if (payload) await this.send(payload);
  }

  async chunk(): Promise<Chunk> {
    const head = await this.need(20);
    if (head.readUInt32BE(0) !== STRUCTURED_REPLY_MAGIC) throw new Error('no structured reply');
    return { flags: head.readUInt16BE(4), type: head.readUInt16BE(6), cookie: head.readBigUInt64BE(8), payload: await this.need(head.readUInt32BE(16)) };
  }

  /** All chunks of the next reply; the test has one request under way. */
  async reply(): Promise<Chunk[]> {
    const chunks: Chunk[] = [];
    for (;;) {
      const chunk = await this.chunk();
      chunks.push(chunk);
      if ((chunk.flags & 1) !== 0) return chunks;
    }
  }

  async simpleReply(dataBytes = 0): Promise<{ readonly errno: number; readonly cookie: bigint; readonly data: Buffer }> {
    const head = await this.need(16);
    const errno = head.readUInt32BE(4);
    return { errno, cookie: head.readBigUInt64BE(8), data: errno === 0 ? await this.need(dataBytes) : Buffer.alloc(0) };
  }

  end(): void {
    this.socket.destroy();
  }
}

export function encodeOption(option: number, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(16 + data.length);
  bytes.writeBigUInt64BE(OPTION_MAGIC, 0);
  bytes.writeUInt32BE(option, 8);
  bytes.writeUInt32BE(data.length, 12);
  bytes.set(data, 16);
  return bytes;
}

export function infoData(name: string, wanted: readonly number[]): Buffer {
  const numbers = Buffer.alloc(2 + 2 * wanted.length);
  numbers.writeUInt16BE(wanted.length, 0);
  for (const [n, number] of wanted.entries()) numbers.writeUInt16BE(number, 2 + 2 * n);
  return Buffer.concat([text(name), numbers]);
}

export function contextData(name: string, queries: readonly string[]): Buffer {
  const count = Buffer.alloc(4);
  count.writeUInt32BE(queries.length, 0);
  return Buffer.concat([text(name), count, ...queries.map(text)]);
}

function text(value: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(value), 0);
  return Buffer.concat([length, Buffer.from(value)]);
}

/** The bytes that the chunks of a successful read stand for. */
export function assemble(chunks: readonly Chunk[], offset: number, length: number): Buffer {
  const out = Buffer.alloc(length, 0xee);
  for (const { type, payload } of chunks) {
    const at = type === CHUNK.NONE ? 0 : Number(payload.readBigUInt64BE(0)) - offset;
    if (type === CHUNK.OFFSET_DATA) out.set(payload.subarray(8), at);
    else if (type === CHUNK.OFFSET_HOLE) out.fill(0, at, at + payload.readUInt32BE(8));
    else if (type !== CHUNK.NONE) throw new Error(`a chunk of type ${type} in a read`);
  }
  return out;
}

/** Replies that a server sends during haggling, as a list: throws when the bytes are not that. */
export function splitReplies(bytes: Buffer): OptionReply[] {
  const replies: OptionReply[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at + 16);
    const data = bytes.subarray(at + 20, at + 20 + length);
    const reply = { type: bytes.readUInt32BE(at + 12), data };
    if (!encodeOptionReply(bytes.readUInt32BE(at + 8), reply.type, data).equals(bytes.subarray(at, at + 20 + length))) throw new Error('no reply');
    replies.push(reply);
    at += 20 + length;
  }
  return replies;
}
