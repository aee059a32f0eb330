import { createHash } from 'node:crypto';
import { FakeClock, seededRandom } from '@onevault/base/testing';
import { createRepository, memoryStore, type ObjectStore, type WritableRun } from '../src/index.ts';

const EXAMPLE_BLOCK_BYTES = 65_536;
/** One block of zeros and a short last block. */
export const EXAMPLE_DISK: Uint8Array = Buffer.concat([Buffer.alloc(EXAMPLE_BLOCK_BYTES), Buffer.from('The quick brown fox jumps over the lazy dog.')]);

/** The repository of docs/format.md section 15: always the same bytes, because its clock and its random numbers are. */
export async function workedExample(): Promise<ObjectStore> {
  const store = memoryStore();
  const random = seededRandom(1);
  const deps = { clock: new FakeClock({ startMs: Date.UTC(2026, 10, 22, 19, 0, 11, 123) }), randomBytes: (length: number) => random.bytes(length) };
  const repository = await createRepository(store, { digest: 'sha256', blockSizeBytes: EXAMPLE_BLOCK_BYTES, compressionLevel: 3 }, deps);
  await using writer = await repository.begin({ group: 'vm-42', runId: 'example', capturedAt: '2026-11-22T19:00:00Z', mode: 'full' });
  await writer.writeDisk({ key: 'disk-0', sizeBytes: EXAMPLE_DISK.length }, exampleRuns());
  await writer.commit({ annotations: { name: 'web' } });
  return store;
}

async function* exampleRuns(): AsyncGenerator<WritableRun, void> {
  const data = EXAMPLE_DISK.subarray(EXAMPLE_BLOCK_BYTES);
  yield { kind: 'zero', index: 0, count: 1 };
  yield { kind: 'changed', index: 1, digest: createHash('sha256').update(data).digest(), data };
}
