import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RawAnswer, startTestSimulator, type TestSimulator } from '../testing/index.ts';
import { recorded } from './recorded.ts';

/** Every refusal that was recorded, provoked the same way: same text, code, object id, once ids are made equal. */
let one: TestSimulator;
let vm: number;
let proxy: number;

beforeAll(async () => {
  one = await startTestSimulator();
  const disks = [
    { sizeMiB: 2, datastore: 1, format: 'qcow2', imageName: 'deb-os' },
    { sizeMiB: 1, persistent: true, datastore: 1, format: 'qcow2', imageName: 'data1' },
  ] as const;
  vm = (await one.sim.control.createVm({ name: 'target', disks: [...disks], volatileMiB: [1] })).vmId;
  proxy = (await one.sim.control.state()).vms.find((candidate) => candidate.proxy)?.id ?? -1;
});
afterAll(() => one[Symbol.asyncDispose]());

async function expectAsRecorded(version: '7.0.2' | '7.4.0', number: string, answer: RawAnswer): Promise<void> {
  const real = await recorded(version, number);
  const ids = (text: string): string => text.replace(/(VM|IMAGE) \d+/g, '$1 N');
  expect({ ...answer, value: ids(answer.value), xml: '' }).toEqual({ ...real, value: ids(real.value), xml: '' });
}

test.each<readonly [string, () => Promise<RawAnswer>]>([
  ['009', () => one.call('one.vm.disksnapshotcreate', vm, 2, 'x')],
  ['036', () => one.call('one.vm.disksnapshotrevert', vm, 1, 1)],
  ['041', () => one.call('one.vm.info', 9999)],
  ['042', () => one.call('one.vm.attach', proxy, 'DISK=[IMAGE_ID="9999"]')],
  ['043', () => one.call('one.vm.detach', proxy, 99)],
  ['044', () => one.call('one.vm.disksaveas', vm, 9, 'x', '', -1)],
  ['045', () => one.call('one.vm.disksaveas', vm, 2, 'x', '', -1)],
  ['046', () => one.call('one.vm.disksaveas', vm, 0, 'data1', '', -1)],
  ['047', () => one.call('one.template.instantiate', 9999, 'x', false, '', false)],
  ['048', () => one.call('one.image.allocate', 'NAME="data1"\nTYPE="DATABLOCK"\nSIZE="1"', 1, false)],
  ['049', () => one.call('one.image.allocate', 'NAME="toobig"\nTYPE="DATABLOCK"\nSIZE="999999999"\nFORMAT="qcow2"', 1, false)],
])('7.0.2 recording %s', async (number, provoke) => {
  await expectAsRecorded('7.0.2', number, await provoke());
  await one.sim.control.idle();
});

test('an image in use is not deleted (recording 018)', async () => {
  const image = (await one.sim.control.state()).images.find((candidate) => candidate.name === 'deb-os');
  await expectAsRecorded('7.0.2', '018', await one.call('one.image.delete', image?.id ?? -1, false));
});

test('revert is refused in SUSPENDED and while another revert runs; snapshot 0 of a persistent disk stays (038, 052, 055)', async () => {
  const settle = async (method: string, ...params: (string | number)[]): Promise<void> => {
    await one.must(method, ...params);
    await one.sim.control.idle();
  };
  await settle('one.vm.disksnapshotcreate', vm, 1, 'a');
  await settle('one.vm.action', 'suspend', vm);
  await expectAsRecorded('7.0.2', '038', await one.call('one.vm.disksnapshotrevert', vm, 1, 0));
  await settle('one.vm.action', 'resume', vm);
  await settle('one.vm.action', 'poweroff-hard', vm);
  await one.sim.control.hold(['revert']);
  await one.must('one.vm.disksnapshotrevert', vm, 1, 0);
  await expectAsRecorded('7.0.2', '052', await one.call('one.vm.disksnapshotrevert', vm, 1, 0));
  await one.sim.control.release();
  await one.sim.control.idle();
  await expectAsRecorded('7.0.2', '055', await one.call('one.vm.disksnapshotdelete', vm, 1, 0));
});

test('7.4.0 words two of them differently (recordings 010 and 038)', async () => {
  await using newer = await startTestSimulator({ version: '7.4.0' });
  const created = await newer.sim.control.createVm({ name: 'target', disks: [{ sizeMiB: 1 }], volatileMiB: [1] });
  await expectAsRecorded('7.4.0', '010', await newer.call('one.vm.disksnapshotcreate', created.vmId, 1, 'a'));
  const image = await newer.must('one.image.allocate', 'NAME="i"\nSIZE="1"', 100, false);
  await newer.sim.control.idle();
  await newer.must('one.vm.attach', 0, `DISK=[IMAGE_ID="${image}",DEV_PREFIX="vd",TARGET="vdx"]`);
  await newer.sim.control.idle();
  await expectAsRecorded('7.4.0', '038', await newer.call('one.vm.attach', 0, `DISK=[IMAGE_ID="${image}",DEV_PREFIX="vd",TARGET="vdx"]`));
});
