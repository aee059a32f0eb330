/**
 * Reads the disk of the newest restore point and compares it with `source`: data byte by byte, and what reads as zeros with `extents`, the only places of
 * the source that hold data (in order, and without a zero byte).
 */
import { open } from 'node:fs/promises';
import { measureSelf, using } from '../measure/self.mjs';
import { newestPoint, repositoryIn } from './repository.mjs';

await measureSelf(async ({ repository: path, encrypt, source, extents }) =>
  using(await repositoryIn(path, {}, encrypt), async (repository) => {
    const point = await newestPoint(repository);
    return using(await repository.openDisk(point, 'vda'), async (disk) => {
      const file = await open(source);
      try {
        const size = (await file.stat()).size;
        if (disk.grid.sizeBytes !== size) throw new Error(`the disk has ${disk.grid.sizeBytes} bytes, its source ${size}`);
        return await compareAll(disk, file, extents);
      } finally {
        await file.close();
      }
    });
  }),
);

async function compareAll(disk, file, extents) {
  let comparedBytes = 0;
  let end = 0;
  let next = 0;
  for await (const run of disk.blocks()) {
    const length = run.kind === 'zero' ? run.length : run.data.byteLength;
    if (run.offset !== end) throw new Error(`the disk jumps from ${end} to ${run.offset}`);
    end = run.offset + length;
    while (next < extents.length && extents[next].offset + extents[next].length <= run.offset) next += 1;
    if (run.kind === 'zero') requireNoData(run, extents[next]);
    else comparedBytes += await requireEqual(run, file);
  }
  if (end !== disk.grid.sizeBytes) throw new Error(`the disk ends at ${end} of ${disk.grid.sizeBytes} bytes`);
  return { comparedBytes };
}

function requireNoData({ offset, length }, extent) {
  if (extent !== undefined && extent.offset < offset + length) throw new Error(`${extent.length} bytes of data at ${extent.offset} came back as zeros`);
}

async function requireEqual({ offset, data }, file) {
  const source = Buffer.alloc(data.byteLength);
  await file.read(source, 0, source.length, offset);
  if (!source.equals(data)) throw new Error(`the ${source.length} bytes at ${offset} differ`);
  return source.length;
}
