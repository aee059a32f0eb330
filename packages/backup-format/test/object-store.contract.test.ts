import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileStore, memoryStore } from '../src/index.ts';
import { faultyStore, objectStoreContract } from '../testing/index.ts';

objectStoreContract('in memory', async () => {
  const store = memoryStore();
  return { store, reopen: () => store, cleanUp: async () => undefined };
});

objectStoreContract('on a file system', async () => {
  const path = await mkdtemp(join(tmpdir(), 'onevault-store-'));
  return {
    store: fileStore(join(path, 'made', 'on demand')),
    reopen: () => fileStore(join(path, 'made', 'on demand')),
    cleanUp: async () => {
      const left = await readdir(path, { recursive: true });
      await rm(path, { recursive: true });
      if (left.some((name) => name.includes('.tmp-'))) throw new Error(`temporary files were left: ${left.join(', ')}`);
    },
  };
});

objectStoreContract('decorated with faults that never happen', async () => {
  const inner = memoryStore();
  return { store: faultyStore(inner, () => undefined), reopen: () => inner, cleanUp: async () => undefined };
});
