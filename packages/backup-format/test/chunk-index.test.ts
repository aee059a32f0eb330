import { createHash } from 'node:crypto';
import { silentLogger } from '@onevault/base';
import { seededRandom } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { encodeChunkHeader } from '../src/format/chunk-header.ts';
import { plainSum } from '../src/format/structure-sum.ts';
import { ChunkIndex } from '../src/index/chunk-index.ts';
import { type IndexedPack, writeTable } from '../src/index/table-writer.ts';
import { memoryStore, type ObjectStore } from '../src/index.ts';
import { LruCache } from '../src/lru-cache.ts';
import { faultyStore, flipBit, keysOf } from '../testing/index.ts';

const REPOSITORY = 'ab'.repeat(16);
const OWNER = { repositoryId: REPOSITORY, sum: plainSum };
const random = seededRandom(7);
const randomBytes = (length: number): Uint8Array => random.bytes(length);

function digest(n: number): Buffer {
  return createHash('sha256').update(String(n)).digest();
}

function pack(n: number, digests: readonly Uint8Array[]): IndexedPack {
  const trailer = digests.map((one, i) => {
    const record = encodeChunkHeader({ type: 'data', codec: 'raw', plainBytes: 100 + i, storedBytes: 100 + i, digest: one });
    record.writeUInt32LE(64 + i * 1000, 0);
    return record;
  });
  return { packId: n.toString(16).padStart(32, '0'), packBytes: 1000 + n, chunks: digests.length, trailer: Buffer.concat(trailer) };
}

function tableId(n: number): string {
  return `20261122T19000${n}000Z-0123456789abcdef`;
}

async function write(store: ObjectStore, n: number, packs: readonly IndexedPack[]): Promise<void> {
  await writeTable(store, { ...OWNER, tableId: tableId(n), packs }, { randomBytes });
}

describe('the chunk index', () => {
  it('finds every one of 10 000 chunks in 300 packs, and none that is not there', async () => {
    const store = memoryStore();
    const packs = Array.from({ length: 300 }, (_, n) =>
      pack(
        n,
        Array.from({ length: 33 }, (_, i) => digest(n * 33 + i)),
      ),
    );
    await write(store, 1, packs);
    const index = new ChunkIndex(store, OWNER, silentLogger);
    for (let n = 0; n < 300 * 33; n++) {
      const found = await index.find(digest(n));
      const i = n % 33;
      expect(found).toEqual({
        packId: Math.floor(n / 33)
          .toString(16)
          .padStart(32, '0'),
        packBytes: 1000 + Math.floor(n / 33),
        offset: 64 + i * 1000,
        storedBytes: 100 + i,
      });
    }
    for (let n = 0; n < 500; n++) expect(await index.find(digest(-1 - n))).toBeUndefined();
  });

  it('finds digests that share their first 8 bytes across many pages', async () => {
    const store = memoryStore();
    const alike = Array.from({ length: 1000 }, (_, n) => Buffer.concat([Buffer.alloc(8, 0x55), digest(n).subarray(0, 24)]));
    const others = Array.from({ length: 1000 }, (_, n) => digest(n));
    await write(store, 1, [pack(1, alike), pack(2, others)]);
    const index = new ChunkIndex(store, OWNER, silentLogger);
    for (const one of [...alike, ...others]) expect(await index.find(one)).toBeDefined();
    expect(await index.find(Buffer.alloc(32, 0x55))).toBeUndefined();
    expect(await index.find(Buffer.alloc(32, 0))).toBeUndefined();
    expect(await index.find(Buffer.alloc(32, 0xff))).toBeUndefined();
  });

  it('believes the newest table, and the last pack within one', async () => {
    const store = memoryStore();
    await write(store, 3, [pack(3, [digest(1)])]);
    await write(store, 1, [pack(1, [digest(1), digest(2)]), pack(2, [digest(2)])]);
    const index = new ChunkIndex(store, OWNER, silentLogger);
    expect((await index.find(digest(1)))?.packBytes).toBe(1003);
    expect((await index.find(digest(2)))?.packBytes).toBe(1002);
    await write(store, 4, [pack(4, [digest(1)])]);
    await index.reload();
    expect((await index.find(digest(1)))?.packBytes).toBe(1004);
  });

  it('I9: takes a damaged page for an empty one, says so once, and falls back to older tables', async () => {
    const store = memoryStore();
    const digests = Array.from({ length: 400 }, (_, n) => digest(n)).sort(Buffer.compare);
    await write(store, 1, [pack(1, digests.slice(0, 10))]);
    await write(store, 2, [pack(2, digests)]);
    await flipBit(store, `index/${tableId(2)}`, 20); // the first entry page
    const warnings: object[] = [];
    const index = new ChunkIndex(store, OWNER, { ...silentLogger, warn: (fields) => warnings.push(fields) });
    const found = await Promise.all(digests.map((one) => index.find(one)));
    expect(found.map((location) => location?.packBytes)).toEqual([...Array(10).fill(1001), ...Array(82).fill(undefined), ...Array(308).fill(1002)]);
    expect(warnings).toHaveLength(1);
    expect(index.problem).toMatchObject({ code: 'REPO_INDEX_INVALID', details: { key: `index/${tableId(2)}`, offset: 0, length: 4096 } });
  });

  it('I13: refuses a table of another version, of another repository, or cut short, and goes on without it', async () => {
    for (const harm of ['version', 'repository', 'short', 'empty'] as const) {
      const store = memoryStore();
      await write(store, 1, [pack(1, [digest(1)])]);
      const [key = ''] = await keysOf(store, 'index/');
      const bytes = Buffer.from(await store.get(key));
      const footer = bytes.subarray(-128);
      if (harm === 'version') footer.writeUInt32LE(2, 8);
      if (harm === 'repository') footer.fill(1, 48, 64);
      createHash('sha256').update(footer.subarray(0, 96)).digest().copy(footer, 96);
      await store.put(key, harm === 'short' ? bytes.subarray(100) : harm === 'empty' ? bytes.subarray(0, 0) : bytes);
      const index = new ChunkIndex(store, OWNER, silentLogger);
      expect(await index.find(digest(1)), harm).toBeUndefined();
      expect(index.problem, harm).toMatchObject({ code: 'REPO_INDEX_INVALID', details: { key } });
    }
  });

  it('reads one page for a lookup, and none when it has it', async () => {
    const inner = memoryStore();
    const packs = Array.from({ length: 20 }, (_, n) =>
      pack(
        n,
        Array.from({ length: 100 }, (_, i) => digest(n * 100 + i)),
      ),
    );
    await write(inner, 1, packs);
    const reads: number[] = [];
    const store = faultyStore(inner, ({ kind, n }) => (kind === 'get' ? void reads.push(n) : undefined));
    const index = new ChunkIndex(store, OWNER, silentLogger);
    await index.find(digest(1));
    const opened = reads.length; // footer, fence, entry page, pack page
    expect(opened).toBe(4);
    for (let n = 0; n < 2000; n++) await index.find(digest(n));
    expect(reads.length - opened).toBeLessThan(2000 / 92 + 1);
  });
});

describe('the page cache', () => {
  it('forgets what was not used for longest, and never holds more than its limit', () => {
    const cache = new LruCache<Buffer>(100, (value) => value.length);
    for (let n = 0; n < 50; n++) {
      cache.set(String(n), Buffer.alloc(30));
      cache.get('0');
      expect(cache.weight).toBeLessThanOrEqual(100);
    }
    expect([cache.get('0'), cache.get('49'), cache.get('20')].map((value) => value !== undefined)).toEqual([true, true, false]);
  });
});
