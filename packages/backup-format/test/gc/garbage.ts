import { type FakeClock, seededRandom } from '@onevault/base/testing';
import { expect } from 'vitest';
import { type DiskReader, type GcOptions, type GcReport, type ObjectStore, openRepository, type Repository, type RestorePoint } from '../../src/index.ts';
import { keysOf, readDisk, scanBytes } from '../../testing/index.ts';
import { runVerify } from '../support/run-verify.ts';
import { BLOCK } from '../support/small-vm.ts';

/** Longer than any lease lasts, and than any clock margin. */
export const LONG_MS = 3600_000;
/** Two runs of gc have no grace in these tests, and never wait: what keeps data is what is tested. */
export const NOW: GcOptions = { graceMs: 0, wait: false };

export interface GcWorld {
  readonly store: ObjectStore;
  readonly clock: FakeClock;
}

export function openWorld(world: GcWorld, store: ObjectStore = world.store): Promise<Repository> {
  return openRepository(store, { clock: world.clock });
}

/** A disk of noise: block n of seed s is the same bytes in every test. */
export function noiseDisk(seeds: readonly number[]): Uint8Array {
  const disk = new Uint8Array(seeds.length * BLOCK);
  for (const [block, seed] of seeds.entries()) if (seed > 0) disk.set(noiseBlock(seed), block * BLOCK);
  return disk;
}

const blocks = new Map<number, Uint8Array>();

function noiseBlock(seed: number): Uint8Array {
  const known = blocks.get(seed);
  if (known) return known;
  const random = seededRandom(seed);
  const words = new Uint32Array(BLOCK / 4);
  for (let i = 0; i < words.length; i++) words[i] = random.int(2 ** 32);
  const block = new Uint8Array(words.buffer);
  blocks.set(seed, block);
  return block;
}

export async function backUp(repository: Repository, disk: Uint8Array, parent?: DiskReader, group = 'vm-1'): Promise<RestorePoint> {
  await using writer = await repository.begin({ group, runId: 'run', capturedAt: '2026-11-22T19:00:00Z', mode: parent ? 'incremental' : 'full' });
  const runs = scanBytes(disk, { blockSizeBytes: BLOCK, digest: repository.digest, parent });
  await writer.writeDisk({ key: 'd', sizeBytes: disk.length, ...(parent ? { parent } : {}) }, runs);
  return await writer.commit({ annotations: {} });
}

export async function forget(repository: Repository, point: RestorePoint): Promise<void> {
  await repository.forgetPoint(point.id, { evenLast: true });
}

/** As many runs as it takes until nothing is left to do. */
export async function collectAll(repository: Repository, options: GcOptions = NOW): Promise<GcReport> {
  for (let run = 0; ; run++) {
    const report = await repository.collectGarbage(options);
    if (report.deleted.packs + report.condemned.packs + report.rescued.packs === 0) return report;
    expect(run).toBeLessThan(10);
  }
}

export async function expectWhole(world: GcWorld, expected: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const repository = await openWorld(world);
  const found = new Set<string>();
  for await (const listed of repository.points()) {
    if (listed.kind === 'damaged') throw listed.error;
    found.add(listed.point.id);
    const disk = expected.get(listed.point.id);
    if (!disk) continue;
    const restored = await readDisk(await repository.openDisk(listed.point, 'd'));
    expect(Buffer.compare(restored, disk)).toBe(0);
  }
  for (const id of expected.keys()) expect(found).toContain(id);
  expect((await runVerify(repository)).damage).toEqual([]);
}

export function packsOf(store: ObjectStore): Promise<string[]> {
  return keysOf(store, 'packs/');
}
