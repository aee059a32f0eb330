import { createRepository, type DiskReader, memoryStore, type Repository, type RestorePoint } from '@onevault/backup-format';
import { keysOf, scanBytes } from '@onevault/backup-format/testing';
import { systemClock } from '@onevault/base';
import { seededRandom } from '@onevault/base/testing';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BlockReading } from '../../src/exports/block-reading.ts';
import { pointExport } from '../../src/exports/point-export.ts';
import { SlotCache } from '../../src/exports/slot-cache.ts';

const BLOCK = 64 * 1024;
const BLOCKS = 64;
const SIZE = BLOCKS * BLOCK - 100;
const MIB = 1024 * 1024;

const content = Buffer.from(seededRandom(4).bytes(SIZE));
content.fill(0, 10 * BLOCK, 20 * BLOCK);

const store = memoryStore();
let repository: Repository;
let point: RestorePoint;
let disk: DiskReader;
/** Blocks handed out by the repository, in order. */
let handedOut: number[];

beforeAll(async () => {
  repository = await createRepository(store, { blockSizeBytes: BLOCK }, { clock: systemClock });
  await using writer = await repository.begin({ group: 'vm-1', runId: 'r', capturedAt: '2026-11-27T19:00:00Z', mode: 'full' });
  await writer.writeDisk({ key: 'd', sizeBytes: SIZE }, scanBytes(content, { blockSizeBytes: BLOCK, digest: repository.digest }));
  point = await writer.commit({ annotations: {} });
});

beforeEach(async () => {
  handedOut = [];
  disk = counting(await repository.openDisk(point, 'd'));
});

function counting(inner: DiskReader): DiskReader {
  return {
    grid: inner.grid,
    disk: inner.disk,
    baseline: inner.baseline,
    digests: (first, count, options) => inner.digests(first, count, options),
    sample: (count, random, options) => inner.sample(count, random, options),
    async *blocks(options) {
      for await (const run of inner.blocks(options)) {
        if (run.kind === 'data') handedOut.push(run.offset / BLOCK);
        yield run;
      }
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}

function served(cacheBytes = 64 * MIB): ReturnType<typeof pointExport> {
  const reading = new BlockReading({ cacheBytes, blockSizeBytes: BLOCK, signal: new AbortController().signal });
  return pointExport(disk, reading, { name: 'd', description: '' });
}

async function read(from: ReturnType<typeof pointExport>, offset: number, length: number): Promise<Buffer> {
  const target = Buffer.alloc(length, 0xee);
  await from.read(offset, target, {});
  return target;
}

function blockOf(index: number): Buffer {
  return content.subarray(index * BLOCK, (index + 1) * BLOCK);
}

/** A pack whose copy of a block is spoiled, until it is healed. */
async function spoil(block: number): Promise<() => Promise<void>> {
  for (const key of await keysOf(store, 'packs/')) {
    const whole = Buffer.from(await store.get(key));
    const at = whole.indexOf(blockOf(block).subarray(0, 64));
    if (at < 0) continue;
    const broken = Buffer.from(whole);
    broken.writeUInt8((whole[at + 5] ?? 0) ^ 1, at + 5);
    const put = async (bytes: Buffer): Promise<void> => {
      await store.delete(key);
      await store.put(key, bytes);
    };
    await put(broken);
    return () => put(whole);
  }
  throw new Error('the block is in no pack as it is');
}

describe('a disk of a restore point as an export', () => {
  it('reads any range, whatever the cache holds', async () => {
    for (const cacheBytes of [BLOCK, 3 * BLOCK, 64 * MIB]) {
      const disk = served(cacheBytes);
      const random = seededRandom(cacheBytes);
      const ranges = Array.from({ length: 40 }, () => {
        const length = 1 + random.int(5 * BLOCK);
        return { offset: random.int(SIZE - length), length };
      });
      const all = await Promise.all(ranges.map(({ offset, length }) => read(disk, offset, length)));
      for (const [n, { offset, length }] of ranges.entries()) expect(all[n]?.equals(content.subarray(offset, offset + length))).toBe(true);
    }
  });

  it('reads a block once, however many ask for it at the same time', async () => {
    const one = served();
    await Promise.all(Array.from({ length: 20 }, (_, n) => read(one, 30 * BLOCK + n * 100, 50)));
    expect(handedOut).toEqual([30]);
  });

  it('reads ahead of who reads in sequence, and each block once', async () => {
    const one = served();
    for (let offset = 0; offset < SIZE; offset += BLOCK / 4) await read(one, offset, Math.min(BLOCK / 4, SIZE - offset));
    expect(handedOut.length).toBe(BLOCKS - 10);
    expect(new Set(handedOut).size).toBe(handedOut.length);
  });

  it('knows holes without reading data', async () => {
    const one = served();
    expect(await one.extents(5, SIZE - 5, {})).toEqual([
      { kind: 'data', length: 10 * BLOCK - 5 },
      { kind: 'hole', length: 10 * BLOCK },
      { kind: 'data', length: SIZE - 20 * BLOCK },
    ]);
    expect((await read(one, 12 * BLOCK + 7, BLOCK)).every((byte) => byte === 0)).toBe(true);
    expect(handedOut).toEqual([]);
  });

  it('fails for exactly the block that is damaged, with its bytes, until it is healed', async () => {
    const damaged = 33;
    const heal = await spoil(damaged);
    const one = served();
    for (let block = 20; block < BLOCKS - 1; block++) {
      const reading = read(one, block * BLOCK, BLOCK);
      if (block === damaged) await expect(reading).rejects.toMatchObject({ code: 'REPO_CHUNK_CORRUPT', details: { offset: damaged * BLOCK, length: BLOCK } });
      else expect((await reading).equals(blockOf(block))).toBe(true);
    }
    await heal();
    expect((await read(one, damaged * BLOCK, 10)).equals(blockOf(damaged).subarray(0, 10))).toBe(true);
  });
});

describe('a cache of slots', () => {
  it('keeps what was used last, in the memory of its slots and no other', () => {
    const cache = new SlotCache(3 * 8, 8);
    for (const key of ['a', 'b', 'c']) cache.put(key, Buffer.from(key.repeat(3)));
    expect(Buffer.from(cache.get('a') ?? []).toString()).toBe('aaa');
    const before = new Set(['a', 'b', 'c'].map((key) => cache.get(key)?.buffer));
    cache.get('a');
    cache.put('d', Buffer.from('dddddddd'));
    expect(['a', 'b', 'c', 'd'].filter((key) => cache.has(key))).toEqual(['a', 'c', 'd']);
    expect(before.has(cache.get('d')?.buffer)).toBe(true);
  });
});
