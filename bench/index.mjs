/**
 * The dedup index at scale: builds a synthetic one as runs leave it, merges it, and looks chunks up that are there and that are not.
 * `node bench/index.mjs --entries 20000000` (build first: `npm run build`); 20 million entries take about 2 GiB of disk.
 */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { directoryBytes } from './measure/directory-bytes.mjs';
import { dropPageCache, warmPageCache } from './measure/page-cache.mjs';
import { runMeasured } from './measure/run.mjs';
import { parseCount, readOptions } from './options.mjs';
import { machineFacts } from './report/machine.mjs';

const MIB = 2 ** 20;

const USAGE = `node bench/index.mjs [options]
  --entries 20000000   chunks in the index
  --table 100000       entries in a table as a run writes it
  --lookups 20000      lookups page by page from the disk; from the page cache five times, with filters fifty times as many
  --concurrency 4      lookups at a time, as a run on two cores makes them
  --dir DIR            where the index is kept meanwhile (default: bench-data)
  --json               the result as JSON on stdout`;

const options = readOptions(USAGE, {
  entries: { type: 'string', default: '20000000', parse: parseCount },
  table: { type: 'string', default: '100000', parse: parseCount },
  lookups: { type: 'string', default: '20000', parse: parseCount },
  concurrency: { type: 'string', default: '4', parse: parseCount },
  dir: { type: 'string', default: new URL('../bench-data', import.meta.url).pathname, parse: (dir) => resolve(dir) },
  json: { type: 'boolean', default: false },
});

const entries = Number(options.entries);
const lookups = Number(options.lookups);
const concurrency = Number(options.concurrency);
const tables = Math.ceil(entries / Number(options.table));
const dir = `${options.dir}/index-${process.pid}`;
await mkdir(dir, { recursive: true });
try {
  const steps = {};
  steps.build = await stage('build', { entries, tables });
  const unmergedBytes = await directoryBytes(dir);
  steps.unmerged = await stage('present', { lookups: Math.min(lookups, 500), concurrency });
  steps.merge = await stage('merge', {});
  const mergedBytes = await directoryBytes(dir);
  steps.open = await stage('open', {});
  for (const [cache, times] of [
    ['cold', 1],
    ['warm', 5],
  ]) {
    for (const kind of ['present', 'absent']) {
      await (cache === 'cold' ? dropPageCache() : warmIndex());
      steps[`${kind} ${cache}`] = await stage(kind, { lookups: lookups * times, concurrency });
    }
  }
  report({ facts: machineFacts(), entries, tables, unmergedBytes, mergedBytes, cold: process.getuid() === 0, steps });
} finally {
  await rm(dir, { recursive: true, force: true });
}

async function stage(name, task) {
  process.stderr.write(`· ${name}\n`);
  const program = fileURLToPath(new URL('ours/index-stage.mjs', import.meta.url));
  const { stdout } = await runMeasured(process.execPath, [program], { input: JSON.stringify({ stage: name, dir, entries, ...task }) });
  return JSON.parse(stdout);
}

async function warmIndex() {
  for (const name of await readdir(`${dir}/index`)) if ((await stat(`${dir}/index/${name}`)).isFile()) await warmPageCache(`${dir}/index/${name}`);
}

function report(result) {
  if (options.json) return process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  const { facts, steps, unmergedBytes, mergedBytes } = result;
  const perSecond = (rate) => `${Math.round(rate).toLocaleString('en')} /s`;
  const rows = [
    ['', 'wall', 'processor', 'peak memory', ''],
    row('build, as runs leave it', steps.build, `${result.tables} tables, ${mib(unmergedBytes)}`),
    row('lookups before the merge', steps.unmerged, perSecond(steps.unmerged.rate)),
    row(
      'merge',
      steps.merge,
      `${steps.merge.merges} merges to ${steps.merge.tables} tables, ${perSecond(steps.merge.readEntries / steps.merge.seconds)}, ${mib(mergedBytes)}`,
    ),
    row('open', steps.open, `tables of ${steps.open.entries.map((n) => n.toLocaleString('en')).join(', ')} entries`),
    row(`there, ${result.cold ? 'page cache dropped' : 'page cache as it is'}`, steps['present cold'], perSecond(steps['present cold'].rate)),
    row('there, from the page cache', steps['present warm'], perSecond(steps['present warm'].rate)),
    ...['cold', 'warm'].map((cache) => {
      const { byPages, filterSeconds, byFilter } = steps[`absent ${cache}`];
      const text = `${perSecond(byPages)} by pages, ${perSecond(byFilter)} with filters (made in ${filterSeconds.toFixed(1)} s)`;
      return row(`not there, ${cache === 'cold' ? 'page cache dropped' : 'from the page cache'}`, steps[`absent ${cache}`], text);
    }),
  ];
  const lines = [
    `${entries.toLocaleString('en')} entries, ${concurrency} lookups at a time; ${facts.cpus}, ${(facts.memoryBytes / 2 ** 30).toFixed(0)} GiB, Linux ${facts.kernel}, Node ${facts.node}`,
    '',
    ...rows.flatMap((cells, n) => [`| ${cells.join(' | ')} |`, ...(n === 0 ? ['|---|---:|---:|---:|---|'] : [])]),
    '',
    `At 100 million entries (calculated, not measured): fences ${mib((1e8 / 92) * 8)}, filters 64 MiB with 5.4 bits an entry (one lookup in 13 in vain still reads a page).`,
  ];
  return process.stdout.write(`${lines.join('\n')}\n`);
}

function row(title, { seconds, processorSeconds, peakBytes }, text) {
  return [title, `${seconds.toFixed(1)} s`, `${processorSeconds.toFixed(1)} s`, mib(peakBytes), text];
}

function mib(bytes) {
  return `${Math.round(bytes / MIB)} MiB`;
}
