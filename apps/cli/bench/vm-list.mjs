// Wall time, processor time and peak memory of `onevault vm list` in a large cloud. Usage: node bench/vm-list.mjs [--vms 5000] [--images 20000] [--rounds 5]
// The simulator runs in a process of its own; what is printed is the command's. Build first.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
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

/** One VM is made as a user would, the others are copies of its record. */
async function fill(dir) {
  const sim = await startSimulator({ dir, durable: false });
  const { vmId, imageIds } = await sim.control.createVm({ name: 'other', disks: [{ sizeMiB: 1 }, { sizeMiB: 1 }], nics: ['lan'] });
  await sim.stop();
  const path = join(dir, 'state.json');
  const state = JSON.parse(await readFile(path, 'utf8'));
  const vm = state.vms.find(({ id }) => id === vmId);
  const image = state.images.find(({ id }) => id === imageIds[0]);
  for (let n = 1; n < Number(values.vms); n++) state.vms.push({ ...vm, id: state.next.vm++, name: `other-${n}` });
  for (let n = 0; n < Number(values.images); n++) state.images.push({ ...image, id: state.next.image++, name: `image-${n}`, state: 1, vmIds: [] });
  await writeFile(path, JSON.stringify(state));
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
