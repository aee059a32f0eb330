/** Backs up `devices` as the disks of one restore point, all at once; an incremental trusts the newest point before it. */
import { stat } from 'node:fs/promises';
import { openBlockDevice, scan } from '@onevault/block-cbt';
import { measureSelf, using } from '../measure/self.mjs';
import { newestPoint, repositoryIn } from './repository.mjs';

await measureSelf(async ({ repository: path, init, encrypt, mode, devices, workers }) =>
  using(await repositoryIn(path, init, encrypt), async (repository) => {
    const parent = mode === 'incremental' ? await newestPoint(repository) : undefined;
    const run = { repository, parent, mode, scanning: workers === undefined ? {} : { workers } };
    const spec = { group: 'bench', runId: 'bench', capturedAt: new Date().toISOString(), mode, ...(parent && { parentId: parent.id }) };
    return using(await repository.begin(spec), async (writer) => {
      const disks = await Promise.all(devices.map((device, index) => writeDisk(run, writer, device, `vd${'abcd'[index]}`)));
      const { stats } = await writer.commit({ annotations: {} });
      return { stats, direct: disks.map((disk) => disk.direct), readBytes: disks.reduce((sum, disk) => sum + disk.readBytes, 0) };
    });
  }),
);

function writeDisk({ repository, parent, mode, scanning }, writer, path, key) {
  return withParent(repository, parent, key, async (parentDisk) =>
    using(await openBlockDevice(path, { direct: await readingMode(path, mode) }), async (device) => {
      const { digest, config } = repository;
      const { blockSizeBytes } = config;
      const known = parentDisk === undefined ? {} : { parent: parentDisk };
      const summary = {};
      const runs = keepSummary(scan(device, { blockSizeBytes, digest, ...known, ...scanning }), summary);
      await writer.writeDisk({ key, sizeBytes: device.sizeBytes, confirmDedup: mode === 'full', ...known }, runs);
      return { direct: device.direct, readBytes: summary.readBytes };
    }),
  );
}

/** An incremental is measured with its source cached: a file is then read through the page cache, as the peers read it. Otherwise as the product reads. */
async function readingMode(path, mode) {
  return mode === 'incremental' && (await stat(path)).isFile() ? 'off' : 'auto';
}

async function withParent(repository, parent, key, work) {
  if (parent === undefined) return work(undefined);
  return using(await repository.openDisk(parent, key), work);
}

/** `for await` drops what a generator returns; a scan returns its summary. */
async function* keepSummary(runs, summary) {
  Object.assign(summary, yield* runs);
}
