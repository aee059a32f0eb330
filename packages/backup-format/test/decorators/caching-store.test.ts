import { lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, silentLogger } from '@onevault/base';
import { seededRandom } from '@onevault/base/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cachingStore, memoryStore, type ObjectStore } from '../../src/index.ts';
import { faultyStore, flipBit, type Operation, readDisk } from '../../testing/index.ts';
import { runVerify } from '../support/run-verify.ts';
import { packOfType } from '../support/runs.ts';
import { backup, makeDisk, newRepository, reopen } from '../support/small-vm.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

let path: string;
let remote: ObjectStore;
/** Reads of the remote store since they were last looked at. */
let reads: Operation[];
const table = Buffer.from(seededRandom(1).bytes(300 * KIB + 77));

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'onevault-cache-'));
  const inner = memoryStore();
  await inner.put('index/table', table);
  reads = [];
  remote = faultyStore(inner, (operation) => {
    if (!operation.writes) reads.push(operation);
    return undefined;
  });
});
afterEach(() => rm(path, { recursive: true }));

function cached(maxBytes = 4 * MIB, logger: Logger = silentLogger): ObjectStore {
  return cachingStore(remote, { path, maxBytes }, { logger });
}

async function expectRange(store: ObjectStore, offset: number, length: number): Promise<void> {
  const bytes = await store.get('index/table', { range: { offset, length } });
  expect(Buffer.compare(bytes, table.subarray(offset, offset + length))).toBe(0);
}

/** How often a kind of call reached the remote store since the last look. */
function seen(kind: 'get' | 'stat' | 'list'): number {
  const count = reads.filter((operation) => operation.kind === kind).length;
  reads = [];
  return count;
}

async function cacheFiles(): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) if (entry.isFile()) files.push(join(entry.parentPath, entry.name));
  return files.sort();
}

async function bytesOnDisk(): Promise<number> {
  let total = 0;
  for (const file of await cacheFiles()) total += Math.ceil((await lstat(file)).size / 4096) * 4096;
  return total;
}

/** Puts `count` objects of one cached block each beside the table. */
async function fill(store: ObjectStore, count: number, name: string): Promise<void> {
  for (let n = 0; n < count; n++) {
    await remote.put(`points/g/${name}-${n}`, new Uint8Array(64 * KIB).fill(n));
    await store.get(`points/g/${name}-${n}`, { range: { offset: 0, length: 64 * KIB } });
  }
}

