// Wall time, processor time and peak memory of `onevault vm list` in a large cloud. Usage: node bench/vm-list.mjs [--vms 5000] [--images 20000] [--rounds 5]
// The simulator runs in a process of its own; what is printed is the command's. Build first.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startSimulator } from '@onevault/one-sim';

const BIN = fileURLToPath(new URL('../bin/onevault.js', import.meta.url));
const { values } = parseArgs({
  options: { vms: { type: 'string', default: '5000' }, images: { type: 'string', default: '20000' }, rounds: { type: 'string', default: '5' } },
});
const print = (line) => process.stdout.write(`${line}\n`);

/** Loaded into the command: says at its end what it used. */
const REPORT_USAGE = `
process.on('exit', () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  process.stderr.write('usage ' + (userCPUTime + systemCPUTime) + ' ' + maxRSS + '\\n');
});
`;

async function fill(dir) {
  const sim = await startSimulator({ dir, durable: false });
  await sim.control.populate({ vms: Number(values.vms), images: Number(values.images) });
  await sim.stop();
}

function onevault(args, env) {
  const child = spawn(process.execPath, [BIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const text = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) child[stream].setEncoding('utf8').on('data', (chunk) => (text[stream] += chunk));
  return { child, text, closed: once(child, 'close') };
}

async function measure(env) {
  const started = performance.now();
  const { text, closed } = onevault(['vm', 'list', '--csv', '--no-header'], env);
  const [code] = await closed;
  const seconds = (performance.now() - started) / 1000;
  const [, cpu, peak] = /usage (\d+) (\d+)/.exec(text.stderr) ?? [];
  if (code !== 0) throw new Error(text.stderr);
  const vms = text.stdout.trim().split('\n').length;
  return `${vms} VMs: ${seconds.toFixed(2)} s, ${(Number(cpu) / 1e6).toFixed(2)} CPU-s, peak memory ${Math.round(Number(peak) / 1024)} MiB`;
}

const dir = await mkdtemp(join(tmpdir(), 'onevault-bench-'));
const cloud = join(dir, 'cloud');
try {
  await fill(cloud);
  await writeFile(join(dir, 'usage.mjs'), REPORT_USAGE);
  const base = { PATH: process.env.PATH, HOME: dir };
  const server = onevault(['sim', 'start', '--dir', cloud], base);
  while (!/ONEVAULT_PROXY_ROOT/.test(server.text.stdout)) await Promise.race([once(server.child.stdout, 'data'), server.closed]);
  const exported = Object.fromEntries([...server.text.stdout.matchAll(/^export (\w+)='([^']*)'$/gm)].map(([, name, value]) => [name, value]));
  const env = { ...base, ...exported, NODE_OPTIONS: `--import=${join(dir, 'usage.mjs')}` };
  for (let round = 1; round <= Number(values.rounds); round++) print(`round ${round}: ${await measure(env)}`);
  server.child.kill('SIGTERM');
  await server.closed;
} finally {
  await rm(dir, { recursive: true, force: true });
}
