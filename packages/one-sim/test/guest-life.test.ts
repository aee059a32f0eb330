import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NO_TIME, startTestSimulator, type TestSimulator } from '../testing/index.ts';

/** Signs of life, as a 7.0.2 shows them: what no poll has found is not there, and a guest that cannot reach OneGate tells it nothing. */
let one: TestSimulator;
beforeAll(async () => {
  one = await startTestSimulator({ times: NO_TIME });
});
afterAll(() => one[Symbol.asyncDispose]());

const body = (vm: number): Promise<string> => one.must('one.vm.info', vm).then(String);
const ping = async (vm: number): Promise<string | undefined> => /<VM_QEMU_PING><!\[CDATA\[(.*?)\]\]>/.exec(await body(vm))?.[1];
const boot = async (name: string, options: { readonly agent?: boolean; readonly extra?: string; readonly nics?: string[] } = {}): Promise<number> => {
  const { agent = false, extra = '', nics = [] } = options;
  const spec = { name, disks: [{ sizeMiB: 1 }], guestAgent: agent ? ('silent' as const) : ('none' as const), extra, nics, context: extra === '' };
  return (await one.sim.control.createVm(spec)).vmId;
};
const until = async (holds: () => Promise<boolean>): Promise<void> => {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
};

test('nothing is measured before the first poll, and hosts as shipped do not ask the agent', async () => {
  const vm = await boot('unpolled', { agent: true });
  expect(await body(vm)).toContain('<MONITORING></MONITORING>');
  await one.sim.control.monitored(vm, 'RUNNING');
  expect(await ping(vm)).toBe('QEMU Guest Agent monitoring disabled');
  expect(await one.must('one.vm.monitoring', vm)).toContain('<VM_QEMU_PING>');
});

test('a host that asks gets what libvirt says: no channel, no answer, or the answer', async () => {
  await one.sim.control.setAgentMonitoring(true);
  const [without, silent] = [await boot('without'), await boot('silent', { agent: true })];
  for (const vm of [without, silent]) await one.sim.control.monitored(vm, 'RUNNING');
  expect(await ping(without)).toMatch(/^error: .*not configured/);
  expect(await ping(silent)).toMatch(/^error: .*not connected/);
  await one.sim.control.expectGuest({ namePrefix: 'lively', agent: true });
  const vm = await boot('lively', { agent: true });
  await until(async () => (await ping(vm)) !== undefined);
  expect(await ping(vm)).toBe('{}');
  await one.sim.control.setAgentMonitoring(false);
});

test('READY reaches OneGate only with a card and a token', async () => {
  await one.sim.control.expectGuest({ namePrefix: 'gate', ready: true });
  const context = (token: string): string => `CONTEXT=[TOKEN="${token}",NETWORK="YES"]`;
  const told = await boot('gate-told', { extra: context('YES'), nics: ['lan'] });
  const others = [await boot('gate-no-card', { extra: context('YES') }), await boot('gate-no-token', { extra: context('NO'), nics: ['lan'] })];
  for (const vm of [told, ...others]) await until(async () => (await ping(vm)) !== undefined);
  expect(await body(told)).toContain('<READY><![CDATA[YES]]></READY>');
  for (const vm of others) expect(await body(vm)).not.toContain('<READY>');
});

test('a guest whose disk does not hold what it boots from is silent, and one that dies is powered off', async () => {
  const bytes = Buffer.from('bootable');
  await one.sim.control.expectGuest({ namePrefix: 'needy', needs: { disk: 0, offset: 512, base64: bytes.toString('base64') }, dies: true });
  const vm = await boot('needy');
  expect(await body(vm)).toContain('<MONITORING></MONITORING>');
  await one.sim.control.write(vm, 0, 512, bytes);
  await one.must('one.vm.action', 'poweroff-hard', vm);
  await one.sim.control.idle();
  await one.must('one.vm.action', 'resume', vm);
  await until(async () => (await ping(vm)) !== undefined);
  const stateOf = async (): Promise<string | undefined> => (await one.sim.control.state()).vms.find(({ id }) => id === vm)?.stateText;
  await until(async () => (await stateOf()) === 'POWEROFF');
});

const serial = (port: number, reconnect = ''): string =>
  `RAW=[TYPE="kvm",DATA="<devices><serial type='tcp'><source mode='connect' host='127.0.0.1' service='${port}'>${reconnect}</source></serial></devices>"]`;

test('a serial console connects as the domain starts and carries what the guest writes', async () => {
  await one.sim.control.expectGuest({ namePrefix: 'talker', console: 'web login: ' });
  const heard = new Promise<string>((resolve) => {
    const server = createServer((socket) => socket.once('data', (data) => server.close(() => undefined) && resolve(String(data))));
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (address !== null && typeof address === 'object') void boot('talker', { extra: serial(address.port) });
    });
  });
  expect(await heard).toBe('web login: ');
});

test('a console that nobody listens to keeps the domain from starting, unless it may connect later', async () => {
  const dead = await boot('deaf', { extra: serial(1) });
  expect(await body(dead)).toMatch(/<LCM_STATE>36<.*Failed to connect/s);
  const alive = await boot('patient', { extra: serial(1, `<reconnect enabled='yes' timeout='1'/>`) });
  expect(await body(alive)).toContain('<LCM_STATE>3<');
});
