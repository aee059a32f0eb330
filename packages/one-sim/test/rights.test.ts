import { FakeClock } from '@onevault/base/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RawAnswer, rawClient, startTestSimulator, type TestSimulator } from '../testing/index.ts';

type Call = TestSimulator['call'];

/** What a backup user needs and nothing else (the least rights of a user outside group oneadmin). */
const LEAST: Readonly<Record<string, string>> = {
  vm: 'VM/* USE+MANAGE',
  image: 'IMAGE/* USE+MANAGE',
  datastore: 'DATASTORE/* USE',
  createImage: 'IMAGE/* CREATE',
  template: 'TEMPLATE/* CREATE',
  network: 'NET+SECGROUP/* USE',
};

describe('a backup user with the least rights', () => {
  let one: TestSimulator;
  let vm: number;
  let proxy: number;
  let user: Call;
  let userId: number;
  beforeAll(async () => {
    one = await startTestSimulator();
    vm = (await one.sim.control.createVm({ name: 'theirs', owner: 'alice', nics: ['lan'], disks: [{ sizeMiB: 1 }, { sizeMiB: 1, persistent: true }] })).vmId;
    proxy = (await one.sim.control.state()).vms.find((candidate) => candidate.proxy)?.id ?? -1;
    ({ userId } = await one.sim.control.createUser({ name: 'backup', password: 'secret', group: 'backup', rules: Object.values(LEAST) }));
    user = rawClient(one.sim.endpoint, 'backup:secret');
  });
  afterAll(() => one[Symbol.asyncDispose]());

  const settled = async (answer: Promise<RawAnswer>): Promise<RawAnswer> => {
    const given = await answer;
    await one.sim.control.idle();
    return given;
  };

  test('can do every call of a backup and a restore', async () => {
    for (const [method, ...params] of [
      ['one.user.info', -1],
      ['one.group.info', -1],
      ['one.system.version'],
      ['one.vmpool.info', -2, -1, -1, -1, ''],
      ['one.vm.info', vm],
      ['one.datastorepool.info'],
      ['one.vn.info', 0],
      ['one.vm.disksnapshotcreate', vm, 1, 's'],
      ['one.vm.disksnapshotcreate', vm, 0, 's'],
      ['one.vm.disksaveas', vm, 0, 'ov-copy', '', 0],
      ['one.vm.disksnapshotdelete', vm, 0, 0],
    ] as const) {
      expect(await settled(user(method, ...params)), method).toMatchObject({ ok: true });
    }
    const image = (await one.sim.control.state()).images.find((candidate) => candidate.name === 'ov-copy')?.id ?? -1;
    expect(await settled(user('one.image.persistent', image, true))).toMatchObject({ ok: true });
    expect(await settled(user('one.vm.attach', proxy, `DISK=[IMAGE_ID="${image}",DEV_PREFIX="sd",TARGET="sdk"]`))).toMatchObject({ ok: true });
    const disk = (await one.sim.control.state()).vms.find((candidate) => candidate.id === proxy)?.disks.find((candidate) => candidate.imageId === image);
    expect(await settled(user('one.vm.detach', proxy, disk?.diskId ?? -1))).toMatchObject({ ok: true });
    expect(await settled(user('one.image.delete', image, false))).toMatchObject({ ok: true });
    const empty = await settled(user('one.image.allocate', 'NAME="r"\nTYPE="OS"\nSIZE="1"', 100, false));
    const text = `NAME="r"\nCPU="1"\nMEMORY="16"\nDISK=[IMAGE_ID="${empty.value}"]\nNIC=[NETWORK_ID="0"]\n`;
    const template = await user('one.template.allocate', text);
    expect(await settled(user('one.template.instantiate', Number(template.value), 'r', false, 'NOTE="x"', false))).toMatchObject({ ok: true });
    expect(await user('one.template.delete', Number(template.value), false)).toMatchObject({ ok: true });
  });

  test('can do nothing that needs ADMIN, and sees no hosts', async () => {
    expect(await user('one.vm.recover', vm, 3)).toMatchObject({
      code: 512,
      value: `[one.vm.recover] User [${userId}] : Not authorized to perform ADMIN VM [${vm}].`,
    });
    expect((await user('one.hostpool.info')).value).toBe('<HOST_POOL></HOST_POOL>');
    expect(await user('one.host.info', 0)).toMatchObject({ code: 512, value: `[one.host.info] User [${userId}] : Not authorized to perform USE HOST [0].` });
    expect(await user('one.acl.info')).toMatchObject({ code: 512, value: `[one.acl.info] User [${userId}] : Not authorized to perform MANAGE ACL.` });
    expect((await user('one.user.quota', userId, 'VM=[VMS="9"]')).code).toBe(512);
  });

  /** Each right alone taken away, and what is refused then, in which words. */
  const WITHOUT: Readonly<Record<string, readonly [method: string, params: () => (string | number | boolean)[], missing: () => string]>> = {
    vm: ['one.vm.disksnapshotcreate', () => [vm, 0, 's'], () => `MANAGE VM [${vm}]`],
    image: ['one.vm.disksnapshotcreate', () => [vm, 1, 's'], () => `MANAGE IMAGE [${2}]`],
    datastore: ['one.image.allocate', () => ['NAME="x"\nSIZE="1"', 100, false], () => 'USE DATASTORE [100]'],
    createImage: ['one.vm.disksaveas', () => [vm, 0, 'x', '', -1], () => 'CREATE IMAGE'],
    template: ['one.template.allocate', () => ['NAME="x"'], () => 'CREATE TEMPLATE'],
    network: ['one.vn.info', () => [0], () => 'USE NET [0]'],
  };

  test.each(Object.keys(LEAST))('without %s is refused by name', async (right) => {
    const name = `without-${right}`;
    const rules = Object.entries(LEAST).flatMap(([key, rule]) => (key === right ? [] : [rule]));
    const created = await one.sim.control.createUser({ name, password: 'secret', group: 'backup', rules });
    const entry = WITHOUT[right];
    if (!entry) throw new Error(`no case for ${right}`);
    const [method, params, missing] = entry;
    if (right === 'network') await one.must('one.vn.chmod', 0, -1, -1, -1, -1, -1, -1, 0, -1, -1);
    const answer = await rawClient(one.sim.endpoint, `${name}:secret`)(method, ...params());
    expect(answer).toMatchObject({ code: 512, value: `[${method}] User [${created.userId}] : Not authorized to perform ${missing()}.` });
    await one.sim.control.idle();
  });

  test('a refusal names everything that is missing', async () => {
    const { userId: id } = await one.sim.control.createUser({ name: 'nobody', password: 'secret', group: 'backup' });
    const answer = await rawClient(one.sim.endpoint, 'nobody:secret')('one.vm.disksaveas', vm, 0, 'x', '', -1);
    expect(answer.value).toBe(
      `[one.vm.disksaveas] User [${id}] : Not authorized to perform MANAGE VM [${vm}]; Not authorized to perform CREATE IMAGE; Not authorized to perform USE DATASTORE [100].`,
    );
    expect((await one.sim.control.state()).vms.find((candidate) => candidate.id === vm)?.stateText).toBe('RUNNING');
  });
});

