import { FakeClock, seededRandom } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { createRepository, type DiskReader, memoryStore, openRepository, type Repository, type RestorePoint } from '../src/index.ts';
import { readDisk, scanBytes } from '../testing/index.ts';

const BLOCK = 64 * 1024;
const DISK = 40 * BLOCK + 1234;
const deps = { clock: new FakeClock() };

function makeDisk(seed: number): Uint8Array {
  const random = seededRandom(seed);
  const disk = new Uint8Array(DISK);
  disk.set(random.bytes(10 * BLOCK), 0); // incompressible
  disk.fill(7, 12 * BLOCK, 20 * BLOCK); // compressible and alike
  disk.set(random.bytes(1234), 40 * BLOCK);
  return disk;
}

async function backup(repository: Repository, disk: Uint8Array, parent?: DiskReader): Promise<RestorePoint> {
  const { digest, blockSizeBytes } = repository.config;
  await using writer = await repository.begin({ group: 'vm-1', runId: 'r', capturedAt: '2026-11-22T19:00:00Z', mode: parent ? 'incremental' : 'full' });
  await writer.writeDisk({ key: 'disk-0', sizeBytes: disk.length, ...(parent ? { parent } : {}) }, scanBytes(disk, { blockSizeBytes, digest, parent }));
  await writer.writeMetadata('vm.xml', Buffer.from('<VM/>'));
  return writer.commit({ annotations: { name: 'web' } });
}

describe('a repository', () => {
  for (const digest of ['blake3', 'sha256'] as const) {
    it(`gives back every byte of a full and of an incremental restore point (${digest})`, async () => {
      const store = memoryStore();
      await using repository = await createRepository(store, { digest, blockSizeBytes: BLOCK }, deps);
      const first = makeDisk(1);
      const point = await backup(repository, first);
      const second = first.slice();
      second.fill(9, 15 * BLOCK, 15 * BLOCK + 100);
      second.fill(0, 3 * BLOCK, 4 * BLOCK);
      const next = await backup(repository, second, await repository.openDisk(point, 'disk-0'));
      await using reopened = await openRepository(store, deps);
      expect(Buffer.compare(await readDisk(await reopened.openDisk(point, 'disk-0')), first)).toBe(0);
      expect(Buffer.compare(await readDisk(await reopened.openDisk(next, 'disk-0')), second)).toBe(0);
      expect(next.stats).toMatchObject({ changedBlocks: 1, zeroBlocks: 1, newChunks: 1, unchangedBlocks: 39 });
      expect(Buffer.from(await reopened.readMetadata(await reopened.point(next.id), 'vm.xml')).toString()).toBe('<VM/>');
    });
  }
});
