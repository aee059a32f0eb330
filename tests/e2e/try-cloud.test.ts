import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Finished, openSecondShell, type SecondShell } from '../support/command-line.ts';

const MAIN = fileURLToPath(new URL('../../scripts/bundle/try-cloud/main.mjs', import.meta.url));
const MIB = 1024 * 1024;

/** The trial for real clouds, on the simulator: the same program, the built command, and a guest that writes between the two backups. */
describe('the trial of the whole job', { timeout: 120_000 }, () => {
  let shell: SecondShell;
  let vm: number;
  let proxy: number;

  beforeAll(async () => {
    shell = await openSecondShell('0.1');
    const made = await shell.control.createVm({ name: 'lab', disks: [{ sizeMiB: 16 }, { sizeMiB: 8, persistent: true }], volatileMiB: [4], nics: ['lan'] });
    vm = made.vmId;
    proxy = (await shell.control.state()).vms.find((one) => one.proxy)?.id ?? -1;
    for (const disk of [0, 1]) await shell.control.writeRandom(vm, disk, { seed: disk, count: 5, blockBytes: MIB });
  }, 60_000);
  afterAll(() => shell[Symbol.asyncDispose](), 60_000);

  function start(environment: Readonly<Record<string, string>>, args: readonly string[] = []) {
    const env = { ...shell.env, ONEVAULT_REAL_VM: String(vm), ONEVAULT_REAL_PROXY: String(proxy), ...environment };
    const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const text = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text.stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text.stderr += chunk));
    const finished = new Promise<Finished>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve({ exit: code ?? signal ?? 'SIGKILL', ...text }));
    });
    return { child, finished, stdout: () => text.stdout };
  }

  test('says what it would touch, and touches nothing unless told to', async () => {
    const before = await shell.control.state();
    const { exit, stdout } = await start({}).finished;
    expect(exit, stdout).toBe(0);
    expect(stdout).toContain(`VM ${vm} 'lab' (RUNNING)`);
    expect(stdout).toContain('nothing was touched');
    expect(await shell.control.state()).toEqual(before);
  });

  test('refuses a VM that is its own proxy', async () => {
    const { exit, stdout } = await start({ ONEVAULT_REAL: '1', ONEVAULT_REAL_VM: String(proxy) }).finished;
    expect(exit).toBe(2);
    expect(stdout).toContain('cannot start: the VM and the proxy are the same');
  });

  test('does the whole job, compares every disk, and leaves the cloud as it was', async () => {
    const before = await shell.control.state();
    const between = `'${process.execPath}' '${fileURLToPath(new URL('../../apps/cli/bin/onevault.js', import.meta.url))}' sim write ${vm} 0 --random 3 --seed 9`;
    const { exit, stdout, stderr } = await start({ ONEVAULT_REAL: '1' }, ['--between', between]).finished;
    expect(exit, stdout + stderr).toBe(0);
    expect(stdout).toContain('2 disks, byte for byte');
    expect(stdout).toMatch(/snapshots: create, list, delete: 1 disks/);
    expect(stdout.trim().split('\n').slice(-2)).toEqual(['nothing of ours is left, and everything else is as it was', 'result=ok']);
    const after = await shell.control.state();
    for (const kind of ['images', 'templates'] as const)
      expect(after[kind].map(({ id, name }) => ({ id, name }))).toEqual(before[kind].map(({ id, name }) => ({ id, name })));
    expect(after.vms.find((one) => one.id === vm)?.stateText).toBe('RUNNING');
    expect(await shell.control.unexpectedErrors()).toEqual([]);
  });

  test('that somebody ends in the middle takes back what it did', async () => {
    const run = start({ ONEVAULT_REAL: '1' });
    await new Promise<void>((resolve) => {
      run.child.stdout.on('data', () => {
        if (/backup of the running VM: /.test(run.stdout())) resolve();
      });
    });
    run.child.kill('SIGINT');
    const { exit, stdout } = await run.finished;
    expect(exit).toBe(1);
    expect(stdout).toContain('FAILED: ended by SIGINT');
    expect(stdout).toContain('nothing of ours is left');
    expect((await shell.control.state()).vms.find((one) => one.id === vm)?.stateText).toBe('RUNNING');
  });
});