describe('rules', () => {
  let one: TestSimulator;
  beforeAll(async () => {
    one = await startTestSimulator({ proxy: false });
  });
  afterAll(() => one[Symbol.asyncDispose]());

  test('a new front-end has the stock ones, and group users may create and use what they allow', async () => {
    expect(await one.must('one.acl.info')).toContain('<STRING>@1 VM+IMAGE+TEMPLATE+DOCUMENT+SECGROUP+VMGROUP+BACKUPJOB/* CREATE *</STRING>');
    const alice = rawClient(one.sim.endpoint, 'alice:alice-password');
    expect(await alice('one.image.allocate', 'NAME="a"\nSIZE="1"', 100, false)).toMatchObject({ ok: true });
    expect((await alice('one.clusterpool.info')).value).toBe('<CLUSTER_POOL></CLUSTER_POOL>');
    await one.sim.control.idle();
  });

  test('are added, listed and deleted through the API; a twin and nonsense are refused', async () => {
    const added = await one.call('one.acl.addrule', '100000002', '1100000001', '2', '400000000');
    expect(added.ok).toBe(true);
    expect(await one.must('one.acl.info')).toContain('<STRING>#2 VM/#1 MANAGE *</STRING>');
    expect(await one.call('one.acl.addrule', '100000002', '1100000001', '2', '400000000')).toMatchObject({
      code: 8192,
      value: '[one.acl.addrule] Rule #2 VM/#1 MANAGE * already exists',
    });
    expect((await one.call('one.acl.addrule', '100000002', '100000001', '2')).value).toContain('[resource] type is missing');
    expect(await one.must('one.acl.delrule', Number(added.value))).toBe(added.value);
    expect(await one.call('one.acl.delrule', 99)).toMatchObject({ code: 8192, value: '[one.acl.delrule] Rule 99 does not exist' });
  });

  test('of a group, of a cluster and of one object select what they say', async () => {
    const { vmId } = await one.sim.control.createVm({ name: 'a', owner: 'alice', disks: [{ sizeMiB: 1 }] });
    const { vmId: other } = await one.sim.control.createVm({ name: 'b', disks: [{ sizeMiB: 1 }] });
    await one.sim.control.createUser({ name: 'bob', password: 'bob', group: 'none', rules: ['VM/@1 USE', 'DATASTORE/%0 USE', `IMAGE/#0 USE`] });
    const bob = rawClient(one.sim.endpoint, 'bob:bob');
    expect([(await bob('one.vm.info', vmId)).ok, (await bob('one.vm.info', other)).code]).toEqual([true, 512]);
    expect((await bob('one.datastore.info', 100)).ok).toBe(true);
    expect([(await bob('one.image.info', 0)).ok, (await bob('one.image.info', 1)).code]).toEqual([true, 512]);
    expect([...(await bob('one.vmpool.info', -2, -1, -1, -1)).value.matchAll(/<VM><ID>(\d+)/g)].map((match) => Number(match[1]))).toEqual([vmId]);
  });
});

