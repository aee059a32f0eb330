import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock, seededRandom } from '@onevault/base/testing';
import { cachingStore, fileStore, limitedStore, memoryStore, type ObjectStore, retryingStore } from '../src/index.ts';
import { faultyStore, objectStoreContract, type StoreUnderTest, shuffledCompletion, transientFaults } from '../testing/index.ts';

/** Enough for a decorator, which has no pages of its own. */
const FEW = { listedObjects: 100 };

function inMemory(decorate: (inner: ObjectStore) => ObjectStore): () => Promise<StoreUnderTest> {
  return async () => {
    const inner = memoryStore();
    return { store: decorate(inner), reopen: () => inner, cleanUp: async () => undefined };
  };
}

/** A store in a directory that is made on demand; the decorated store gets a directory beside it. */
function onFileSystem(decorate: (inner: ObjectStore, beside: string) => ObjectStore): () => Promise<StoreUnderTest> {
  return async () => {
    const path = await mkdtemp(join(tmpdir(), 'onevault-store-'));
    const open = (): ObjectStore => decorate(fileStore(join(path, 'made', 'on demand')), join(path, 'beside'));
    return {
      store: open(),
      reopen: open,
      cleanUp: async () => {
        const left = await readdir(path, { recursive: true });
        await rm(path, { recursive: true });
        if (left.some((name) => name.includes('.tmp-'))) throw new Error(`temporary files were left: ${left.join(', ')}`);
      },
    };
  };
}

const limits = { uploadBytesPerSecond: 1e6, downloadBytesPerSecond: 1e6, requestsPerSecond: 10, concurrentRequests: 2 };
const clock = new FakeClock({ auto: true });
const random = (): number => 0.5;

objectStoreContract(
  'in memory',
  inMemory((inner) => inner),
);
objectStoreContract(
  'on a file system',
  onFileSystem((inner) => inner),
);

objectStoreContract(
  'decorated with faults that never happen',
  inMemory((inner) => faultyStore(inner, () => undefined)),
  FEW,
);
objectStoreContract(
  'with requests and answers that overtake each other',
  inMemory((inner) => faultyStore(inner, shuffledCompletion(seededRandom(7)))),
  FEW,
);

for (const n of [2, 3, 5])
  objectStoreContract(
    `retrying where every operation number ${n} fails`,
    inMemory((inner) => retryingStore(faultyStore(inner, transientFaults(n)), { clock, random })),
    FEW,
  );

objectStoreContract(
  'limited',
  inMemory((inner) => limitedStore(inner, limits, { clock })),
  FEW,
);

/** Cache hits cost no traffic, and what is repeated counts as traffic. */
function stack(inner: ObjectStore, cachePath: string): ObjectStore {
  return cachingStore(retryingStore(limitedStore(faultyStore(inner, transientFaults(7)), limits, { clock }), { clock, random }), {
    path: cachePath,
    maxBytes: 8 * 1024 * 1024,
  });
}

objectStoreContract(
  'cached, on a file system',
  onFileSystem((inner, path) => cachingStore(inner, { path, maxBytes: 1024 * 1024 })),
  FEW,
);
objectStoreContract('cached, retrying, limited and faulty, on a file system', onFileSystem(stack), FEW);
