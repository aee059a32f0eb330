import { blockGrid } from '@onevault/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkCodecs } from '../src/codec/chunk-codec.ts';
import { checkFrame } from '../src/codec/zstd-frame.ts';
import { plainProtection } from '../src/crypto/protection.ts';
import { canonicalJson } from '../src/format/canonical-json.ts';
import { decodeChunkHeader, decodeTrailerEntry, encodeChunkHeader } from '../src/format/chunk-header.ts';
import { decodeConfig } from '../src/format/config.ts';
import { decodeRoot, encodeRoot } from '../src/format/disk-index-layout.ts';
import { decodeEnvelope, encodeEnvelope } from '../src/format/envelope.ts';
import { plainEnvelopes } from '../src/format/envelopes.ts';
import { decodeManifest } from '../src/format/manifest.ts';
import { decodePackEntries, decodePackFooter, encodePackHeader, encodePackTail } from '../src/format/pack-layout.ts';
import { plainSum } from '../src/format/structure-sum.ts';
import { decodeTableFooter, decodeTablePage, encodeTableFooter, encodeTablePage } from '../src/format/table-layout.ts';
import { isRepositoryError, type Json } from '../src/index.ts';

const codecs = new ChunkCodecs({ compression: { codec: 'zstd', level: 3 } }, plainProtection('blake3'));
const TABLE_ID = '20261122T190011123Z-0123456789abcdef';
const bytes = (maxLength: number, minLength = 0): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength, maxLength });
const hex32 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((id) => Buffer.from(id).toString('hex'));
/** Text, repetition and noise: what compresses and what does not. */
const plain = fc.oneof(
  bytes(5000, 1),
  fc.tuple(bytes(40, 1), fc.integer({ min: 1, max: 8000 })).map(([part, times]) => Buffer.alloc(part.length * times, part)),
);

async function stored(data: Uint8Array): Promise<{ readonly chunk: Buffer; readonly digest: Uint8Array }> {
  const digest = codecs.digest(data);
  const { codec, storedBytes, parts } = await codecs.encode(data, { type: 'data', digest });
  return { chunk: Buffer.concat([encodeChunkHeader({ type: 'data', codec, plainBytes: data.length, storedBytes, digest }), ...parts]), digest };
}

/** The only thing a decoder may throw. */
async function expectTyped(decode: () => unknown): Promise<void> {
  try {
    await decode();
  } catch (error) {
    if (!isRepositoryError(error)) throw error;
  }
}

function mutate(frame: Uint8Array, changes: readonly (readonly [number, number])[], cut: number): Buffer {
  const out = Buffer.from(frame);
  for (const [at, value] of changes) if (out.length > 0) out[at % out.length] = value;
  return out.subarray(0, out.length - (cut % (out.length + 1)));
}
const changes = fc.array(fc.tuple(fc.nat(1 << 20), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }) as fc.Arbitrary<[number, number][]>;
const cut = fc.oneof(fc.constant(0), fc.nat(200));

describe('chunks', () => {
  it('I4: any bytes come back from a chunk', () =>
    fc.assert(
      fc.asyncProperty(plain, async (data) => {
        const { chunk, digest } = await stored(data);
        expect(chunk.length).toBeLessThanOrEqual(48 + data.length);
        expect(Buffer.compare(await codecs.decode(chunk, { digest, plainBytes: data.length }), data)).toBe(0);
      }),
      { numRuns: 60 },
    ));

  it('I4, I16: a chunk that was changed anywhere decodes to the same bytes or to REPO_CHUNK_CORRUPT', () =>
    fc.assert(
      fc.asyncProperty(plain, changes, cut, async (data, edits, short) => {
        const { chunk, digest } = await stored(data);
        await expectTyped(async () => expect(Buffer.compare(await codecs.decode(mutate(chunk, edits, short), { digest }), data)).toBe(0));
      }),
      { numRuns: 150 },
    ));

  it('I15: a frame that would decode to more than its chunk is refused before it is decoded', async () => {
    const bomb = await codecs.encode(Buffer.alloc(16 * 1024 * 1024, 'x'), { type: 'data', digest: Buffer.alloc(32) });
    const frame = Buffer.concat(bomb.parts);
    const lying = Buffer.from(frame);
    lying.writeUInt32LE(100, 6); // Frame_Content_Size, behind magic, descriptor and window
    expect(() => checkFrame(frame, 16 * 1024 * 1024)).not.toThrow();
    expect(() => checkFrame(frame, 100)).toThrow(expect.objectContaining({ code: 'REPO_CHUNK_CORRUPT' }));
    expect(() => checkFrame(lying, 100)).toThrow(expect.objectContaining({ code: 'REPO_CHUNK_CORRUPT' }));
  });
});

