/**
 * The whole job once on a real OpenNebula, from inside the proxy VM, with the onevault that lies beside it: back up a disposable VM running and off,
 * verify, restore it, compare every disk byte for byte with a copy made without onevault, snapshots, and a proof that nothing is left.
 *
 *   ONEVAULT_REAL=1 ONE_XMLRPC=http://frontend:2633/RPC2 ONE_AUTH=~/.one/one_auth ONEVAULT_REAL_VM=12 ONEVAULT_REAL_PROXY=13 node main.mjs
 *
 * It says what it would touch before it starts; without ONEVAULT_REAL=1 it ends there. Whatever happens, it takes away what it made and says what is
 * left. --onevault PATH: another command than the one beside it; --dir DIR: where the repository lies meanwhile (as large as the VM's disks);
 * --between COMMAND: run by the shell between the two backups, to change something in the guest.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openCloud } from './cloud.mjs';
import { findOnevault } from './onevault.mjs';
import { announce, STEPS } from './steps.mjs';

const say = (line) => process.stdout.write(`${line}\n`);

const { values } = parseArgs({
  options: { onevault: { type: 'string' }, dir: { type: 'string', default: tmpdir() }, between: { type: 'string' } },
});
const cancelled = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => cancelled.abort(new Error(`ended by ${name}`)));

process.exitCode = await main();

async function main() {
  const dir = await mkdtemp(join(values.dir, 'onevault-try-'));
  const onevault = findOnevault(values.onevault, dir);
  const cloud = await openCloud(onevault, process.env);
  try {
    const { lines, objections } = await announce(cloud);
    for (const line of lines) say(line);
    for (const why of objections) say(`cannot start: ${why}`);
    if (objections.length > 0) return 2;
    if (process.env.ONEVAULT_REAL === '1') return await run({ cloud, onevault, signal: cancelled.signal, between: values.between, say, facts: {} });
    say('nothing was touched: set ONEVAULT_REAL=1 to start');
    return 0;
  } finally {
    await cloud.close();
    await rm(dir, { recursive: true, force: true });
  }
}

async function run(job) {
  const before = await job.cloud.census();
  let failed = 0;
  try {
    for (const [at, step] of STEPS.entries()) {
      job.signal.throwIfAborted();
      const startedMs = performance.now();
      const outcome = await step.run(job);
      say(`${String(at + 1).padStart(2)}/${STEPS.length} ${step.title}: ${outcome ?? 'ok'} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`);
    }
  } catch (error) {
    failed = 1;
    say(`FAILED: ${error?.message ?? error}`);
  }
  const left = await job.cloud.cleanUp(before);
  say(left.length === 0 ? 'nothing of ours is left, and everything else is as it was' : `LEFT BEHIND: ${left.join('; ')}`);
  say(failed === 0 && left.length === 0 ? 'result=ok' : 'result=failed');
  return failed || left.length > 0 ? 1 : 0;
}