test('VM_*_OPERATIONS of a user move an action to another right', async () => {
  await using one = await startTestSimulator({ proxy: false });
  const { vmId } = await one.sim.control.createVm({ name: 'a', disks: [{ sizeMiB: 1 }] });
  const template = 'VM_ADMIN_OPERATIONS="disk-snapshot"\nVM_USE_OPERATIONS="suspend"\n';
  const { userId } = await one.sim.control.createUser({ name: 'limited', password: 'x', rules: ['VM/* MANAGE'], template });
  const limited = rawClient(one.sim.endpoint, 'limited:x');
  expect((await limited('one.vm.disksnapshotcreate', vmId, 0, 's')).value).toContain(`User [${userId}] : Not authorized to perform ADMIN VM [${vmId}].`);
  expect((await limited('one.vm.action', 'suspend', vmId)).value).toContain(`Not authorized to perform USE VM [${vmId}].`);
  expect((await limited('one.vm.action', 'poweroff', vmId)).ok).toBe(true);
  expect((await limited('one.system.config')).value).toContain(
    '<VM_ADMIN_OPERATIONS><![CDATA[migrate, delete, recover, retry, deploy, resched, backup, restore]]>',
  );
  await one.sim.control.idle();
});

describe('login tokens', () => {
  let one: TestSimulator;
  const clock = new FakeClock();
  beforeAll(async () => {
    one = await startTestSimulator({ proxy: false, clock });
  });
  afterAll(() => one[Symbol.asyncDispose]());

  test('stand for the password until they expire or are revoked', async () => {
    const byPassword = rawClient(one.sim.endpoint, 'alice:alice-password');
    const token = (await byPassword('one.user.login', 'alice', '', 60)).value;
    const alice = rawClient(one.sim.endpoint, `alice:${token}`);
    expect((await alice('one.user.info', -1)).value).toContain(`<LOGIN_TOKEN><TOKEN>${token}</TOKEN><EXPIRATION_TIME>`);
    clock.advance(61_000);
    expect((await alice('one.user.info', -1)).code).toBe(256);
    expect(await byPassword('one.user.login', 'alice', 'chosen', -1)).toMatchObject({ ok: true, value: 'chosen' });
    expect((await rawClient(one.sim.endpoint, 'alice:chosen')('one.user.info', -1)).ok).toBe(true);
    await byPassword('one.user.login', 'alice', 'chosen', 0);
    expect((await rawClient(one.sim.endpoint, 'alice:chosen')('one.user.info', -1)).code).toBe(256);
    expect(await byPassword('one.user.login', 'alice', 'chosen', 0)).toMatchObject({ code: 4096, value: '[one.user.login] Could not find token: chosen' });
  });

  test('are no more good than the password when the user is disabled, by whom he is not himself', async () => {
    const byPassword = rawClient(one.sim.endpoint, 'bob:bob-password');
    const { userId } = await one.sim.control.createUser({ name: 'bob', password: 'bob-password' });
    const token = (await byPassword('one.user.login', 'bob', '', 60)).value;
    expect((await byPassword('one.user.enable', userId, false)).code).toBe(512);
    expect((await one.call('one.user.enable', userId, false)).ok).toBe(true);
    for (const secret of ['bob-password', token]) expect((await rawClient(one.sim.endpoint, `bob:${secret}`)('one.user.info', -1)).code).toBe(256);
    expect((await one.call('one.user.enable', userId, true)).ok).toBe(true);
    expect((await byPassword('one.user.info', -1)).ok).toBe(true);
  });

  test('are ten at most; one of a single group has that group only, and makes no full one', async () => {
    const byPassword = rawClient(one.sim.endpoint, 'alice:alice-password');
    for (let n = 0; n < 10; n++) expect((await byPassword('one.user.login', 'alice', `t${n}`, -1, n === 0 ? 1 : -1)).ok).toBe(true);
    expect(await byPassword('one.user.login', 'alice', '', -1)).toMatchObject({ code: 4096, value: '[one.user.login] Max number of tokens limit reached.' });
    // Not even oneadmin makes a full token for a user of other groups (UserLogin::request_execute).
    expect((await one.call('one.user.login', 'alice', '', -1)).value).toBe('[one.user.login] Cannot create a full token with a specific group token');
    await byPassword('one.user.login', 'alice', '', 0);
    expect((await rawClient(one.sim.endpoint, 'alice:t1')('one.user.info', -1)).code).toBe(256);
  });
});
