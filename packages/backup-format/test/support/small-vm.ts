import { FakeClock, seededRandom } from '@onevault/base/testing';
import {
  createRepository,
  type DigestAlgorithm,
  type DiskReader,
  type ObjectStore,
  openRepository,
  type Repository,
  type RestorePoint,
} from '../../src/index.ts';
import { scanBytes } from '../../testing/index.ts';

export const BLOCK = 64 * 1024;
export const deps = { clock: new FakeClock() };

export function newRepository(store: ObjectStore, digest: DigestAlgorithm = 'blake3'): Promise<Repository> {
  return createRepository(store, { digest, blockSizeBytes: BLOCK }, deps);
}

export function reopen(store: ObjectStore): Promise<Repository> {
  return openRepository(store, deps);
}

/** A disk of `blocks` blocks and a short last one: noise, text, repetition and zeros. */
export function makeDisk(seed: number, blocks: number): Uint8Array {
  const random = seededRandom(seed);
  const disk = new Uint8Array(blocks * BLOCK + 1000);
  for (let block = 0; block < blocks; block++) {
    const range = disk.subarray(block * BLOCK, (block + 1) * BLOCK);
    const kind = random.int(4);
    if (kind === 0) range.set(random.bytes(BLOCK));
    if (kind === 1) range.fill(1 + random.int(255));
    if (kind === 2) Buffer.from(range.buffer, range.byteOffset, BLOCK).fill(`line ${random.int(1e9)} of a log\n`);
  }
  disk.set(random.bytes(1000), blocks * BLOCK);
  return disk;
}

export interface BackupOptions {
  readonly parent?: DiskReader | undefined;
  readonly group?: string;
  readonly confirmDedup?: boolean;
}

/** One disk and one metadata file, committed. */
export async function backup(repository: Repository, disk: Uint8Array, options: BackupOptions = {}): Promise<RestorePoint> {
  const { digest, config } = repository;
  const { parent, group = 'vm-1', confirmDedup = false } = options;
  deps.clock.advance(1000);
  const mode = parent ? 'incremental' : 'full';
  await using writer = await repository.begin({ group, runId: 'run', capturedAt: '2026-11-22T19:00:00Z', mode });
  await writer.writeDisk(
    { key: 'disk-0', sizeBytes: disk.length, confirmDedup, ...(parent ? { parent } : {}) },
    scanBytes(disk, { blockSizeBytes: config.blockSizeBytes, digest, parent: parent?.baseline }),
  );
  await writer.writeMetadata('vm.xml', Buffer.from(`<VM><GROUP>${group}</GROUP></VM>`));
  return await writer.commit({ annotations: { name: group } });
}

export async function allPoints(repository: Repository): Promise<RestorePoint[]> {
  const points: RestorePoint[] = [];
  for await (const listed of repository.points()) {
    if (listed.kind === 'damaged') throw listed.error;
    points.push(listed.point);
  }
  return points;
}
