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

/** `passes`: seconds of each, up to the last block it told of. */
async function delta(repository, disk, path) {
  const target = { read: () => openBlockDevice(path, { exclusive: true }), write: () => openWritableBlockDevice(path, { exclusive: true }) };
  const clock = passClock();
  const { writtenBytes } = await deltaRestore({ devices: { scan }, repository }, target, disk, { verify: true, onProgress: (pass) => clock.at(pass) });
  return { writtenBytes, passes: clock.seconds };
}

async function full(repository, disk, path) {
  const clock = passClock();
  const writtenBytes = await using(await openWritableBlockDevice(path, { exclusive: true }), async (device) => {
    await expectOnly(device, repository, undefined, 'zero');
    clock.at('empty?');
    const bytes = await write(disk, device);
    clock.at('write');
    return bytes;
  });
  await using(await openBlockDevice(path, { exclusive: true }), (device) => expectOnly(device, repository, disk, 'unchanged'));
  clock.at('verify');
  return { writtenBytes, passes: clock.seconds };
}

function passClock() {
  const seconds = {};
  let last = performance.now();
  return {
    seconds,
    at(pass) {
      const now = performance.now();
      seconds[pass] = (seconds[pass] ?? 0) + (now - last) / 1000;
      last = now;
    },
  };
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

/** A scan that finds anything else is a failure, not a figure; what lies unused at the end of the disk stays zeros. */
async function expectOnly(device, { config, digest }, parent, kind) {
  for await (const run of scan(device, { blockSizeBytes: config.blockSizeBytes, digest, ...(parent && { parent }) })) {
    if (run.kind === 'changed') run.release();
    if (run.kind !== kind) throw new Error(`block ${run.index} of ${device.path} is ${run.kind}, not ${kind}`);
  }
}
