/** `node bench/compression.mjs FILE…`: what each zstd level costs and saves, through the whole backup path. Behind the default level (docs/adr/0019). */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename } from 'node:path';
import { oursTool } from './ours/tool.mjs';

const LEVELS = [1, 2, 3, 4, 5];

const files = process.argv.slice(2);
if (files.length === 0) {
  process.stderr.write('node bench/compression.mjs FILE…   files of typical disks, for instance a tar of /usr or a database\n');
  process.exit(2);
}
process.stdout.write('| data | level | stored / new | processor seconds / GiB |\n|---|---|---|---|\n');
for (const file of files) for (const level of LEVELS) await measure(file, level);

async function measure(file, compressionLevel) {
  const work = await mkdtemp(`${tmpdir()}/onevault-compression-`);
  try {
    const ours = oursTool(`${work}/onevault`, { compressionLevel });
    await ours.create();
    const { stats, processorSeconds } = await ours.full(file);
    const ratio = (stats.storedBytes / stats.newBytes).toFixed(3);
    process.stdout.write(`| ${basename(file)} | ${compressionLevel} | ${ratio} | ${(processorSeconds / (stats.newBytes / 2 ** 30)).toFixed(2)} |\n`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
