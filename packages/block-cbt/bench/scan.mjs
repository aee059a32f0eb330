// Scan speed of a device or file against dd, side by side. Usage: node bench/scan.mjs <path> [--workers 2] [--rounds 3] [--block 1048576] [--digest blake3]
// Reads only. Build first. Quote the best of the rounds and the ratio: other load on the machine hits both sides.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { blockGrid } from '@onevault/base';
import { MemoryDigestMap, openBlockDevice, scan } from '../dist/index.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    workers: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    block: { type: 'string', default: String(2 ** 20) },
    digest: { type: 'string', default: 'blake3' },
  },
});
const path = positionals[0];
if (path === undefined) throw new Error('usage: node bench/scan.mjs <device or file> [--workers n] [--rounds n] [--block bytes] [--digest blake3|sha256]');
const rounds = Number(values.rounds);
const options = { blockSizeBytes: Number(values.block), digest: values.digest, workers: Number(values.workers) };
const print = (line) => process.stdout.write(`${line}\n`);
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const loop = monitorEventLoopDelay({ resolution: 5 });
loop.enable();

/** Seconds of one pass, and CPU seconds a GiB in all threads, which other load on the machine disturbs less. */
async function scanOnce(device, extra = {}) {
  const started = performance.now();
  const cpu = process.cpuUsage();
  for await (const run of scan(device, { ...options, ...extra, onProgress: () => memory.note() })) {
    if (run.kind === 'changed') run.release();
  }
  const { user, system } = process.cpuUsage(cpu);
  return { seconds: (performance.now() - started) / 1000, cpuPerGib: (user + system) / 1e6 / (device.sizeBytes / GIB) };
}

async function ddOnce(flags) {
  const started = performance.now();
  const [status] = await once(spawn('dd', [`if=${path}`, 'of=/dev/null', 'bs=8M', 'status=none', ...flags], { stdio: 'inherit' }), 'exit');
  if (status !== 0) throw new Error(`dd exited with ${status}`);
  return (performance.now() - started) / 1000;
}

const memory = {
  peak: 0,
  note() {
    this.peak = Math.max(this.peak, process.memoryUsage.rss());
  },
};

async function compare(label, direct, ddFlags) {
  const device = await openBlockDevice(path, { direct }); // this file runs unbuilt: no `await using` on Node 20
  try {
    await compareOn(device, label, ddFlags);
  } finally {
    await device[Symbol.asyncDispose]();
  }
}

async function compareOn(device, label, ddFlags) {
  const gib = device.sizeBytes / GIB;
  const parent = await MemoryDigestMap.fromScan(blockGrid(device.sizeBytes, options.blockSizeBytes), scan(device, options)); // warms up too
  const best = { dd: Infinity, changed: Infinity, unchanged: Infinity, cpuPerGib: Infinity };
  loop.reset(); // dd runs in a process of its own: its rounds only add idle samples
  for (let round = 0; round < rounds; round++) {
    best.dd = Math.min(best.dd, await ddOnce(ddFlags));
    const unchanged = await scanOnce(device, { parent });
    const changed = await scanOnce(device);
    best.unchanged = Math.min(best.unchanged, unchanged.seconds);
    best.changed = Math.min(best.changed, changed.seconds);
    best.cpuPerGib = Math.min(best.cpuPerGib, unchanged.cpuPerGib);
  }
  const rate = (seconds) => `${(gib / seconds).toFixed(2)} GiB/s`;
  print(
    `${label}: unchanged ${rate(best.unchanged)} (${(best.dd / best.unchanged).toFixed(2)} of dd), ` +
      `all changed ${rate(best.changed)} (${(best.dd / best.changed).toFixed(2)} of dd), dd ${rate(best.dd)}; ${best.cpuPerGib.toFixed(2)} CPU-s a GiB; ` +
      `loop delay p99 ${(loop.percentile(99) / 1e6).toFixed(1)} ms, max ${(loop.max / 1e6).toFixed(1)} ms`,
  );
}

print(`${path}, ${options.workers} workers, blocks of ${options.blockSizeBytes}, ${options.digest}, best of ${rounds}, Node ${process.version}`);
await compare('page cache', 'off', []);
await compare('O_DIRECT', 'on', ['iflag=direct']);
print(`peak memory ${(memory.peak / MIB).toFixed(0)} MiB`);
