import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { rawClient, startTestSimulator, type TestSimulator } from '../testing/index.ts';

const ALICE = 2;
let one: TestSimulator;
let alice: TestSimulator['call'];
let vm: number;

beforeEach(async () => {
  one = await startTestSimulator({ proxy: false });
  alice = rawClient(one.sim.endpoint, 'alice:alice-password');
  const disks = [{ sizeMiB: 4 }, { sizeMiB: 2, persistent: true }];
  vm = (await one.sim.control.createVm({ name: 'hers', owner: 'alice', disks, volatileMiB: [3], nics: ['lan'], cpu: 0.5, memoryMiB: 64 })).vmId;
});
afterEach(() => one[Symbol.asyncDispose]());

const limit = (text: string): Promise<string> => one.must('one.user.quota', ALICE, text);
const body = async (): Promise<string> => (await alice('one.user.info', -1)).value.replace(/<!\[CDATA\[(.*?)\]\]>/g, '$1');
const settled = async (...call: Parameters<TestSimulator['must']>): Promise<void> => {
  await one.must(...call);
  await one.sim.control.idle();
};

test('bodies print limits and usage by their real names, and the defaults after them', async () => {
  await limit('DATASTORE=[ID="100",SIZE="100",IMAGES="10"]\nVM=[VMS="3",CPU="2.5"]');
  const text = await body();
  expect(text).toContain(
    '<DATASTORE_QUOTA><DATASTORE><ID>100</ID><IMAGES>10</IMAGES><IMAGES_USED>2</IMAGES_USED><SIZE>100</SIZE><SIZE_USED>6</SIZE_USED></DATASTORE></DATASTORE_QUOTA>',
  );
  expect(text).toContain('<NETWORK_QUOTA><NETWORK><ID>0</ID><LEASES>-1</LEASES><LEASES_USED>1</LEASES_USED></NETWORK></NETWORK_QUOTA>');
  expect(text).toContain('<CPU>2.50</CPU><CPU_USED>0.50</CPU_USED><MEMORY>-1</MEMORY><MEMORY_USED>64</MEMORY_USED>');
  expect(text).toContain('<RUNNING_VMS>-1</RUNNING_VMS><RUNNING_VMS_USED>1</RUNNING_VMS_USED>');
  expect(text).toContain('<SYSTEM_DISK_SIZE>-1</SYSTEM_DISK_SIZE><SYSTEM_DISK_SIZE_USED>7</SYSTEM_DISK_SIZE_USED><VMS>3</VMS><VMS_USED>1</VMS_USED>');
  expect(text).toMatch(/<IMAGE_QUOTA><IMAGE><ID>0<\/ID><RVMS>-1<\/RVMS><RVMS_USED>1<\/RVMS_USED><\/IMAGE>/);
  expect(text).toContain('</IMAGE_QUOTA><DEFAULT_USER_QUOTAS><DATASTORE_QUOTA></DATASTORE_QUOTA>');
  const group = (await one.must('one.group.info', 1)).replace(/<!\[CDATA\[(.*?)\]\]>/g, '$1');
  expect(group).toContain('<SIZE>-1</SIZE><SIZE_USED>6</SIZE_USED>');
  expect((await one.must('one.userpool.info')).replace(/<!\[CDATA\[(.*?)\]\]>/g, '$1')).toContain('<QUOTAS><ID>2</ID><DATASTORE_QUOTA><DATASTORE><ID>100</ID>');
});

test('oneadmin has no quotas, and nothing is counted for it', async () => {
  expect(await one.call('one.user.quota', 0, 'VM=[VMS="1"]')).toMatchObject({ code: 2048, value: '[one.user.quota] Cannot set quotas for oneadmin user' });
  expect(await one.must('one.user.info', 0)).toContain('<DATASTORE_QUOTA></DATASTORE_QUOTA><NETWORK_QUOTA></NETWORK_QUOTA><VM_QUOTA></VM_QUOTA>');
});

test('a limit that is no limit is refused', async () => {
  expect(await one.call('one.user.quota', ALICE, 'DATASTORE=[ID="1",SIZE="-5"]')).toMatchObject({
    code: 2048,
    value: '[one.user.quota] Negative limits or bad format in quota DATASTORE = [ ID=1,SIZE=-5 ]',
  });
});

