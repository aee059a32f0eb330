import { createHash } from 'node:crypto';
import { type Logger, silentLogger } from '@onevault/base';
import { seededRandom } from '@onevault/base/testing';
import { encodeChunkHeader } from '../../src/format/chunk-header.ts';
import { plainSum, type StructureOwner } from '../../src/format/structure-sum.ts';
import { ChunkIndex } from '../../src/index/chunk-index.ts';
import type { MergeDeps } from '../../src/index/merge-tables.ts';
import type { ChunkLocation } from '../../src/index/table-reader.ts';
import { type IndexedPack, writeTable } from '../../src/index/table-writer.ts';
import type { ObjectStore, RepositoryConfig } from '../../src/index.ts';

const OWNER: StructureOwner = { repositoryId: 'ab'.repeat(16), sum: plainSum };

export const CONFIG: RepositoryConfig = {
  id: OWNER.repositoryId,
  formatVersion: 1,
  digest: 'blake3',
  blockSizeBytes: 65_536,
  compression: { codec: 'zstd', level: 3 },
  created: '2026-11-22T19:00:00Z',
};

export function digestOf(n: number): Buffer {
  return createHash('sha256').update(String(n)).digest();
}

export function packIdOf(n: number): string {
  return createHash('sha256').update(`pack ${n}`).digest('hex').slice(0, 32);
}

/** A pack that holds the digests, each at a place of its own that tells pack and position. */
export function packOf(n: number, digests: readonly Uint8Array[]): IndexedPack {
  const trailer = digests.map((digest, i) => {
    const record = encodeChunkHeader({ type: 'data', codec: 'raw', plainBytes: 100 + i, storedBytes: 100 + i, digest });
    record.writeUInt32LE(64 + i * 1000, 0);
    return record;
  });
  return { packId: packIdOf(n), packBytes: 1000 + n, chunks: digests.length, trailer: Buffer.concat(trailer) };
}

/** Where `packOf` puts its `i`-th digest. */
export function placeIn(n: number, i: number): ChunkLocation {
  return { packId: packIdOf(n), packBytes: 1000 + n, offset: 64 + i * 1000, storedBytes: 100 + i };
}

export function tableIdOf(n: number): string {
  return `20261122T1900${String(Math.floor(n / 1000)).padStart(2, '0')}${String(n % 1000).padStart(3, '0')}Z-0123456789abcdef`;
}

export async function writeTestTable(store: ObjectStore, n: number, packs: readonly IndexedPack[]): Promise<void> {
  const random = seededRandom(n);
  await writeTable(store, { ...OWNER, tableId: tableIdOf(n), packs }, { randomBytes: (length) => random.bytes(length) });
}

export function openIndex(store: ObjectStore, logger: Logger = silentLogger): ChunkIndex {
  return new ChunkIndex(store, OWNER, logger);
}

export function mergeDeps(store: ObjectStore, seed = 1, index: ChunkIndex = openIndex(store)): MergeDeps {
  const random = seededRandom(seed);
  return { store, owner: OWNER, index, randomBytes: (length) => random.bytes(length), logger: silentLogger };
}
