import type { DiskReader } from '../src/index.ts';

/** A whole disk as a restore would write it; for disks that fit in memory. */
export async function readDisk(disk: DiskReader): Promise<Uint8Array> {
  const out = new Uint8Array(disk.grid.sizeBytes);
  let next = 0;
  for await (const run of disk.blocks()) {
    if (run.offset !== next) throw new Error(`a restore goes from ${next} to ${run.offset}`);
    if (run.kind === 'data') out.set(run.data, run.offset);
    next += run.kind === 'data' ? run.data.length : run.length;
  }
  if (next !== disk.grid.sizeBytes) throw new Error(`a restore ends at ${next} of ${disk.grid.sizeBytes}`);
  return out;
}
