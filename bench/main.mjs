/** `npm run bench`: builds the disk, measures us and the peers side by side, prints the table. */
import { mkdir, rm, statfs } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fourQuarters, wholeDisk } from './disk/loop-device.mjs';
import { mixedDisk } from './disk/mixed-disk.mjs';
import { parseCount, parseFraction, parseSize, readOptions } from './options.mjs';
import { oursTool } from './ours/tool.mjs';
import { borgPeer } from './peers/borg.mjs';
import { resticPeer } from './peers/restic.mjs';
import { machineFacts } from './report/machine.mjs';
import { judge, printTable } from './report/table.mjs';
import { measureBackups } from './suites/backups.mjs';
import { measureFourDisks } from './suites/four-disks.mjs';
import { measureScan } from './suites/scan.mjs';

const SUITES = ['scan', 'full', 'incremental', 'restore', 'verify', 'disks'];

const USAGE = `npm run bench -- [options]
  --size 8GiB      size of the disk; the bars are meant for 8GiB
  --dir DIR        where the disk and the repositories are kept (default: bench-data)
  --only a,b       of ${SUITES.join(', ')}
  --rounds 3       how often each measurement is taken, ours and the peers' in turn
  --changed 2%     how much of the disk's bytes a guest overwrites between two incrementals
  --scattered      its writes fall anywhere, not near one another
  --compression-level N   ours (default: the product's)
  --block-size SIZE  ours (default: the product's)
  --encrypt        ours also into an encrypted repository, beside the peers
  --workers N      scan threads (default: what the library chooses)
  --json           the result as JSON on stdout, the table on stderr
  --enforce        exit code 1 when a bar is missed`;

const options = readOptions(USAGE, {
  size: { type: 'string', default: '8GiB', parse: parseSize },
  dir: { type: 'string', default: new URL('../bench-data', import.meta.url).pathname, parse: (dir) => resolve(dir) },
  only: { type: 'string', default: SUITES.join(','), parse: parseSuites },
  rounds: { type: 'string', default: '3', parse: parseCount },
  changed: { type: 'string', default: '2%', parse: parseFraction },
  scattered: { type: 'boolean', default: false },
  'compression-level': { type: 'string', parse: parseCount },
  'block-size': { type: 'string', parse: parseSize },
  encrypt: { type: 'boolean', default: false },
  workers: { type: 'string', parse: parseCount },
  json: { type: 'boolean', default: false },
  enforce: { type: 'boolean', default: false },
});

const note = (text) => process.stderr.write(`· ${text}\n`);

await mkdir(options.dir, { recursive: true });
await requireSpace(options);
const disk = await mixedDisk(options.dir, options.size);
note(`${disk.cached ? 'found' : 'built'} ${disk.path}`);

const work = `${options.dir}/run-${process.pid}`;
await mkdir(work);
const rows = [];
try {
  const peers = { restic: await resticPeer(`${work}/restic`), borg: await borgPeer(`${work}/borg`) };
  const own = { workers: options.workers, compressionLevel: options['compression-level'], blockSizeBytes: options['block-size'] };
  if (options.encrypt) peers.encrypted = oursTool(`${work}/encrypted`, { ...own, encrypt: true });
  for (const [name, peer] of Object.entries(peers)) note(peer?.version ?? peer?.name ?? `${name} is not installed: its columns stay empty`);
  const context = {
    ...options,
    work,
    image: disk.path,
    ours: oursTool(`${work}/onevault`, own),
    peers,
    note,
  };
  if (options.only.has('scan')) rows.push(...(await wholeDisk(disk.path, (device) => measureScan({ ...context, device }))));
  rows.push(...(await measureBackups(context)));
  if (options.only.has('disks')) rows.push(...(await fourQuarters(disk.path, options.size, (devices) => measureFourDisks({ ...context, devices }))));
} finally {
  await rm(work, { recursive: true, force: true });
}

const judged = rows.map(judge);
const facts = { ...machineFacts(), sizeBytes: options.size, rounds: options.rounds };
printTable(judged, facts, options.json ? process.stderr : process.stdout);
if (options.json) process.stdout.write(`${JSON.stringify({ facts, rows: judged }, null, 2)}\n`);
if (options.enforce && judged.some(({ verdict }) => verdict === 'MISSED')) process.exitCode = 1;

function parseSuites(text) {
  const names = text.split(',');
  const unknown = names.filter((name) => !SUITES.includes(name));
  if (unknown.length > 0) throw new Error(`there is no ${unknown.join(', ')}; there are ${SUITES.join(', ')}`);
  return new Set(names);
}

/** The disk, its changed copy, three repositories and a restored copy: about four times the used part. */
async function requireSpace({ dir, size }) {
  const { bavail, bsize } = await statfs(dir);
  const needed = size * 4;
  if (bavail * bsize >= needed) return;
  process.stderr.write(
    `${dir} has ${((bavail * bsize) / 2 ** 30).toFixed(1)} GiB free; about ${(needed / 2 ** 30).toFixed(1)} GiB are needed (--dir, --size)\n`,
  );
  process.exit(1);
}
