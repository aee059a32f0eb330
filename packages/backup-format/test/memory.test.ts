import { availableParallelism } from 'node:os';
import { blake3 } from '@napi-rs/blake-hash';
import { seededRandom } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { createRepository, memoryStore, type ObjectStore, type ObjectWriter, type WritableRun } from '../src/index.ts';
import { deps } from './support/small-vm.ts';

const BLOCK = 1024 * 1024;
const BLOCKS = 300;

/** A store that keeps nothing of packs: what is left in memory is the writer's own. */
function forgetfulStore(): ObjectStore {
  const store = memoryStore();
  const create = store.create.bind(store);
  store.create = async (key, options): Promise<ObjectWriter> =>
    key.startsWith('packs/') ? { write: async () => undefined, commit: async () => undefined, abort: async () => undefined } : create(key, options);
  return store;
}

describe('the memory of a writer', () => {
  it('holds at most as many blocks on loan as it compresses at once, however long the disk', async () => {
    const repository = await createRepository(forgetfulStore(), {}, deps);
    let onLoan = 0;
    let most = 0;
    const noise = seededRandom(1).bytes(BLOCK);
    const giveBack = (): void => {
      onLoan -= 1;
    };
    async function* runs(): AsyncGenerator<WritableRun, void> {
      for (let index = 0; index < BLOCKS; index++) {
        const data = noise.slice();
        data.set([index & 255, index >> 8]);
        if (index % 2) data.fill(7, BLOCK / 4); // every other one compresses
        onLoan += 1;
        most = Math.max(most, onLoan);
        yield { kind: 'changed', index, digest: blake3(data), data, release: giveBack };
      }
    }
    const before = process.memoryUsage();
    let peak = 0;
    await using writer = await repository.begin({ group: 'g', runId: 'r', capturedAt: '2026-11-22T19:00:00Z', mode: 'full' });
    const observe = async function* (): AsyncGenerator<WritableRun, void> {
      for await (const run of runs()) {
        peak = Math.max(peak, process.memoryUsage.rss());
        yield run;
      }
    };
    await writer.writeDisk({ key: 'd', sizeBytes: BLOCKS * BLOCK }, observe());
    await writer.commit({ annotations: {} });
    expect(onLoan).toBe(0);
    expect(most).toBeLessThanOrEqual(availableParallelism() + 4); // ENCODES_AHEAD, the one being pushed and the one being asked for
    expect(peak - before.rss).toBeLessThan(150 * 1024 * 1024);
  });
});
