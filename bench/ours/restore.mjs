/** Writes the disk of the newest restore point to a new file; what reads as zeros stays a hole. */
import { open } from 'node:fs/promises';
import { openWritableBlockDevice } from '@onevault/block-cbt';
import { measureSelf, using } from '../measure/self.mjs';
import { newestPoint, repositoryIn } from './repository.mjs';

await measureSelf(async ({ repository: path, encrypt, target }) =>
  using(await repositoryIn(path, {}, encrypt), async (repository) => {
    const point = await newestPoint(repository);
    return using(await repository.openDisk(point, 'vda'), async (disk) => {
      const file = await open(target, 'wx');
      await file.truncate(disk.grid.sizeBytes);
      await file.close();
      return using(await openWritableBlockDevice(target, { exclusive: true }), (device) => write(disk, device));
    });
  }),
);

async function write(disk, device) {
  let writtenBytes = 0;
  for await (const run of disk.blocks()) {
    if (run.kind === 'zero') continue;
    await device.writeFrom(run.offset, run.data);
    writtenBytes += run.data.byteLength;
  }
  await device.flush();
  return { writtenBytes };
}
