import { blake3 } from '@napi-rs/blake-hash';
import { seededRandom } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { createRepository, type DiskReader, memoryStore, type Repository, type RestorePoint, type WritableRun } from '../src/index.ts';
import { runVerify } from './support/run-verify.ts';
import { deps } from './support/small-vm.ts';

const MIB = 1024 * 1024;
const SIZE = 16 * 1024 * 1024 * MIB;
const BLOCKS = SIZE / MIB;

/** A 16 TiB disk: a changed block in every `spacing`, the rest as `between` says. Data exists only while its block is on loan. */
async function* sparseRuns(spacing: number, between: 'zero' | 'unchanged', seed: number): AsyncGenerator<WritableRun, void> {
  const random = seededRandom(seed);
  for (let first = 0; first < BLOCKS; first += spacing) {
    const data = new Uint8Array(MIB);
    data.set(random.bytes(64));
    yield { kind: 'changed', index: first, digest: blake3(data), data };
    yield { kind: between, index: first + 1, count: spacing - 1 };
  }
}

async function write(repository: Repository, runs: AsyncIterable<WritableRun>, parent?: DiskReader): Promise<RestorePoint> {
  await using writer = await repository.begin({ group: 'vm-1', runId: 'run', capturedAt: '2026-11-22T19:00:00Z', mode: parent ? 'incremental' : 'full' });
  await writer.writeDisk({ key: 'd', sizeBytes: SIZE, ...(parent ? { parent } : {}) }, runs);
  return await writer.commit({ annotations: {} });
}

describe('a disk of 16 TiB', () => {
  it('is backed up, backed up again, read and verified in seconds and in bounded memory', async () => {
    const repository = await createRepository(memoryStore(), {}, deps);
    let peak = 0;
    const sample = (): void => {
      peak = Math.max(peak, process.memoryUsage.rss());
    };
    const before = process.memoryUsage.rss();
    const first = await write(repository, observed(sparseRuns(131_072, 'zero', 1), sample));
    expect(first.stats).toMatchObject({ changedBlocks: 128, zeroBlocks: BLOCKS - 128, sizeBytes: SIZE });
    const second = await write(repository, observed(sparseRuns(524_288, 'unchanged', 2), sample), await repository.openDisk(first, 'd'));
    expect(second.stats).toMatchObject({ changedBlocks: 32, unchangedBlocks: BLOCKS - 32, newChunks: 32 });
    let length = 0;
    let stored = 0;
    for await (const run of (await repository.openDisk(second, 'd')).blocks()) {
      sample();
      length += run.kind === 'zero' ? run.length : run.data.length;
      if (run.kind === 'data') stored += 1;
    }
    expect({ length, stored }).toEqual({ length: SIZE, stored: 128 });
    const { damage } = await runVerify(repository);
    sample();
    expect(damage).toEqual([]);
    expect(peak - before).toBeLessThan(250 * MIB);
  });

  it('has a digest map that is read page by page', async () => {
    const repository = await createRepository(memoryStore(), {}, deps);
    const point = await write(repository, sparseRuns(1_048_576, 'zero', 3));
    const disk = await repository.openDisk(point, 'd');
    const across = await disk.digests(1_048_576 - 3, 2000);
    expect(across?.length).toBe(2000 * 32);
    expect([...(across ?? [])].findIndex((byte) => byte !== 0)).toBe(3 * 32);
    await expect(disk.digests(BLOCKS - 1, 2)).rejects.toThrow(RangeError);
  });
});

async function* observed(runs: AsyncIterable<WritableRun>, sample: () => void): AsyncGenerator<WritableRun, void> {
  for await (const run of runs) {
    sample();
    yield run;
  }
}
