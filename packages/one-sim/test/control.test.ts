import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectControl, randomWrites, type SimControl } from '../src/index.ts';
import { startTestSimulator, type TestSimulator } from '../testing/index.ts';

/** The control surface over HTTP does what the one in process does. */
let one: TestSimulator;
let remote: SimControl;
let vm: number;
beforeAll(async () => {
  one = await startTestSimulator();
  remote = connectControl(one.sim.endpoint);
  vm = (await remote.createVm({ name: 'web', disks: [{ sizeMiB: 1 }], volatileMiB: [1], swapMiB: [1], nics: ['lan'] })).vmId;
});
afterAll(() => one[Symbol.asyncDispose]());

test('the guest writes and reads, also on volatile disks', async () => {
  await remote.write(vm, 1, 512, Buffer.from('hello'));
  expect(Buffer.from(await remote.read(vm, 1, 510, 9)).toString('latin1')).toBe('\0\0hello\0\0');
  expect(Buffer.from(await one.sim.control.read(vm, 1, 512, 5)).toString()).toBe('hello');
});

test('a seeded pattern is the same every time, and a model of it knows every byte', async () => {
  const model = Buffer.alloc(2 ** 20);
  const pattern = { seed: 42, count: 20, blockBytes: 4096 };
  for (const { offset, bytes } of randomWrites(pattern, model.length)) model.set(bytes, offset);
  expect(await remote.writeRandom(vm, 0, pattern)).toBe(20 * 4096);
  expect(await remote.checksum(vm, 0)).toBe(createHash('sha256').update(model).digest('hex'));
});

test('what is left of a run is listed by kind, and nothing else', async () => {
  const image = await one.must('one.image.allocate', 'NAME="ov-run-image"\nSIZE="1"', 100, false);
  await one.must('one.template.allocate', 'NAME="ov-run-template"\nCPU="1"\nMEMORY="1"');
  await one.must('one.vm.disksnapshotcreate', vm, 0, 'ov-run-snapshot');
  await remote.idle();
  await one.must('one.vm.attach', 0, `DISK=[IMAGE_ID="${image}",SERIAL="ov-run-serial"]`);
  await remote.idle();
  expect((await remote.leftovers('ov-run')).map(({ kind, name }) => [kind, name])).toEqual([
    ['image', 'ov-run-image'],
    ['template', 'ov-run-template'],
    ['snapshot', 'ov-run-snapshot'],
    ['disk', 'ov-run-serial'],
  ]);
  expect(await remote.leftovers('ov-other')).toEqual([]);
});

test.each<readonly [string, (control: SimControl) => Promise<unknown>]>([
  ['a disk that is not there', (control) => control.read(vm, 9, 0, 1)],
  ['a VM that is not there', (control) => control.checksum(99, 0)],
  ['a datastore that is not there', (control) => control.setDatastoreFree(99, 0)],
  ['a negative offset', (control) => control.read(vm, 0, -1, 1)],
  ['a write beyond the end', (control) => control.write(vm, 0, 2 ** 20, Buffer.from('x'))],
  ['a VM that oned refuses', (control) => control.createVm({ name: 'a:b', disks: [{ sizeMiB: 1 }] })],
])('%s is refused', async (_what, act) => {
  await expect(act(remote)).rejects.toMatchObject({ code: 'SIM_CONTROL_REFUSED' });
});

test('a simulator that is not there is told from one that refuses', async () => {
  await expect(connectControl('http://127.0.0.1:1').state()).rejects.toMatchObject({ code: 'SIM_CONTROL_UNREACHABLE', retryable: true });
});

test('a disk grows with its file; it does not shrink', async () => {
  await one.must('one.vm.diskresize', vm, 1, '3');
  await remote.idle();
  expect((await remote.read(vm, 1, 3 * 2 ** 20 - 1, 1)).length).toBe(1);
  expect((await stat(await remote.diskPath(vm, 1))).size).toBe(3 * 2 ** 20);
  expect(await one.call('one.vm.diskresize', vm, 1, '2')).toMatchObject({
    code: 2048,
    value: '[one.vm.diskresize] New disk size has to be greater than current one',
  });
  expect(await one.must('one.vm.info', vm)).toContain('<SIZE><![CDATA[3]]></SIZE>');
});