describe('decoders of arbitrary bytes throw nothing but RepositoryError', () => {
  const identity = { repositoryId: '00'.repeat(16), packId: '11'.repeat(16), sum: plainSum };
  const table = { ...identity, tableId: TABLE_ID };
  const place = { repositoryId: '00'.repeat(16), group: 'g', id: '20261122T190011123Z-0123456789abcdef' };
  const grid = blockGrid(10 * 65536, 65536);
  const decoders: readonly [string, (input: Uint8Array) => unknown][] = [
    ['a chunk', (input) => codecs.decode(input, { digest: input.subarray(0, 32) })],
    ['a chunk header', decodeChunkHeader],
    ['a zstd frame', (input) => checkFrame(input, 1000)],
    ['a zstd frame with its magic', (input) => checkFrame(Buffer.concat([Buffer.from('28b52ffd', 'hex'), input]), 1000)],
    ['a trailer entry', decodeTrailerEntry],
    ['a pack footer', (input) => decodePackFooter(input, input.length)],
    ['a pack', (input) => decodePackEntries(identity, input.subarray(0, 64), input.subarray(64, -64), input.subarray(-64))],
    ['a table footer', (input) => decodeTableFooter(table, input, input.length)],
    ['a table page', (input) => decodeTablePage(table, 'entries', 0, input.subarray(0, 8), input)],
    ['a root', (input) => decodeRoot(grid, input)],
    ['a config', decodeConfig],
    ['a manifest', (input) => decodeManifest(plainEnvelopes, place, 65536, input)],
  ];
  for (const [name, decode] of decoders) {
    it(name, () =>
      fc.assert(
        fc.asyncProperty(fc.oneof(bytes(300), bytes(64, 64), bytes(128, 128), bytes(4096, 4096)), (input) => expectTyped(() => decode(input))),
        { numRuns: 100 },
      ),
    );
  }

  it('envelopes with changed bytes', () => {
    const envelope = encodeEnvelope('point', { a: [1, 2, { b: 'text' }] });
    return fc.assert(
      fc.asyncProperty(changes, cut, (edits, short) => expectTyped(() => decodeEnvelope('point', mutate(envelope, edits, short)))),
      { numRuns: 300 },
    );
  });

  it('I15: JSON nested without end', () => {
    const deep = Buffer.from(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    const head = Buffer.from(`{"encryption":null,"length":${deep.length},"object":"point","sha256":"${'0'.repeat(64)}","version":1}\n`);
    expect(() => decodeEnvelope('point', Buffer.concat([head, deep, Buffer.from('\n')]))).toThrow(expect.objectContaining({ code: 'REPO_MANIFEST_INVALID' }));
    expect(() => decodeEnvelope('point', Buffer.concat([deep.subarray(0, 400), Buffer.from('\n')]))).toThrow(
      expect.objectContaining({ code: 'REPO_MANIFEST_INVALID' }),
    );
  });
});

describe('structures come back as they were written', () => {
  const entry = fc.record({ plainBytes: fc.integer({ min: 2, max: 4096 }), digest: bytes(32, 32) });

  it('I6: packs', () =>
    fc.assert(
      fc.property(hex32, hex32, fc.array(entry, { minLength: 1, maxLength: 20 }), (repositoryId, packId, items) => {
        const header = encodePackHeader({ repositoryId, packId, sum: plainSum });
        let offset = 64;
        const trailer = Buffer.concat(
          items.map(({ plainBytes, digest }) => {
            const record = encodeChunkHeader({ type: 'data', codec: 'zstd', plainBytes, storedBytes: plainBytes - 1, digest });
            record.writeUInt32LE(offset, 0);
            offset += 48 + plainBytes - 1;
            return record;
          }),
        );
        const tail = encodePackTail({ repositoryId, packId, sum: plainSum }, header, trailer, offset);
        const footer = decodePackFooter(tail.subarray(-64), offset + tail.length);
        expect(footer.entries).toBe(items.length);
        const decoded = decodePackEntries({ repositoryId, packId, sum: plainSum }, header, tail.subarray(0, -64), tail.subarray(-64));
        expect(decoded.map(({ plainBytes, digest }) => [plainBytes, Buffer.from(digest).toString('hex')])).toEqual(
          items.map((item) => [item.plainBytes, Buffer.from(item.digest).toString('hex')]),
        );
      }),
      { numRuns: 50 },
    ));

  it('I8: table footers and pages', () =>
    fc.assert(
      fc.property(
        hex32,
        bytes(8, 8),
        fc.integer({ min: 1, max: 9200 }),
        fc.integer({ min: 1, max: 300 }),
        bytes(32, 32),
        (repositoryId, tag, entries, packs, fenceSha256) => {
          const table = { repositoryId, tableId: TABLE_ID, sum: plainSum };
          const footer = {
            repositoryId,
            tag: Buffer.from(tag),
            entries,
            entryPages: Math.ceil(entries / 92),
            packs,
            packPages: Math.ceil(packs / 126),
            fenceSha256: Buffer.from(fenceSha256),
          };
          const size = 4096 * (footer.entryPages + footer.packPages) + 8 * footer.entryPages + 128;
          expect(decodeTableFooter(table, encodeTableFooter(table, footer), size)).toEqual(footer);
          const page = encodeTablePage(table, 'entries', 7, tag, Buffer.alloc(44 * 3, 5));
          expect(decodeTablePage(table, 'entries', 7, tag, page).count).toBe(3);
          expect(() => decodeTablePage(table, 'entries', 8, tag, page)).toThrow(expect.objectContaining({ code: 'REPO_INDEX_INVALID' }));
          expect(() => decodeTablePage(table, 'packs', 7, tag, page)).toThrow(expect.objectContaining({ code: 'REPO_INDEX_INVALID' }));
        },
      ),
      { numRuns: 50 },
    ));

  it('I10: roots, for their own disk only', () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 0, max: 65535 }), (blocks, short) => {
        const grid = blockGrid(blocks * 65536 + short, 65536);
        const pages = Buffer.alloc(Math.ceil(grid.blockCount / 1024) * 32, 3);
        expect(decodeRoot(grid, encodeRoot(grid, pages)).equals(pages)).toBe(true);
        expect(() => decodeRoot(blockGrid(grid.sizeBytes + 1, 65536), encodeRoot(grid, pages))).toThrow(expect.objectContaining({ code: 'REPO_PAGE_CORRUPT' }));
      }),
      { numRuns: 50 },
    ));

  it('I11: any JSON in an envelope, in one canonical form', () =>
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 })), (value) => {
        const json = JSON.parse(JSON.stringify(value)) as Json;
        expect(decodeEnvelope('point', encodeEnvelope('point', json))).toEqual(json);
        expect(canonicalJson(JSON.parse(canonicalJson(json)) as Json)).toBe(canonicalJson(json));
      }),
      { numRuns: 100 },
    ));

  it('refuses JSON without a canonical form', () => {
    expect(() => canonicalJson('\ud800')).toThrow(TypeError);
    expect(() => canonicalJson(Number.NaN)).toThrow(TypeError);
    expect(canonicalJson({ b: 1, a: { '\u20ac': 1, '\r': 2, ö: 3 }, c: [1e21, -0, 0.1, 'é\u0007"'] })).toBe(
      '{"a":{"\\r":2,"ö":3,"€":1},"b":1,"c":[1e+21,0,0.1,"é\\u0007\\""]}',
    );
  });
});
