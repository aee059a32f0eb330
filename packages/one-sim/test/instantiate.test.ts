import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { rawClient, startTestSimulator, type TestSimulator } from '../testing/index.ts';

let one: TestSimulator;
beforeEach(async () => {
  one = await startTestSimulator({ proxy: false });
});
afterEach(() => one[Symbol.asyncDispose]());

let counter = 0;
async function template(text: string): Promise<number> {
  return Number(await one.must('one.template.allocate', `NAME="t${counter++}"\nCPU="1"\nMEMORY="64"\n${text}`));
}
async function instantiate(text: string, extra = ''): Promise<number> {
  const id = Number(await one.must('one.template.instantiate', await template(text), 'vm', false, extra, false));
  await one.sim.control.idle();
  return id;
}
const vm = async (id: number) => (await one.sim.control.state()).vms.find((candidate) => candidate.id === id);

describe('placement', () => {
  test.each([
    ['too much memory', 'HYPERVISOR="kvm"', 'MEMORY="999999999"', 'Cannot allocate VM. Not enough capacity in hosts 0, 2'],
    ['a datastore nobody has', 'SCHED_DS_REQUIREMENTS="ID=\\"77\\""', '', '[DS] No datastores matched the VM requirements'],
    ['a host nobody has', 'SCHED_REQUIREMENTS="ID=\\"77\\""', '', '[HOST] Requirements not met on hosts: 0, 2'],
  ])('%s: success, then PENDING for ever with the reason', async (_what, text, extra, reason) => {
    const id = await instantiate(text, extra);
    expect(await vm(id)).toMatchObject({
      stateText: 'PENDING',
      schedMessage: expect.stringMatching(new RegExp(`^\\w{3} .*\\d{4}: ${reason.replace(/[[\].]/g, '\\$&')}$`)),
    });
  });

  test('a requirement that is lifted lets it start, and the message goes', async () => {
    const id = await instantiate('SCHED_REQUIREMENTS="ID=77"');
    await one.must('one.vm.update', id, 'SCHED_REQUIREMENTS="ID=0"', 1);
    await one.sim.control.idle();
    expect(await vm(id)).toMatchObject({ stateText: 'RUNNING', schedMessage: undefined });
  });

  test("a VM runs in a system datastore of its images' driver", async () => {
    const { vmId } = await one.sim.control.createVm({ name: 'x', disks: [{ sizeMiB: 1, datastore: 104 }] });
    expect(await one.must('one.vm.info', vmId)).toContain('<DS_ID>105</DS_ID>');
  });

  test('hold waits, release starts', async () => {
    const id = Number(await one.must('one.template.instantiate', await template(''), 'vm', true, '', false));
    await one.sim.control.idle();
    expect((await vm(id))?.stateText).toBe('HOLD');
    await one.must('one.vm.action', 'release', id);
    await one.sim.control.idle();
    expect((await vm(id))?.stateText).toBe('RUNNING');
  });

  test('a prolog that fails ends in PROLOG_FAILURE', async () => {
    await one.sim.control.inject({ fault: 'driver', operation: 'deploy', text: 'no route to host' });
    expect(await vm(await instantiate(''))).toMatchObject({ stateText: 'PROLOG_FAILURE', error: expect.stringContaining('no route to host') });
  });
});

