/**
 * Garbage collection at scale: makes a repository of a million small chunks, forgets two of its ten restore points, and collects in two runs.
 * `node bench/gc.mjs --chunks 1000000` (build first: `npm run build`); a million chunks take a few minutes to make and less than 1 GiB of disk.
 */
import { mkdir, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { directoryBytes } from './measure/directory-bytes.mjs';
import { runMeasured } from './measure/run.mjs';
import { parseCount, readOptions } from './options.mjs';
import { machineFacts } from './report/machine.mjs';

const MIB = 2 ** 20;

const USAGE = `node bench/gc.mjs [options]
  --chunks 1000000     chunks in the repository
  --dir DIR            where it is kept meanwhile (default: bench-data)
  --json               the result as JSON on stdout`;

const options = readOptions(USAGE, {
  chunks: { type: 'string', default: '1000000', parse: parseCount },
  dir: { type: 'string', default: new URL('../bench-data', import.meta.url).pathname, parse: (dir) => resolve(dir) },
  json: { type: 'boolean', default: false },
});

const chunks = Number(options.chunks);
const dir = `${options.dir}/gc-${process.pid}`;
await mkdir(dir, { recursive: true });
try {
  const steps = {};
  for (const name of ['build', 'condemn', 'delete']) steps[name] = await stage(name);
  report({ facts: machineFacts(), chunks, storedBytes: await directoryBytes(dir), steps });
} finally {
  await rm(dir, { recursive: true, force: true });
}

async function stage(name) {
  process.stderr.write(`· ${name}\n`);
  const program = fileURLToPath(new URL('ours/gc-stage.mjs', import.meta.url));
  const { stdout } = await runMeasured(process.execPath, [program], { input: JSON.stringify({ stage: name, dir, chunks }) });
  return JSON.parse(stdout);
}

function report(result) {
  if (options.json) return process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(`${chunks} chunks\n`);
  for (const [name, { seconds, peakBytes, gc }] of Object.entries(result.steps)) {
    const rate = gc ? `, ${Math.round(gc.chunks / seconds)} needed chunks/s; ${JSON.stringify(gc)}` : '';
    process.stdout.write(`${name}: ${seconds.toFixed(1)} s, peak ${Math.round(peakBytes / MIB)} MiB${rate}\n`);
  }
}
