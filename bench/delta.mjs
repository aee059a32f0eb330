/**
 * A delta restore beside a full one, on the same device: the passes over the disk that a restore to an attached image makes, read back included.
 * `node bench/delta.mjs` (build first: `npm run build`; root, for the loop device).
 */
import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { wholeDisk } from './disk/loop-device.mjs';
import { mixedDisk } from './disk/mixed-disk.mjs';
import { overwriteBlocks } from './disk/other-blocks.mjs';
import { dropPageCache } from './measure/page-cache.mjs';
import { runPlain } from './measure/run.mjs';
import { parseCount, parseFraction, parseSize, readOptions } from './options.mjs';
import { oursTool } from './ours/tool.mjs';
import { machineFacts } from './report/machine.mjs';
import { judge, printTable } from './report/table.mjs';

const USAGE = `node bench/delta.mjs [options]
  --size 8GiB      size of the disk; the bars are meant for 8GiB
  --changed 1%     how much of the disk is another afterwards, in whole blocks of 1 MiB that lie anywhere
  --dir DIR        where everything is kept meanwhile (default: bench-data); about three times the disk
  --rounds 3       how often each measurement is taken, in turn
  --json           the result as JSON on stdout, the table on stderr
  --enforce        exit code 1 when a bar is missed`;

const options = readOptions(USAGE, {
  size: { type: 'string', default: '8GiB', parse: parseSize },
  changed: { type: 'string', default: '1%', parse: parseFraction },
  dir: { type: 'string', default: new URL('../bench-data', import.meta.url).pathname, parse: (dir) => resolve(dir) },
  rounds: { type: 'string', default: '3', parse: parseCount },
  json: { type: 'boolean', default: false },
  enforce: { type: 'boolean', default: false },
});

const note = (text) => process.stderr.write(`· ${text}\n`);
await mkdir(options.dir, { recursive: true });
const disk = await mixedDisk(options.dir, options.size);
const work = `${options.dir}/delta-${process.pid}`;
const target = `${work}/target.img`;
await mkdir(work);
const taken = { full: [], delta: [] };
const written = { full: [], delta: [] };
try {
  const ours = oursTool(`${work}/onevault`);
  await ours.create();
  await ours.full(disk.path);
  for (let round = 0; round < options.rounds; round += 1) {
    await rm(target, { force: true });
    await writeFile(target, '');
    await truncate(target, options.size);
    await measure(ours, 'full');
    note(`${mib(await overwriteBlocks(target, { fraction: options.changed, round }))} are overwritten`);
    await measure(ours, 'delta');
  }
} finally {
  await rm(work, { recursive: true, force: true });
}

const rows = [
  { measure: 'delta restore', kind: 'seconds', ours: taken.delta, peer: 'full', theirs: taken.full },
  { measure: 'delta restore: written', kind: 'bytes', ours: written.delta, peer: 'full', theirs: written.full },
];
const judged = rows.map(judge);
const facts = { ...machineFacts(), sizeBytes: options.size, rounds: options.rounds };
printTable(judged, facts, options.json ? process.stderr : process.stdout);
if (options.json) process.stdout.write(`${JSON.stringify({ facts, rows: judged }, null, 2)}\n`);
if (options.enforce && judged.some(({ verdict }) => verdict === 'MISSED')) process.exitCode = 1;

async function measure(ours, mode) {
  await dropPageCache();
  const { seconds, writtenBytes, peakBytes, passes } = await wholeDisk(target, (device) => ours.toDevice(device ?? target, mode), { readOnly: false });
  const each = Object.entries(passes).map(([pass, time]) => `${pass} ${time.toFixed(2)} s`);
  note(`${mode}: ${seconds.toFixed(2)} s (${each.join(', ')}), ${mib(writtenBytes)} written, ${mib(peakBytes)} of memory`);
  taken[mode].push(seconds);
  written[mode].push(writtenBytes);
  await runPlain('cmp', [disk.path, target]);
}

function mib(bytes) {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
