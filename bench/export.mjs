/**
 * Exports of a disk beside `qemu-img convert` of the same disk and `restic dump`, and `nbdcopy` from our server beside our export. Everything that is made is
 * compared with the disk. `node bench/export.mjs` (build first: `npm run build`).
 */
import { mkdir, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { mixedDisk } from './disk/mixed-disk.mjs';
import { dropPageCache } from './measure/page-cache.mjs';
import { runMeasured, runPlain } from './measure/run.mjs';
import { parseCount, parseSize, readOptions } from './options.mjs';
import { oursCommand } from './ours/command.mjs';
import { oursTool } from './ours/tool.mjs';
import { qemuImgPeer } from './peers/qemu-img.mjs';
import { resticPeer } from './peers/restic.mjs';
import { machineFacts } from './report/machine.mjs';
import { judge, printTable } from './report/table.mjs';

const FORMATS = {
  raw: [],
  qcow2: ['--format', 'qcow2'],
  'qcow2 zlib': ['--format', 'qcow2', '--compress', 'zlib'],
  'qcow2 zstd': ['--format', 'qcow2', '--compress', 'zstd'],
};
const PARTS = [...Object.keys(FORMATS), 'restic', 'nbdcopy'];

const USAGE = `node bench/export.mjs [options]
  --size 8GiB      size of the disk; the bars are meant for 8GiB
  --dir DIR        where the disk and everything else is kept meanwhile (default: bench-data); about three times the disk
  --only a,b       of ${PARTS.join(', ')}
  --rounds 3       how often each measurement is taken, ours and the peer's in turn
  --json           the result as JSON on stdout, the table on stderr
  --enforce        exit code 1 when a bar is missed`;

const options = readOptions(USAGE, {
  size: { type: 'string', default: '8GiB', parse: parseSize },
  dir: { type: 'string', default: new URL('../bench-data', import.meta.url).pathname, parse: (dir) => resolve(dir) },
  only: { type: 'string', default: PARTS.join(','), parse: parseParts },
  rounds: { type: 'string', default: '3', parse: parseCount },
  json: { type: 'boolean', default: false },
  enforce: { type: 'boolean', default: false },
});

const note = (text) => process.stderr.write(`· ${text}\n`);
await mkdir(options.dir, { recursive: true });
const disk = await mixedDisk(options.dir, options.size);
note(`${disk.cached ? 'found' : 'built'} ${disk.path}`);
const work = `${options.dir}/export-${process.pid}`;
const target = `${work}/exported`;
await mkdir(work);
const rows = [];
try {
  const tool = oursTool(`${work}/onevault`);
  await tool.create();
  await tool.full(disk.path);
  const ours = oursCommand(tool.repository);
  const qemuImg = await qemuImgPeer();
  for (const format of Object.keys(FORMATS).filter((name) => options.only.has(name))) rows.push(...(await measureFormat(ours, qemuImg, format)));
  if (options.only.has('restic')) rows.push(await measureRestic(ours));
  if (options.only.has('nbdcopy')) rows.push(await measureNbdcopy(ours));
} finally {
  await rm(work, { recursive: true, force: true });
}

const judged = rows.map(judge);
const facts = { ...machineFacts(), sizeBytes: options.size, rounds: options.rounds };
printTable(judged, facts, options.json ? process.stderr : process.stdout);
if (options.json) process.stdout.write(`${JSON.stringify({ facts, rows: judged }, null, 2)}\n`);
if (options.enforce && judged.some(({ verdict }) => verdict === 'MISSED')) process.exitCode = 1;

/** Time and, for images, size. */
async function measureFormat(ours, qemuImg, format) {
  const seconds = { ours: [], theirs: [] };
  const bytes = { ours: [], theirs: [] };
  const makers = { ours: () => exportDisk(ours, format), ...(qemuImg && { theirs: () => qemuImg[format](disk.path, target) }) };
  for (let round = 0; round < options.rounds; round += 1) {
    for (const [whose, make] of Object.entries(makers)) {
      const measured = await measure(`${format}, ${whose}`, make);
      seconds[whose].push(measured.seconds);
      bytes[whose].push((await stat(target)).size);
      await (format === 'raw' ? runPlain('cmp', [disk.path, target]) : qemuImg?.check(target, disk.path));
    }
  }
  const absent = qemuImg ? undefined : 'qemu-img is not installed';
  const row = { measure: `export ${format}`, kind: 'seconds', bytes: options.size, peer: 'qemu-img', absent, ...seconds };
  return format === 'raw' ? [row] : [row, { measure: `size of ${format}`, kind: 'bytes', peer: 'qemu-img', absent, ...bytes }];
}

async function measureRestic(ours) {
  const restic = await resticPeer(`${work}/restic`);
  const taken = { ours: [], theirs: [] };
  if (restic) {
    await restic.create();
    await restic.full(disk.path);
    for (let round = 0; round < options.rounds; round += 1) {
      taken.ours.push((await measure('raw beside restic, ours', () => exportDisk(ours, 'raw'))).seconds);
      taken.theirs.push((await measure('raw beside restic, theirs', () => restic.dump(disk.path, target))).seconds);
      await runPlain('cmp', [disk.path, target]);
    }
  }
  return { measure: 'export raw', kind: 'seconds', bytes: options.size, peer: 'restic', absent: restic ? undefined : 'restic is not installed', ...taken };
}

/** What a client of the server gets, beside what the export does: the same repository, the same target. */
async function measureNbdcopy(ours) {
  const taken = { ours: [], theirs: [] };
  for (let round = 0; round < options.rounds; round += 1) {
    taken.theirs.push((await measure('raw beside nbdcopy', () => exportDisk(ours, 'raw'))).seconds);
    const copied = await ours.serving('vda', (uri) => measure('nbdcopy', () => runMeasured('sh', ['-c', 'nbdcopy "$0" "$1" && sync "$1"', uri, target])));
    taken.ours.push(copied.seconds);
    await runPlain('cmp', [disk.path, target]);
  }
  return { measure: 'nbdcopy from our server', kind: 'seconds', bytes: options.size, peer: 'our export', ...taken };
}

function exportDisk(ours, format) {
  return ours.run('export', 'latest', '--disk', 'vda', '--output', target, ...FORMATS[format]);
}

async function measure(title, make) {
  await rm(target, { force: true });
  await dropPageCache();
  const measured = await make();
  note(`${title}: ${measured.seconds.toFixed(2)} s, ${(measured.peakBytes / 2 ** 20).toFixed(0)} MiB of memory`);
  return measured;
}

function parseParts(text) {
  const names = text.split(',');
  const unknown = names.filter((name) => !PARTS.includes(name));
  if (unknown.length > 0) throw new Error(`there is no ${unknown.join(', ')}; there are ${PARTS.join(', ')}`);
  return new Set(names);
}
