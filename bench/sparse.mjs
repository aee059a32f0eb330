/**
 * Memory does not grow with the disk: backs up a huge sparse file, backs it up again unchanged, reads it back and compares every byte of data.
 * `node bench/sparse.mjs --size 16TiB --data 0.1%` (build first: `npm run build`).
 */
import { mkdir, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { sparseDisk } from './disk/sparse-disk.mjs';
import { directoryBytes } from './measure/directory-bytes.mjs';
import { parseCount, parseFraction, parseSize, readOptions } from './options.mjs';
import { oursTool } from './ours/tool.mjs';

const MIB = 2 ** 20;

const USAGE = `node bench/sparse.mjs [options]
  --size 64GiB     size of the sparse disk
  --data 0.1%      how much of it is data
  --dir DIR        where the disk and the repository are kept meanwhile (default: bench-data)
  --limit 350MiB   exit code 1 when a step needs more memory
  --workers N      scan threads (default: what the library chooses)
  --json           the result as JSON on stdout`;

const options = readOptions(USAGE, {
  size: { type: 'string', default: '64GiB', parse: parseSize },
  data: { type: 'string', default: '0.1%', parse: parseFraction },
  dir: { type: 'string', default: new URL('../bench-data', import.meta.url).pathname, parse: (dir) => resolve(dir) },
  limit: { type: 'string', default: '350MiB', parse: parseSize },
  workers: { type: 'string', parse: parseCount },
  json: { type: 'boolean', default: false },
});

const work = `${options.dir}/sparse-${process.pid}`;
await mkdir(work, { recursive: true });
try {
  const source = `${work}/disk.img`;
  const { sizeBytes, extents } = await sparseDisk(source, options.size, options.data);
  const dataBytes = extents.reduce((sum, { length }) => sum + length, 0);
  const ours = oursTool(`${work}/onevault`, { workers: options.workers });
  await ours.create();
  const steps = {
    'full backup': await ours.full(source),
    'unchanged incremental': await ours.incremental(source),
    'read back and compared': await ours.compare(source, extents),
  };
  const repositoryBytes = await directoryBytes(ours.repository);
  report({ sizeBytes, dataBytes, extents: extents.length, repositoryBytes, steps });
  if (Object.values(steps).some(({ peakBytes }) => peakBytes > options.limit)) process.exitCode = 1;
} finally {
  await rm(work, { recursive: true, force: true });
}

function report(result) {
  if (options.json) return process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  const { sizeBytes, dataBytes, extents, repositoryBytes, steps } = result;
  const lines = [`${(sizeBytes / 2 ** 40).toFixed(3)} TiB, ${mib(dataBytes)} of data in ${extents} extents; repository ${mib(repositoryBytes)}`];
  for (const [title, { seconds, peakBytes }] of Object.entries(steps)) {
    const verdict = peakBytes > options.limit ? 'MISSED' : 'met';
    lines.push(`${title.padEnd(24)} ${seconds.toFixed(1).padStart(8)} s  peak ${mib(peakBytes).padStart(9)}  (≤ ${mib(options.limit)}) ${verdict}`);
  }
  return process.stdout.write(`${lines.join('\n')}\n`);
}

function mib(bytes) {
  return `${(bytes / MIB).toFixed(0)} MiB`;
}
