import { afterAll, beforeAll, expect, test } from 'vitest';
import { rawClient, startTestSimulator, type TestSimulator } from '../testing/index.ts';

const ALICE = 2;
let one: TestSimulator;
let alice: TestSimulator['call'];
beforeAll(async () => {
  one = await startTestSimulator({ proxy: false });
  alice = rawClient(one.sim.endpoint, 'alice:alice-password');
});
afterAll(() => one[Symbol.asyncDispose]());

let counter = 0;
async function template(call: TestSimulator['call'], text = ''): Promise<number> {
  const answer = await call('one.template.allocate', `NAME="t${counter++}"\nCPU="0.1"\nMEMORY="16"\n${text}`);
  return Number(answer.value);
}

test('until 7.0 a hold without the extra template is a fault; 7.2 and later take it', async () => {
  const id = await template(one.call);
  expect((await one.call('one.template.instantiate', id, 'held', true)).fault).toBe(true);
  await using newer = await startTestSimulator({ version: '7.4.0', proxy: false });
  const other = await template(newer.call);
  const vm = Number(await newer.must('one.template.instantiate', other, 'held', true));
  expect((await newer.sim.control.state()).vms.find((candidate) => candidate.id === vm)?.stateText).toBe('HOLD');
});

test('a persistent instantiation copies the template and its images, waits for them, and uses them persistently', async () => {
  const source = Number(await one.must('one.image.allocate', 'NAME="base"\nSIZE="1"', 100, false));
  await one.sim.control.idle();
  const id = await template(one.call, `DISK=[IMAGE_ID="${source}"]`);
  await one.sim.control.hold(['clone']);
  const vm = Number(await one.must('one.template.instantiate', id, 'mine', false, '', true));
  const stateOf = async () => (await one.sim.control.state()).vms.find((candidate) => candidate.id === vm);
  expect((await stateOf())?.stateText).toBe('CLONING');
  await one.sim.control.release();
  await one.sim.control.idle();
  const state = await one.sim.control.state();
  const copy = state.images.find((image) => image.name === 'mine-disk-0');
  expect(copy).toMatchObject({ persistent: true, vmIds: [vm] });
  expect(await stateOf()).toMatchObject({ stateText: 'RUNNING', disks: [{ imageId: copy?.id, persistent: true }] });
  expect(state.templates.map((one) => one.name)).toContain('mine');
  expect(state.images.find((image) => image.id === source)).toMatchObject({ stateText: 'READY', vmIds: [] });
  expect(await one.must('one.vm.info', vm)).toContain(`<CLONING_TEMPLATE_ID><![CDATA[${id}]]></CLONING_TEMPLATE_ID>`);
});

test('one whose images cannot be copied leaves nothing behind', async () => {
  const first = Number(await one.must('one.image.allocate', 'NAME="good"\nSIZE="1"', 100, false));
  const busy = Number(await one.must('one.image.allocate', 'NAME="busy"\nSIZE="1"\nPERSISTENT="YES"', 100, false));
  await one.sim.control.idle();
  const { vmId } = await one.sim.control.createVm({ name: 'user', disks: [] });
  await one.must('one.vm.attach', vmId, `DISK=[IMAGE_ID="${busy}"]`);
  await one.sim.control.idle();
  const id = await template(one.call, `DISK=[IMAGE_ID="${first}"]\nDISK=[IMAGE_ID="${busy}"]`);
  const before = await one.sim.control.state();
  expect(await one.call('one.template.instantiate', id, 'half', false, '', true)).toMatchObject({
    code: 2048,
    value: expect.stringContaining('[one.template.instantiate] Failed to clone images: '),
  });
  await one.sim.control.idle();
  const after = await one.sim.control.state();
  expect([after.templates, after.images.map((image) => image.id)]).toEqual([before.templates, before.images.map((image) => image.id)]);
});

test('AS_UID and AS_GID make the VM for somebody else, whose quotas count; others than oneadmin need MANAGE on the user', async () => {
  const id = await template(one.call);
  const vm = Number(
    await one.must('one.template.instantiate', id, 'hers', true, `AS_UID="${ALICE}"\nAS_GID="1"`, false).catch((error: unknown) => String(error)),
  );
  expect(Number.isNaN(vm)).toBe(true); // alice may not USE oneadmin's template
  await one.must('one.template.chmod', id, -1, -1, -1, -1, -1, -1, 1, -1, -1);
  const made = Number(await one.must('one.template.instantiate', id, 'hers', true, `AS_UID="${ALICE}"\nAS_GID="1"`, false));
  expect(await one.must('one.vm.info', made)).toContain(`<UID>${ALICE}</UID><GID>1</GID><UNAME>alice</UNAME><GNAME>users</GNAME>`);
  await one.must('one.user.quota', ALICE, 'VM=[VMS="1"]');
  expect((await one.call('one.template.instantiate', id, 'more', true, `AS_UID="${ALICE}"\nAS_GID="1"`, false)).value).toContain(
    'user [2] limit of 1 reached for VMS quota in VM.',
  );
  const { userId } = await one.sim.control.createUser({ name: 'bob', password: 'bob' });
  expect((await alice('one.template.instantiate', id, 'his', true, `AS_UID="${userId}"`, false)).value).toBe(
    `[one.template.instantiate] User [2] : Not authorized to perform MANAGE USER [${userId}].`,
  );
});

test('a restricted attribute that the template of an admin has may stay, another may not come', async () => {
  const id = await template(one.call, 'NIC=[NETWORK_ID="0",MAC="02:00:c0:a8:96:20"]');
  await one.must('one.template.chmod', id, -1, -1, -1, -1, -1, -1, 1, -1, -1);
  await one.must('one.user.quota', ALICE, 'VM=[VMS="-1"]');
  expect((await alice('one.template.instantiate', id, 'kept', true, '', false)).ok).toBe(true);
  expect(await alice('one.template.instantiate', id, 'changed', true, 'NIC=[NETWORK_ID="0",MAC="02:00:c0:a8:96:21"]', false)).toMatchObject({
    code: 512,
    value: '[one.template.instantiate] User [2] : User Template includes a restricted attribute NIC.',
  });
});