describe('a caching store', () => {
  it('asks the store once for the pages of a block, also for another process and the next run', async () => {
    const store = cached();
    await expectRange(store, 4096, 4096);
    expect(seen('get')).toBe(1);
    for (let page = 0; page < 16; page++) await expectRange(store, page * 4096, 4096);
    await expectRange(cached(), 8192, 4096);
    expect(seen('get')).toBe(0);
  });

  it('fetches what is missing of a longer range in one request, and puts it together with what it has', async () => {
    const store = cached();
    await expectRange(store, 130 * KIB, 10);
    await expectRange(store, 3, table.length - 3);
    await expectRange(store, 60 * KIB, 200 * KIB);
    await expectRange(store, table.length - 5, 5);
    expect(seen('get')).toBe(2);
  });

  it('asks the store itself whether an object is there, and forgets what it deletes or replaces', async () => {
    const store = cached();
    await expectRange(store, 0, 100);
    await store.put('index/table', Buffer.alloc(table.length, 'new'));
    expect(Buffer.from(await store.get('index/table', { range: { offset: 0, length: 3 } })).toString()).toBe('new');
    expect(await store.stat('index/table')).toBeDefined();
    await store.delete('index/table');
    expect(await store.stat('index/table')).toBeUndefined();
    await expect(store.get('index/table', { range: { offset: 0, length: 3 } })).rejects.toMatchObject({ code: 'REPO_OBJECT_MISSING' });
    expect(await cacheFiles()).toEqual([]);
  });

  it('leaves it to the store to say that an object is too short', async () => {
    const store = cached();
    await expect(store.get('index/table', { range: { offset: table.length - 1, length: 2 } })).rejects.toMatchObject({ code: 'REPO_OBJECT_TRUNCATED' });
  });

  it('keeps small ranges of packs and never data, leases or the config', async () => {
    const store = cached();
    await remote.put('packs/aa/one', new Uint8Array(MIB).fill(7));
    for (const key of ['onevault.json', 'leases/one', 'marks/one']) await remote.put(key, new Uint8Array(1000));
    for (let n = 0; n < 2; n++) {
      await store.get('packs/aa/one', { range: { offset: 64, length: 32 * KIB + 48 } });
      await store.get('packs/aa/one', { range: { offset: 64, length: 34 * KIB } });
      for (const key of ['onevault.json', 'leases/one', 'marks/one']) await store.get(key, { range: { offset: 0, length: 1000 } });
    }
    expect(seen('get')).toBe(1 + 2 * 4);
    expect(await cacheFiles()).toHaveLength(1);
  });

  it('finds out every kind of damaged cache file, drops it and fetches anew', async () => {
    const damages: ((file: string, other: string) => Promise<unknown>)[] = [
      async (file) => {
        const bytes = await readFile(file);
        bytes[bytes.length - 9] = (bytes[bytes.length - 9] ?? 0) ^ 4;
        await writeFile(file, bytes);
      },
      (file) => truncate(file, 50),
      (file) => truncate(file, 0),
      (file) => writeFile(file, new Uint8Array(64 * KIB + 40)), // right length, all zero: what some file systems leave after power loss
      async (file, other) => {
        await rename(file, `${file}.x`);
        await rename(other, file);
        await rename(`${file}.x`, other);
      },
    ];
    for (const damage of damages) {
      const store = cached();
      await expectRange(store, 0, 128 * KIB);
      const [first, second] = await cacheFiles();
      await damage(first ?? '', second ?? '');
      seen('get');
      await expectRange(store, 0, 128 * KIB);
      expect(seen('get')).toBe(1);
      await expectRange(store, 0, 128 * KIB);
      expect(seen('get')).toBe(0);
    }
  });

  it('never takes more room than it was given, and makes use of most of it', async () => {
    const store = cached(2 * MIB);
    let most = 0;
    for (let n = 0; n < 12; n++) {
      await fill(store, 10, `round-${n}`);
      most = Math.max(most, await bytesOnDisk());
    }
    expect(most).toBeLessThanOrEqual(2 * MIB);
    expect(most).toBeGreaterThan(1.2 * MIB);
  });

  it('keeps what is used again and again while the rest comes and goes', async () => {
    const store = cached(2 * MIB);
    await expectRange(store, 0, 4096);
    await fill(store, 1, 'cold');
    for (let n = 0; n < 12; n++) {
      await fill(store, 6, `round-${n}`);
      seen('get');
      await expectRange(store, 0, 4096);
      expect(seen('get')).toBe(0);
    }
    await store.get('points/g/cold-0', { range: { offset: 0, length: 10 } });
    expect(seen('get')).toBe(1);
  });

  it('is shared by processes that add, throw away and read at once: every answer right, an eighth more room at most', async () => {
    const stores = [cached(2 * MIB), cached(2 * MIB)];
    const random = seededRandom(3);
    await Promise.all(
      stores.flatMap((store, n) => [
        fill(store, 60, `process-${n}`),
        (async () => {
          for (let reads = 0; reads < 100; reads++) await expectRange(store, random.int(290 * KIB), 1 + random.int(10 * KIB));
        })(),
      ]),
    );
    expect(await bytesOnDisk()).toBeLessThanOrEqual(2 * MIB * 1.125);
    await expectRange(cached(), 0, table.length);
  });

  it('lives with what a crash left, and throws it away with its shelf', async () => {
    await mkdir(join(path, 'shelf-00000001'));
    await writeFile(join(path, 'shelf-00000001', '.tmp-left'), new Uint8Array(64 * KIB));
    const store = cached(MIB);
    await expectRange(store, 0, 4096);
    await fill(store, 40, 'more');
    expect((await cacheFiles()).filter((file) => file.includes('.tmp-'))).toEqual([]);
  });

  it('answers from the store when the cache cannot be used, and says so once', async () => {
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (_, message) => void warnings.push(message) };
    await writeFile(join(path, 'file'), '');
    const store = cachingStore(remote, { path: join(path, 'file', 'cache'), maxBytes: MIB }, { logger });
    for (let n = 0; n < 3; n++) await expectRange(store, 0, 4096);
    expect(seen('get')).toBe(3);
    expect(warnings).toHaveLength(1);
  });
});

describe('a backup through a cache', () => {
  it('asks the store itself whether a page that it shares is whole there', async () => {
    const inner = memoryStore();
    await newRepository(inner);
    const through = (): ObjectStore => cachingStore(inner, { path, maxBytes: 4 * MIB });
    const disk = makeDisk(8, 6);
    const first = await backup(await reopen(through()), disk);
    await readDisk(await (await reopen(through())).openDisk(first, 'disk-0')); // the page is in the cache now
    await backup(await reopen(through()), disk); // and read back through it
    await flipBit(inner, await packOfType(inner, 2), 64 + 48 + 3);
    const again = await backup(await reopen(through()), disk, { group: 'vm-2' });
    const repository = await reopen(inner);
    expect(Buffer.compare(await readDisk(await repository.openDisk(again, 'disk-0')), disk)).toBe(0);
    expect((await runVerify(repository)).damage.filter(({ harmless }) => !harmless)).toEqual([]);
  });
});
