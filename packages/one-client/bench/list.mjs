// Time, CPU, event loop delay and memory of listing many VMs. Usage: node bench/list.mjs [--vms 5000] [--rounds 5] [--page 300]
// The simulator runs in a process of its own, so that what is printed is the client's; its CPU time is printed beside. Build both packages first.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Secret } from '@onevault/base';
import { createOneClient } from '../dist/index.js';

const { values } = parseArgs({
  options: {
    vms: { type: 'string', default: '5000' },
    rounds: { type: 'string', default: '5' },
    page: { type: 'string' },
    serve: { type: 'string' },
  },
});
const count = Number(values.vms);
const print = (line) => process.stdout.write(`${line}\n`);
const cpuSeconds = ({ user, system }) => (user + system) / 1e6;

/** The simulator, which is no dependency of this package: only this file, run by hand, knows where it is. */
const simulator = async () => await import(new URL('../../one-sim/dist/index.js', import.meta.url).href);

/** In the child: serves `dir`, and answers every message with the CPU seconds used so far. */
async function serve(dir) {
  const { startSimulator } = await simulator();
  const sim = await startSimulator({ dir, durable: false });
  process.on('message', () => process.send({ cpu: cpuSeconds(process.cpuUsage()) }));
  process.once('disconnect', () => sim.stop());
  process.send({ endpoint: sim.endpoint.href, session: `${sim.user}:${sim.password}` });
}

/** A state with `count` VMs: one is made as a user would, the others are copies of its record, since the simulator writes its state at every call. */
async function prepare(dir) {
  const { startSimulator } = await simulator();
  const sim = await startSimulator({ dir, durable: false, proxy: false });
  const { vmId } = await sim.control.createVm({ name: 'web', disks: [{ sizeMiB: 1 }, { sizeMiB: 1 }], nics: [], context: true });
  await sim.stop();
  const path = join(dir, 'state.json');
  const state = JSON.parse(await readFile(path, 'utf8'));
  const made = state.vms.find((vm) => vm.id === vmId);
  state.vms = Array.from({ length: count }, (_, n) => ({ ...made, id: vmId + n, name: `web-${n}` }));
  await writeFile(path, JSON.stringify(state));
}

async function listAll(client) {
  let vms = 0;
  for await (const vm of client.vms()) vms += vm.diskCount > 0 ? 1 : 0;
  if (vms !== count) throw new Error(`listed ${vms} of ${count} VMs`);
}

async function measure({ endpoint, session }, serverCpu) {
  const pageSize = values.page === undefined ? undefined : Number(values.page);
  const client = createOneClient({ endpoint: new URL(endpoint), session: new Secret(session), pageSize });
  const loop = monitorEventLoopDelay({ resolution: 1 });
  for (let round = 1; round <= Number(values.rounds); round++) {
    const server = await serverCpu();
    const cpu = process.cpuUsage();
    const started = performance.now();
    loop.reset();
    loop.enable();
    await listAll(client);
    loop.disable();
    const seconds = (performance.now() - started) / 1000;
    const used = cpuSeconds(process.cpuUsage(cpu));
    const ms = (nanoseconds) => (nanoseconds / 1e6).toFixed(0);
    print(
      `round ${round}: ${seconds.toFixed(2)} s, client ${used.toFixed(2)} CPU-s, simulator ${((await serverCpu()) - server).toFixed(2)} CPU-s, ` +
        `loop delay p99 ${ms(loop.percentile(99))} ms, max ${ms(loop.max)} ms, peak memory ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`,
    );
  }
  await client[Symbol.asyncDispose]();
}

async function main() {
  const dir = await mkdtemp(join(tmpdir(), 'onevault-bench-'));
  try {
    await prepare(dir);
    const child = fork(fileURLToPath(import.meta.url), ['--serve', dir]);
    const exited = once(child, 'exit');
    try {
      const [served] = await Promise.race([once(child, 'message'), exited]);
      await measure(served, async () => {
        child.send('cpu');
        const [{ cpu }] = await once(child, 'message');
        return cpu;
      });
    } finally {
      if (child.connected) child.disconnect();
      await exited;
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

await (values.serve === undefined ? main() : serve(values.serve));
