import { BLOCK_BYTES, invalidTar, parseHeader, parsePax, type RawHeader, type TarHeader, withRecords } from './tar-header.ts';

export interface TarEntry {
  readonly header: TarHeader;
  /** Header and extension blocks as they came. */
  readonly blocks: Buffer;
  /** The bytes of the entry; what is not taken is skipped. To be taken before the next entry is asked for. */
  body(): AsyncGenerator<Buffer, void>;
  /** The body with what fills its last block. */
  paddedBody(): AsyncGenerator<Buffer, void>;
}

/** Long names and records of one entry; GNU tar writes a few hundred bytes. */
const MAX_EXTENSION_BYTES = 2 ** 20;

/**
 * The entries of a tar archive in their order. Extended headers (pax) and long names (GNU) are taken into the entry they belong to. Throws
 * FILES_TAR_INVALID for what is no archive, and for one that ends without its end mark.
 */
export async function* readTar(source: AsyncIterable<Buffer>): AsyncGenerator<TarEntry, void> {
  const bytes = new ByteSource(source);
  try {
    for (let next = await nextHeader(bytes); next !== undefined; next = await nextHeader(bytes)) {
      const { header, blocks } = next;
      const end = bytes.position + header.sizeBytes;
      const padded = end + ((BLOCK_BYTES - (header.sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES);
      yield { header, blocks, body: () => bytes.upTo(end), paddedBody: () => bytes.upTo(padded) };
      await bytes.skipTo(padded);
    }
    await bytes.drain();
  } finally {
    await bytes.close();
  }
}

async function nextHeader(bytes: ByteSource): Promise<{ readonly header: RawHeader; readonly blocks: Buffer } | undefined> {
  const blocks: Buffer[] = [];
  const records = new Map<string, Buffer>();
  for (;;) {
    const block = await bytes.take(BLOCK_BYTES);
    if (block.every((byte) => byte === 0)) {
      if (blocks.length > 0) throw invalidTar('it ends after an extended header');
      return undefined;
    }
    blocks.push(block);
    const header = parseHeader(block);
    const extension = EXTENSIONS[header.typeFlag];
    if (extension === undefined) return { header: withRecords(header, records), blocks: Buffer.concat(blocks) };
    const padded = Math.ceil(header.sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
    if (padded > MAX_EXTENSION_BYTES || blocks.length > 64) throw invalidTar('the extended headers of an entry are too long');
    const body = await bytes.take(padded);
    blocks.push(body);
    extension(body.subarray(0, header.sizeBytes), records);
  }
}

const EXTENSIONS: Readonly<Record<string, (body: Buffer, records: Map<string, Buffer>) => void>> = {
  L: (body, records) => void records.set('path', untilNul(body)),
  K: (body, records) => void records.set('linkpath', untilNul(body)),
  x: (body, records) => {
    for (const [key, value] of parsePax(body)) records.set(key, value);
  },
  g: () => undefined, // defaults for the archive: GNU tar writes none that concern us
};

function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/** Bytes of a stream by position. */
class ByteSource {
  position = 0;
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  async take(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.upTo(this.position + length)) parts.push(part);
    return Buffer.concat(parts);
  }

  async *upTo(end: number): AsyncGenerator<Buffer, void> {
    while (this.position < end) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done === true) throw invalidTar('it ends too early');
        this.#rest = next.value;
        continue;
      }
      const part = this.#rest.subarray(0, end - this.position);
      this.#rest = this.#rest.subarray(part.length);
      this.position += part.length;
      yield part;
    }
  }

  async skipTo(end: number): Promise<void> {
    for await (const _ of this.upTo(end));
  }

  /** Whoever leaves early lets the source go, too. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  /** To the end of the source, so that what ends it (a failure too) is heard. What follows an archive's end mark is its filling. */
  async drain(): Promise<void> {
    while ((await this.#chunks.next()).done !== true);
  }
}
