/**
 * The passes of a restore over a device, in full (prove it empty, write, read back) or as a delta (`deltaRestore`: compare, write what differs, read back),
 * as the product makes them on a disk that is attached to the proxy VM; without OpenNebula, which would take the same time for both.
 */
import { openBlockDevice, openWritableBlockDevice, scan } from '@onevault/block-cbt';
import { deltaRestore } from '@onevault/orchestrator';
import { measureSelf, using } from '../measure/self.mjs';
import { newestPoint, repositoryIn } from './repository.mjs';

await measureSelf(async ({ repository: path, device, mode }) =>
  using(await repositoryIn(path), async (repository) => {
    const point = await newestPoint(repository);
    return using(await repository.openDisk(point, 'vda'), (disk) => (mode === 'delta' ? delta(repository, disk, device) : full(repository, disk, device)));
  }),
);

async function delta(repository, disk, path) {
  const target = { read: () => openBlockDevice(path, { exclusive: true }), write: () => openWritableBlockDevice(path, { exclusive: true }) };
  const { writtenBytes } = await deltaRestore({ devices: { scan }, repository }, target, disk, { verify: true });
  return { writtenBytes };
}

async function full(repository, disk, path) {
  const writtenBytes = await using(await openWritableBlockDevice(path, { exclusive: true }), async (device) => {
    await expectOnly(device, repository, undefined, 'zero');
    return write(disk, device);
  });
  await using(await openBlockDevice(path, { exclusive: true }), (device) => expectOnly(device, repository, disk, 'unchanged'));
  return { writtenBytes };
}

async function write(disk, device) {
  let writtenBytes = 0;
  for await (const run of disk.blocks()) {
    if (run.kind === 'zero') continue;
    await device.writeFrom(run.offset, run.data);
    writtenBytes += run.data.byteLength;
  }
  await device.flush();
  return writtenBytes;
}

async function expectOnly(device, { config, digest }, parent, kind) {
  for await (const run of scan(device, { blockSizeBytes: config.blockSizeBytes, digest, ...(parent && { parent }) })) {
    if (run.kind === 'changed') run.release();
    if (run.kind !== kind) throw new Error(`block ${run.index} of ${device.path} is ${run.kind}, not ${kind}`);
  }
}
