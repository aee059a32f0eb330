/**
 * What the block size costs and saves: the same disk of a database server, and the same day of its writes, in repositories of every block size.
 * `node bench/block-size.mjs --size 2GiB` (build first: `npm run build`); needs four times the size of disk space.
 */
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { databaseDay, databaseDisk } from './disk/database-disk.mjs';
import { directoryBytes } from './measure/directory-bytes.mjs';
import { warmPageCache } from './measure/page-cache.mjs';
import { runPlain } from './measure/run.mjs';
import { parseCount, parseSize, readOptions } from './options.mjs';
import { oursTool } from './ours/tool.mjs';
import { machineFacts } from './report/machine.mjs';

const [KIB, MIB, GIB] = [2 ** 10, 2 ** 20, 2 ** 30];

const USAGE = `node bench/block-size.mjs [options]
  --size 2GiB          size of the disk
  --writes 200000      writes of 16 KiB in a day
  --skew 1.2           exponent of Zipf's law for updated pages
  --blocks 64KiB,…     block sizes (default: 64KiB to 4MiB)
  --dir DIR            where disks and repositories are kept meanwhile (default: bench-data)
  --json               the result as JSON on stdout`;

const options = readOptions(USAGE, {
  size: { type: 'string', default: '2GiB', parse: parseSize },
  writes: { type: 'string', default: '200000', parse: (text) => Number(parseCount(text)) },
  skew: { type: 'string', default: '1.2', parse: Number },
  blocks: { type: 'string', default: '64KiB,128KiB,256KiB,512KiB,1MiB,2MiB,4MiB', parse: (text) => text.split(',').map(parseSize) },
  dir: { type: 'string', default: new URL('../bench-data', import.meta.url).pathname, parse: (dir) => resolve(dir) },
  json: { type: 'boolean', default: false },
});

const note = (text) => process.stderr.write(`· ${text}\n`);
const work = `${options.dir}/block-size-${process.pid}`;
await mkdir(work, { recursive: true });
try {
  const base = `${work}/base.img`;
  await databaseDisk(base, options.size);
  const days = {};
  for (const locality of ['extents', 'scattered']) {
    const path = `${work}/${locality}.img`;
    await copyFile(base, path);
    days[locality] = { path, ...(await databaseDay(path, { sizeBytes: options.size, writes: options.writes, skew: options.skew, locality })) };
    note(`${locality}: ${days[locality].touchedPages} pages written`);
  }
  const rows = [];
  for (const blockSizeBytes of options.blocks) {
    note(`${blockSizeBytes / KIB} KiB`);
    rows.push(await measure(base, days, blockSizeBytes));
  }
  report({ facts: machineFacts(), days, rows });
} finally {
  await rm(work, { recursive: true, force: true });
}

async function measure(base, days, blockSizeBytes) {
  const ours = oursTool(`${work}/onevault`, { blockSizeBytes });
  await ours.create();
  await warmPageCache(base);
  const full = await ours.full(base);
  const repository = ours.repository;
  const fullBytes = await directoryBytes(repository);
  const indexBytes = await directoryBytes(`${repository}/index`);
  const unchanged = await ours.incremental(base);
  const restored = `${work}/restored.img`;
  const restore = await ours.restore(base, restored);
  await runPlain('cmp', [base, restored]);
  await rm(restored);
  const stored = {};
  for (const [locality, day] of Object.entries(days)) {
    await warmPageCache(day.path);
    const before = await directoryBytes(repository);
    const incremental = await ours.incremental(day.path);
    stored[locality] = { bytes: (await directoryBytes(repository)) - before, blocks: day.touchedBlocks(blockSizeBytes), ...pick(incremental) };
    // The day that follows starts from the same disk: the next incremental takes the base back.
    await ours.incremental(base);
  }
  await rm(repository, { recursive: true });
  return { blockSizeBytes, fullBytes, indexBytes, full: pick(full), unchanged: pick(unchanged), restore: pick(restore), stored };
}

function pick({ seconds, processorSeconds, peakBytes }) {
  return { seconds, processorSeconds, peakBytes };
}

function report(result) {
  if (options.json) return process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  const { facts, days, rows } = result;
  const written = (locality) => `${days[locality].touchedPages} different pages (${mib(days[locality].touchedPages * (16 << 10))})`;
  const head = [
    'block',
    'stored by the day: hot extents',
    'hot pages scattered',
    'full backup stored',
    'index table',
    'index for 1 TiB',
    'full',
    'unchanged scan',
    'restore',
    'incremental, hot extents',
  ];
  const lines = [
    `${(options.size / GIB).toFixed(1)} GiB disk, ${options.writes} writes of 16 KiB, Zipf exponent ${options.skew}; hot extents: ${written('extents')}, scattered: ${written('scattered')}`,
    `${facts.cpus}, Linux ${facts.kernel}, Node ${facts.node}; wall seconds / processor seconds`,
    '',
    line(head),
    line(head.map((_, n) => (n === 0 ? '---' : '---:'))),
    ...rows.map((row) => {
      const { blockSizeBytes, stored, fullBytes, indexBytes, full, unchanged, restore } = row;
      const perTib = ((2 ** 40 / blockSizeBytes) * 44.6) / MIB;
      return line([
        blockSizeBytes >= MIB ? `${blockSizeBytes / MIB} MiB` : `${blockSizeBytes / KIB} KiB`,
        mib(stored.extents.bytes),
        mib(stored.scattered.bytes),
        mib(fullBytes),
        `${(indexBytes / KIB).toFixed(0)} KiB`,
        `${perTib.toFixed(0)} MiB`,
        time(full),
        time(unchanged),
        time(restore),
        time(stored.extents),
      ]);
    }),
  ];
  return process.stdout.write(`${lines.join('\n')}\n`);
}

function line(cells) {
  return `| ${cells.join(' | ')} |`;
}

function time({ seconds, processorSeconds }) {
  return `${seconds.toFixed(1)} / ${processorSeconds.toFixed(1)} s`;
}

function mib(bytes) {
  return `${Math.round(bytes / MIB).toLocaleString('en')} MiB`;
}
