/** Scans a device and compares it with the digests in `digests`, or, when that file is not there, writes them for the scans to come. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { blockGrid, DIGEST_BYTES } from '@onevault/base';
import { MemoryDigestMap, openBlockDevice, scan } from '@onevault/block-cbt';
import { measureSelf, using } from '../measure/self.mjs';

const BLOCK_SIZE_BYTES = 1 << 20;

await measureSelf(async ({ device, direct, digests, workers }) =>
  using(await openBlockDevice(device, { direct }), async (opened) => {
    const options = { blockSizeBytes: BLOCK_SIZE_BYTES, digest: 'blake3', ...(workers ? { workers } : {}) };
    const grid = blockGrid(opened.sizeBytes, BLOCK_SIZE_BYTES);
    if (!existsSync(digests)) {
      const map = await MemoryDigestMap.fromScan(grid, scan(opened, options));
      await writeFile(digests, await map.digests(0, grid.blockCount));
      return {};
    }
    return compare(opened, { ...options, parent: await readDigests(grid, digests) });
  }),
);

async function compare(device, options) {
  const started = performance.now();
  const runs = scan(device, options);
  for (let next = await runs.next(); ; next = await runs.next()) {
    if (next.done) return { scanSeconds: (performance.now() - started) / 1000, direct: device.direct, ...next.value };
    if (next.value.kind === 'changed') next.value.release();
  }
}

async function readDigests(grid, path) {
  const bytes = await readFile(path);
  const map = new MemoryDigestMap(grid);
  for (let index = 0; index < grid.blockCount; index += 1) map.set(index, bytes.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES));
  return map;
}
