import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'tsup';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectControl } from '../src/index.ts';
import { rawClient, startTestSimulator } from '../testing/index.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onevault-restart-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

test('a simulator taken up again answers as before and goes on with what was under way', async () => {
  const first = await startTestSimulator({ dir, durable: true });
  const { vmId } = await first.sim.control.createVm({ name: 'vm', disks: [{ sizeMiB: 1, persistent: true }] });
  await first.sim.control.write(vmId, 0, 4096, Buffer.from('state'));
  const before = await first.must('one.vm.info', vmId);
  await first.sim.control.hold();
  const image = Number(await first.must('one.vm.disksaveas', vmId, 0, 'x', '', -1));
  await first.must('one.vm.action', 'suspend', 0);
  await first.sim.stop();

  await using second = await startTestSimulator({ dir, version: '7.4.0' });
  await second.sim.control.idle();
  expect(await second.must('one.system.version')).toBe('7.0.2');
  expect(await second.must('one.vm.info', vmId)).toBe(before);
  const state = await second.sim.control.state();
  expect(state.images.find((candidate) => candidate.id === image)).toMatchObject({ stateText: 'READY' });
  expect(state.vms.find((candidate) => candidate.id === 0)?.stateText).toBe('SUSPENDED');
  expect((await readFile(await second.sim.control.imagePath(image))).subarray(4096, 4101).toString()).toBe('state');
});

test('a directory serves one simulator at a time', async () => {
  await using _first = await startTestSimulator({ dir });
  await expect(startTestSimulator({ dir })).rejects.toMatchObject({ code: 'SIM_DIR_BUSY' });
});

test('a state file of something else is refused', async () => {
  await writeFile(join(dir, 'state.json'), '{"format":99}');
  await expect(startTestSimulator({ dir })).rejects.toMatchObject({ code: 'SIM_STATE_DAMAGED' });
});

test('a directory that is a file is refused', async () => {
  await writeFile(join(dir, 'file'), '');
  await expect(startTestSimulator({ dir: join(dir, 'file') })).rejects.toMatchObject({ code: 'SIM_DIR_UNUSABLE' });
});

test('a port in use is refused', async () => {
  await using first = await startTestSimulator({ dir: join(dir, 'a'), proxy: false });
  await expect(startTestSimulator({ dir: join(dir, 'b'), port: Number(first.sim.endpoint.port), proxy: false })).rejects.toMatchObject({
    code: 'SIM_PORT_UNAVAILABLE',
  });
});

test('killed in the middle of six operations, it comes up with each of them finished or failed, never stuck', async () => {
  const child = await startChild(dir);
  const control = connectControl(child.endpoint);
  const call = rawClient(new URL('/RPC2', child.endpoint), 'oneadmin:onevault');
  const ids: number[] = [];
  for (let n = 0; n < 5; n++) ids.push((await control.createVm({ name: `vm${n}`, disks: [{ sizeMiB: 2 }] })).vmId);
  const [snapshotVm = -1, saveVm = -1, attachVm = -1, detachVm = -1, deleteVm = -1] = ids;
  const image = async (name: string): Promise<string> => {
    const answer = await call('one.image.allocate', `NAME="${name}"\nSIZE="1"`, 100, false);
    await control.idle();
    return answer.value;
  };
  const attached = await image('attached');
  await call('one.vm.attach', detachVm, `DISK=[IMAGE_ID="${attached}"]`);
  await call('one.vm.disksnapshotcreate', deleteVm, 0, 's');
  await control.idle();
  const wanted = await image('wanted');
  const doomed = await image('doomed');
  await control.setTimes({ snapshot: 60_000, saveas: 60_000, attach: 60_000, detach: 60_000, snapshotDelete: 60_000, delete: 60_000 });
  const started = await Promise.all([
    call('one.vm.disksnapshotcreate', snapshotVm, 0, 's'),
    call('one.vm.disksaveas', saveVm, 0, 'saved', '', -1),
    call('one.vm.attach', attachVm, `DISK=[IMAGE_ID="${wanted}"]`),
    call('one.vm.detach', detachVm, 2),
    call('one.vm.disksnapshotdelete', deleteVm, 0, 0),
    call('one.image.delete', Number(doomed), false),
  ]);
  expect(started.map((answer) => answer.ok)).toEqual([true, true, true, true, true, true]);
  await child.kill();

  await using again = await startTestSimulator({ dir });
  await again.sim.control.idle();
  const state = await again.sim.control.state();
  const vm = (id: number) => state.vms.find((candidate) => candidate.id === id);
  expect(state.operations).toEqual([]);
  expect(ids.map((id) => vm(id)?.stateText)).toEqual(['RUNNING', 'RUNNING', 'RUNNING', 'RUNNING', 'RUNNING']);
  expect(vm(snapshotVm)).toMatchObject({ snapshots: [], error: expect.stringContaining('DISKSNAPSHOTCREATE') });
  expect(state.images.find((candidate) => candidate.name === 'saved')?.stateText).toBe('READY');
  expect(vm(attachVm)?.disks.map((disk) => disk.imageName)).toContain('wanted');
  expect(vm(detachVm)?.disks.map((disk) => disk.imageName)).not.toContain('attached');
  expect(state.images.find((candidate) => candidate.name === 'attached')).toMatchObject({ stateText: 'READY', vmIds: [] });
  expect(vm(deleteVm)?.snapshots).toEqual([]);
  expect(state.images.find((candidate) => candidate.name === 'doomed')).toBeUndefined();
  expect(await again.sim.control.unexpectedErrors()).toEqual([]);
});

interface Child {
  readonly endpoint: URL;
  kill(): Promise<void>;
}

/** A simulator in a process of its own, to be killed without warning. */
async function startChild(stateDir: string): Promise<Child> {
  const outDir = join(stateDir, 'bundle');
  const entry = { child: fileURLToPath(new URL('./child-simulator.ts', import.meta.url)) };
  const esbuildOptions = (options: { conditions?: string[] }): void => {
    options.conditions = ['@onevault/source'];
  };
  await build({ entry, outDir, format: 'cjs', target: 'node20', noExternal: [/./], config: false, dts: false, silent: true, esbuildOptions });
  const child: ChildProcess = spawn(process.execPath, [join(outDir, 'child.cjs'), stateDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  const endpoint = await new Promise<URL>((resolve, reject) => {
    child.stdout?.once('data', (line: Buffer) => resolve(new URL(line.toString().trim())));
    child.once('exit', (code) => reject(new Error(`the simulator ended with ${code}`)));
  });
  return {
    endpoint,
    kill: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGKILL');
      }),
  };
}