describe("refusals come with code 512 and OpenNebula's words", () => {
  test('a new image: its size and its number', async () => {
    await limit('DATASTORE=[ID="100",SIZE="7"]');
    expect(await alice('one.image.allocate', 'NAME="x"\nSIZE="2"', 100, false)).toMatchObject({
      code: 512,
      value: '[one.image.allocate] User [2] : user [2] limit of 7 reached for SIZE quota in DATASTORE with ID: 100.',
    });
    await limit('DATASTORE=[ID="100",IMAGES="2"]');
    expect((await alice('one.image.allocate', 'NAME="x"\nSIZE="1"', 100, false)).value).toContain(
      'user [2] limit of 2 reached for IMAGES quota in DATASTORE with ID: 100.',
    );
  });

  test('saving a disk counts for who asks, and leaves the VM as it was', async () => {
    await limit('DATASTORE=[ID="100",SIZE="9"]');
    expect((await alice('one.vm.disksaveas', vm, 0, 'copy', '', -1)).value).toContain('limit of 9 reached for SIZE quota in DATASTORE with ID: 100.');
    expect((await one.sim.control.state()).vms.find((candidate) => candidate.id === vm)?.stateText).toBe('RUNNING');
    await settled('one.vm.disksaveas', vm, 0, 'copy', '', -1); // oneadmin saves it for itself
    expect(await body()).toContain('<SIZE_USED>6</SIZE_USED>');
  });

  test('a snapshot counts as a whole disk: for the owner of the image, or as system disk', async () => {
    await settled('one.vm.disksnapshotcreate', vm, 0, 's');
    expect(await body()).toContain('<SYSTEM_DISK_SIZE_USED>11</SYSTEM_DISK_SIZE_USED>');
    await settled('one.vm.disksnapshotcreate', vm, 1, 's');
    expect(await body()).toContain('<SIZE_USED>8</SIZE_USED>');
    await limit('DATASTORE=[ID="100",SIZE="9"]\nVM=[SYSTEM_DISK_SIZE="12"]');
    expect((await alice('one.vm.disksnapshotcreate', vm, 1, 's')).value).toContain('limit of 9 reached for SIZE quota in DATASTORE with ID: 100.');
    expect(await one.call('one.vm.disksnapshotcreate', vm, 0, 's')).toMatchObject({
      code: 512,
      value: '[one.vm.disksnapshotcreate] User [0] : user [2] limit of 12 reached for SYSTEM_DISK_SIZE quota in VM.',
    });
    await settled('one.vm.disksnapshotdelete', vm, 0, 0);
    expect(await body()).toContain('<SYSTEM_DISK_SIZE_USED>7</SYSTEM_DISK_SIZE_USED>');
  });

  test('a new VM: its number, its capacity, its addresses and the uses of an image', async () => {
    const image = Number(await one.must('one.image.allocate', 'NAME="shared"\nSIZE="1"', 100, false));
    await one.must('one.image.chmod', image, -1, -1, -1, -1, -1, -1, 1, -1, -1);
    await one.sim.control.idle();
    const template = (await alice('one.template.allocate', `NAME="t"\nCPU="1"\nMEMORY="64"\nDISK=[IMAGE_ID="${image}"]\nNIC=[NETWORK_ID="0"]`)).value;
    const refusal = async (quota: string): Promise<string> => {
      await limit(quota);
      const answer = await alice('one.template.instantiate', Number(template), 'n', false, '', false);
      expect(answer.code).toBe(512);
      return answer.value;
    };
    expect(await refusal('VM=[VMS="1"]')).toContain('user [2] limit of 1 reached for VMS quota in VM.');
    expect(await refusal('VM=[RUNNING_CPU="1.2"]')).toContain('limit of 1.2 reached for RUNNING_CPU quota in VM.');
    expect(await refusal('VM=[MEMORY="100"]\nNETWORK=[ID="0",LEASES="1"]')).toContain('limit of 1 reached for LEASES quota in NETWORK with ID: 0.');
    expect(await refusal(`VM=[VMS="-1"]\nNETWORK=[ID="0",LEASES="-1"]\nIMAGE=[ID="${image}",RVMS="0"]`)).toContain(
      `limit of 0 reached for RVMS quota in IMAGE with ID: ${image}.`,
    );
    expect((await one.sim.control.state()).images.find((candidate) => candidate.id === image)?.vmIds).toEqual([]);
  });

  test("a group's limits hold for all its members together", async () => {
    await one.sim.control.createUser({ name: 'bob', password: 'bob' });
    await one.must('one.group.quota', 1, 'DATASTORE=[ID="100",IMAGES="3"]');
    expect((await rawClient(one.sim.endpoint, 'bob:bob')('one.image.allocate', 'NAME="x"\nSIZE="1"', 100, false)).ok).toBe(true);
    expect((await alice('one.image.allocate', 'NAME="x"\nSIZE="1"', 100, false)).value).toContain(
      'group [1] limit of 3 reached for IMAGES quota in DATASTORE with ID: 100.',
    );
    await one.sim.control.idle();
  });
});

test('resuming takes the running quotas up again, and is refused with code 2048', async () => {
  await settled('one.vm.action', 'poweroff-hard', vm);
  expect(await body()).toContain('<RUNNING_VMS_USED>0</RUNNING_VMS_USED>');
  await limit('VM=[RUNNING_VMS="0"]');
  expect(await one.call('one.vm.action', 'resume', vm)).toMatchObject({
    code: 2048,
    value: '[one.vm.action] user [2] limit of 0 reached for RUNNING_VMS quota in VM',
  });
});

test('attaching counts the copy as system disk of the VM and a use of the image', async () => {
  const image = Number(await one.must('one.image.allocate', 'NAME="a"\nSIZE="5"', 100, false));
  await one.sim.control.idle();
  await limit('VM=[SYSTEM_DISK_SIZE="11"]');
  expect((await one.call('one.vm.attach', vm, `DISK=[IMAGE_ID="${image}"]`)).value).toContain('user [2] limit of 11 reached for SYSTEM_DISK_SIZE quota in VM.');
  await limit('VM=[SYSTEM_DISK_SIZE="12"]');
  await settled('one.vm.attach', vm, `DISK=[IMAGE_ID="${image}"]`);
  expect(await body()).toContain('<SYSTEM_DISK_SIZE_USED>12</SYSTEM_DISK_SIZE_USED>');
});

test('a change of owner moves the usage, or is refused for want of room', async () => {
  const { userId } = await one.sim.control.createUser({ name: 'bob', password: 'bob' });
  await one.must('one.user.quota', userId, 'VM=[VMS="0"]');
  expect((await one.call('one.vm.chown', vm, userId, -1)).value).toContain(`user [${userId}] limit of 0 reached for VMS quota in VM.`);
  await one.must('one.user.quota', userId, 'VM=[VMS="1"]');
  await one.must('one.vm.chown', vm, userId, -1);
  expect(await body()).not.toContain('<VMS_USED>1');
});