describe('disks', () => {
  test('an image that is not READY yet makes the VM wait in CLONING; one that fails, CLONING_FAILURE', async () => {
    for (const fails of [false, true]) {
      await one.sim.control.hold(['allocate']);
      if (fails) await one.sim.control.inject({ fault: 'driver', operation: 'image-create' });
      const image = await one.must('one.image.allocate', `NAME="i${fails}"\nSIZE="1"`, 100, false);
      const id = Number(await one.must('one.template.instantiate', await template(`DISK=[IMAGE_ID="${image}"]`), 'vm', false, '', false));
      expect((await vm(id))?.stateText).toBe('CLONING');
      await one.sim.control.release();
      await one.sim.control.idle();
      expect((await vm(id))?.stateText).toBe(fails ? 'CLONING_FAILURE' : 'RUNNING');
    }
  });

  test.each([
    ['an image that is not there', 'DISK=[IMAGE_ID="99"]', 'DISK 0: Image with ID: 99 does not exist'],
    ['a smaller size than the image', 'DISK=[IMAGE_ID="0",SIZE="5"]', 'DISK 0: SIZE of 5MB is less than the image [0] size of 10MB.'],
    ['one target twice', 'DISK=[IMAGE_ID="0",TARGET="vda"]\nDISK=[IMAGE_ID="0",TARGET="vda"]', 'Two disks have defined the same target vda'],
    ['IP and MAC', 'NIC=[NETWORK_ID="0",IP="192.168.150.20",MAC="02:00:c0:a8:96:14"]', 'Cannot get IP/MAC lease from virtual network 0.'],
    ['an address outside the range', 'NIC=[NETWORK_ID="0",IP="10.0.0.1"]', 'Cannot get IP/MAC lease from virtual network 0.'],
  ])('%s is refused with 16384 and nothing stays acquired', async (_what, text, reason) => {
    await one.must('one.image.allocate', 'NAME="i"\nSIZE="10"', 100, false);
    await one.sim.control.idle();
    const answer = await one.call('one.template.instantiate', await template(text), 'vm', false, '', false);
    expect(answer).toMatchObject({ code: 16384, value: `[one.template.instantiate] Error allocating a new virtual machine. ${reason}` });
    expect((await one.sim.control.state()).images[0]).toMatchObject({ stateText: 'READY', vmIds: [] });
  });

  test('DISK_ID of a hot-attached disk is the highest plus one, CONTEXT counted; a freed top id comes back', async () => {
    const { vmId } = await one.sim.control.createVm({ name: 'x', disks: [{ sizeMiB: 1 }] });
    const attached = async (): Promise<number[] | undefined> => (await vm(vmId))?.disks.map((disk) => disk.diskId);
    for (const name of ['a', 'b']) {
      const image = await one.must('one.image.allocate', `NAME="${name}"\nSIZE="1"`, 100, false);
      await one.sim.control.idle();
      await one.must('one.vm.attach', vmId, `DISK=[IMAGE_ID="${image}"]`);
      await one.sim.control.idle();
    }
    expect(await attached()).toEqual([0, 2, 3]);
    await one.must('one.vm.detach', vmId, 2);
    await one.sim.control.idle();
    const again = await one.must('one.image.allocate', 'NAME="c"\nSIZE="1"', 100, false);
    await one.sim.control.idle();
    await one.must('one.vm.attach', vmId, `DISK=[IMAGE_ID="${again}"]`);
    await one.sim.control.idle();
    expect(await attached()).toEqual([0, 3, 4]);
  });
});

test('an address is leased while the VM lives: asked for again it is refused, afterwards it is free; MAC follows IP', async () => {
  const nic = 'NIC=[NETWORK="lan",IP="192.168.150.20"]';
  const first = await instantiate(nic);
  expect(await one.must('one.vm.info', first)).toContain('<MAC><![CDATA[02:00:c0:a8:96:14]]></MAC>');
  expect(await one.must('one.vn.info', 0)).toContain(
    `<LEASE><IP><![CDATA[192.168.150.20]]></IP><MAC><![CDATA[02:00:c0:a8:96:14]]></MAC><VM><![CDATA[${first}]]></VM></LEASE>`,
  );
  expect((await one.call('one.template.instantiate', await template(nic), 'vm', false, '', false)).code).toBe(16384);
  await one.must('one.vm.action', 'poweroff-hard', first);
  await one.sim.control.idle();
  expect((await one.call('one.template.instantiate', await template(nic), 'vm', false, '', false)).code).toBe(16384);
  await one.must('one.vm.action', 'terminate-hard', first);
  await one.sim.control.idle();
  expect((await vm(await instantiate(nic)))?.stateText).toBe('RUNNING');
});

describe('templates', () => {
  test('extra replaces what it names; passing hold makes extra mandatory', async () => {
    const id = await instantiate('NOTE="old"\nKEEP="yes"', 'NOTE="new"\nMEMORY="128"');
    const body = await one.must('one.vm.info', id);
    expect(body).toContain('<MEMORY><![CDATA[128]]></MEMORY>');
    expect(body).toContain('<USER_TEMPLATE><KEEP><![CDATA[yes]]></KEEP><NOTE><![CDATA[new]]></NOTE></USER_TEMPLATE>');
    expect(await one.call('one.template.instantiate', await template(''), 'vm', false)).toMatchObject({ fault: true, code: -501 });
  });

  test('delete with true takes the images along', async () => {
    const image = await one.must('one.image.allocate', 'NAME="i"\nSIZE="1"', 100, false);
    await one.sim.control.idle();
    await one.must('one.template.delete', await template(`DISK=[IMAGE_ID="${image}"]`), true);
    await one.sim.control.idle();
    expect((await one.sim.control.state()).images).toEqual([]);
  });

  test('7.2 and later name the machine', async () => {
    await using newer = await startTestSimulator({ version: '7.4.0', proxy: false });
    const { vmId } = await newer.sim.control.createVm({ name: 'x', disks: [] });
    expect(await newer.must('one.vm.info', vmId)).toContain('<MACHINE><![CDATA[q35]]></MACHINE>');
  });

  test('restricted attributes are for admins', async () => {
    const alice = rawClient(one.sim.endpoint, 'alice:alice-password');
    const text = 'NAME="r"\nCPU="1"\nMEMORY="1"\nNIC=[NETWORK_ID="0",MAC="02:00:c0:a8:96:14"]';
    expect(await alice('one.template.allocate', text)).toMatchObject({
      code: 512,
      value: '[one.template.allocate] User [2] : VM Template includes a restricted attribute MAC.',
    });
    expect((await one.call('one.template.allocate', text)).ok).toBe(true);
  });
});
