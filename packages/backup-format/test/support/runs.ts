import { blake3 } from '@napi-rs/blake-hash';
import { expect } from 'vitest';
import { type DiskReader, type ObjectStore, type Repository, RepositoryError, type RestorePoint, type WritableRun } from '../../src/index.ts';
import { keysOf, scanBytes } from '../../testing/index.ts';
import { BLOCK } from './small-vm.ts';

export const spec = { group: 'vm-1', runId: 'run', capturedAt: '2026-11-22T19:00:00Z', mode: 'full' } as const;

/** Blocks whose memory was given back, counted. */
export class Releases {
  readonly counts = new Map<number, number>();
  readonly note = (index: number): void => void this.counts.set(index, (this.counts.get(index) ?? 0) + 1);

  expectEachOnce(): void {
    expect([...this.counts.values()].every((count) => count === 1)).toBe(true);
  }
}

/** Lends the blocks of a disk and counts what was lent. */
export async function* lend(
  disk: Uint8Array,
  releases: Releases,
  options: { readonly failAt?: number; readonly lent?: number[] } = {},
): AsyncGenerator<WritableRun, void> {
  for await (const run of scanBytes(disk, { blockSizeBytes: BLOCK, digest: 'blake3', onRelease: releases.note })) {
    if (run.index === options.failAt) throw new Error('the device vanished');
    if (run.kind === 'changed') options.lent?.push(run.index);
    yield run;
  }
}

export async function packsBytes(store: ObjectStore): Promise<number> {
  let total = 0;
  for await (const { sizeBytes } of store.list('packs/')) total += sizeBytes;
  return total;
}

export async function packOfType(store: ObjectStore, type: number): Promise<string> {
  for (const key of await keysOf(store, 'packs/')) if ((await store.get(key))[64 + 4] === type) return key;
  throw new RepositoryError({ code: 'REPO_OBJECT_MISSING', message: `no pack begins with type ${type}` });
}

export async function* zeros(count: number): AsyncGenerator<WritableRun, void> {
  if (count > 0) yield { kind: 'zero', index: 0, count };
}

export async function* fromArray(runs: readonly WritableRun[]): AsyncGenerator<WritableRun, void> {
  yield* runs;
}

export function changedBlock(index: number): WritableRun {
  const data = new Uint8Array(BLOCK).fill(1 + (index % 255));
  return { kind: 'changed', index, digest: blake3(data), data };
}

export async function writeRuns(repository: Repository, sizeBytes: number, runs: readonly WritableRun[], parent?: DiskReader): Promise<RestorePoint> {
  await using writer = await repository.begin({ ...spec, mode: parent ? 'incremental' : 'full' });
  await writer.writeDisk({ key: 'd', sizeBytes, ...(parent ? { parent } : {}) }, fromArray(runs));
  return await writer.commit({ annotations: {} });
}
