import type { DigestSource } from '@onevault/base';
import { openBlockDevice, scan } from '@onevault/block-cbt';

/** Hands every block that changed since `parent` to `store`. */
export async function sendChanges(path: string, parent: DigestSource, store: (index: number, data: Uint8Array) => Promise<void>): Promise<void> {
  await using device = await openBlockDevice(path); // past the page cache where the file system lets it
  for await (const run of scan(device, { blockSizeBytes: 2 ** 20, digest: 'blake3', parent })) {
    if (run.kind !== 'changed') continue; // a run of unchanged or of zero blocks: index, count
    try {
      await store(run.index, run.data); // memory shared with the scan threads, until:
    } finally {
      run.release();
    }
  }
}
