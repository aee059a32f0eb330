import { fileURLToPath } from 'node:url';
import { type LogFields, type Logger, Secret, silentLogger } from '@onevault/base';
import { FakeClock } from '@onevault/base/testing';
import { describe, expect, test } from 'vitest';
import Deserializer from 'xmlrpc/lib/deserializer.js';
import {
  createOneClient,
  datastoreId,
  diskId,
  imageGone,
  imageId,
  imageReady,
  type OneApi,
  type OneClientOptions,
  snapshotId,
  type Transport,
  templateId,
  type Unreadable,
  vmId,
  vmSettled,
  type XmlRpcArgument,
  type XmlRpcCall,
  type XmlRpcValue,
} from '../src/index.ts';
import { readRecordedExchanges } from '../testing/index.ts';
import { answer, scriptedOned, successXml } from './scripted-oned.ts';
import { readTemplate } from './template-lexer.ts';

const session = new Secret('oneadmin:secret');
const endpoint = new URL('http://oned.invalid:2633/RPC2');

/** A client over a function instead of a network. */
function clientOf(
  act: (call: XmlRpcCall, nth: number) => XmlRpcValue | Promise<XmlRpcValue>,
  options: Partial<OneClientOptions> = {},
): { readonly api: OneApi & AsyncDisposable; readonly calls: readonly XmlRpcCall[] } {
  const calls: XmlRpcCall[] = [];
  const transport: Transport = async (call) => {
    calls.push(call);
    return await act(call, calls.length);
  };
  return { api: createOneClient({ endpoint, session, transport, clock: stepping(), ...options }), calls };
}

/** A clock on which every short sleep is over at once and a timeout never comes. */
function stepping(): FakeClock {
  const clock = new FakeClock();
  const sleep = clock.sleep.bind(clock);
  clock.sleep = async (ms, options) => {
    if (ms >= 60_000) return await sleep(ms, options);
    options?.signal?.throwIfAborted();
    clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return clock;
}

const ok = (value: XmlRpcValue): XmlRpcValue => [true, value, 0];
const refusal = (message: string, code: number, object = -1): XmlRpcValue => [false, message, code, object, '-1'];

const recorded = (
  await Promise.all(['7.0.2', '7.4.0'].map((version) => readRecordedExchanges(fileURLToPath(new URL(`fixtures/oned-${version}`, import.meta.url)))))
).flat();

function paramsOf(request: string): readonly unknown[] {
  let params: readonly unknown[] = [];
  const deserializer = new Deserializer('utf8');
  deserializer.deserializeMethodCall({ setEncoding: () => undefined, on: () => undefined, pipe: () => undefined }, (_error, _method, read) => {
    params = read ?? [];
  });
  deserializer.parser.write(Buffer.from(request));
  deserializer.parser.end();
  return params.slice(1);
}

/** The call of ours that a recorded request stands for. */
const OURS: Readonly<Record<string, (api: OneApi, params: readonly unknown[]) => Promise<unknown>>> = {
  'one.system.version': (api) => api.version(),
  'one.vm.info': (api, [vm]) => api.vm(vmId(Number(vm))),
  'one.vm.disksnapshotcreate': (api, [vm, disk, name]) => api.createDiskSnapshot(vmId(Number(vm)), diskId(Number(disk)), String(name)),
  'one.vm.disksnapshotdelete': (api, [vm, disk, snapshot]) => api.deleteDiskSnapshot(vmId(Number(vm)), diskId(Number(disk)), snapshotId(Number(snapshot))),
  'one.vm.disksnapshotrevert': (api, [vm, disk, snapshot]) => api.revertDiskSnapshot(vmId(Number(vm)), diskId(Number(disk)), snapshotId(Number(snapshot))),
  'one.vm.disksaveas': (api, [vm, disk, name, , snapshot]) =>
    api.saveDiskAs(vmId(Number(vm)), diskId(Number(disk)), String(name), snapshot === -1 ? undefined : snapshotId(Number(snapshot))),
  'one.vm.attach': (api, [vm, template]) => api.attachDisk(vmId(Number(vm)), vectorOf(template)),
  'one.vm.detach': (api, [vm, disk]) => api.detachDisk(vmId(Number(vm)), diskId(Number(disk))),
  'one.vm.action': (api, [action, vm]) =>
    api.vmAction(
      vmId(Number(vm)),
      action === 'resume' ? 'resume' : String(action) === 'suspend' ? 'suspend' : action === 'poweroff-hard' ? 'poweroff-hard' : 'terminate-hard',
    ),
  'one.image.info': (api, [image]) => api.image(imageId(Number(image))),
  'one.image.delete': (api, [image, force]) => api.deleteImage(imageId(Number(image)), { force: force === true }),
  'one.image.allocate': (api, [template, datastore]) => api.allocateImage(scalarsOf(template), datastoreId(Number(datastore))),
  'one.datastorepool.info': (api) => api.datastores(),
  'one.hostpool.info': (api) => api.hosts(),
  'one.template.allocate': (api, [template]) => api.allocateTemplate(String(template)),
  'one.template.instantiate': (api, [template, name, hold, extra]) =>
    api.instantiateTemplate(templateId(Number(template)), String(name), { hold: hold === true, extra: String(extra) }),
  'one.template.delete': (api, [template]) => api.deleteTemplate(templateId(Number(template))),
};

function vectorOf(template: unknown): Readonly<Record<string, string>> {
  const value = readTemplate(String(template))[0]?.[1];
  return typeof value === 'object' ? value : {};
}

function scalarsOf(template: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(readTemplate(String(template)).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])));
}

/** Template text compares by meaning. */
function meaning(params: readonly unknown[]): readonly unknown[] {
  return params.map((param) => (typeof param === 'string' && /^[A-Z]+ ?=/.test(param) ? readTemplate(param) : param));
}

describe('calls', () => {
  const comparable = recorded.filter((exchange) => OURS[exchange.method]);

  test('every method of the recordings but the pools is comparable', () => {
    const others = new Set(recorded.map((exchange) => exchange.method).filter((method) => !OURS[method]));
    expect([...others].sort()).toEqual(['one.clusterpool.info', 'one.imagepool.info', 'one.templatepool.info', 'one.vmpool.info', 'one.vmpool.infoextended']);
  });

  test.each(comparable.map((exchange) => [exchange.name, exchange] as const))('%s has the arguments a real oned was sent', async (_name, exchange) => {
    const expected = paramsOf(exchange.request);
    const { api, calls } = clientOf(() => refusal('[one.test] no', 2048));
    await OURS[exchange.method]?.(api, expected).catch(() => undefined);
    expect(calls.map((call) => call.method)).toEqual([exchange.method]);
    expect(meaning(calls[0]?.args ?? [])).toEqual(meaning(expected));
  });

  test.each<readonly [string, (api: OneApi) => unknown, string, readonly XmlRpcArgument[]]>([
    ['whoAmI', (api) => api.whoAmI(), 'one.user.info', [-1, false]],
    ['updateVm merges', (api) => api.updateVm(vmId(6), { A: 'x' }), 'one.vm.update', [6, 'A="x"', 1]],
    ['setImagePersistent', (api) => api.setImagePersistent(imageId(3), true), 'one.image.persistent', [3, true]],
    ['deleteImage without force', (api) => api.deleteImage(imageId(3)), 'one.image.delete', [3, false]],
    ['deleteTemplate never deletes images', (api) => api.deleteTemplate(templateId(4)), 'one.template.delete', [4, false]],
    ['instantiateTemplate sends all five', (api) => api.instantiateTemplate(templateId(4), 'n'), 'one.template.instantiate', [4, 'n', false, '', false]],
    ['template', (api) => api.template(templateId(4)), 'one.template.info', [4, false, false]],
    ['vms', (api) => api.vms()[Symbol.asyncIterator]().next(), 'one.vmpool.info', [-2, 0, -300, -1]],
    ['images', (api) => api.images()[Symbol.asyncIterator]().next(), 'one.imagepool.info', [-2, 0, -300]],
    ['templates', (api) => api.templates()[Symbol.asyncIterator]().next(), 'one.templatepool.info', [-2, 0, -300]],
    ['rawInfo', (api) => api.rawInfo('secgroup', 2), 'one.secgroup.info', [2, false]],
  ])('%s', async (_name, act, method, args) => {
    const { api, calls } = clientOf(() => refusal('no', 2048));
    await Promise.resolve(act(api)).catch(() => undefined);
    expect(calls[0]).toMatchObject({ method, args });
  });

  test('what oned answers with another kind of value than the method has is refused', async () => {
    await expect(clientOf(() => ok('six')).api.createDiskSnapshot(vmId(6), diskId(0), 'x')).rejects.toMatchObject({ code: 'ONE_RESPONSE_INVALID' });
    await expect(clientOf(() => ok(6)).api.vm(vmId(6))).rejects.toMatchObject({ code: 'ONE_RESPONSE_INVALID' });
    await expect(clientOf(() => 'hello').api.version()).rejects.toMatchObject({ code: 'ONE_RESPONSE_INVALID' });
    await expect(clientOf(() => [true]).api.version()).rejects.toMatchObject({ code: 'ONE_RESPONSE_INVALID' });
  });

  test('an id that comes as i8, which xmlrpc gives as text, is an id', async () => {
    expect(await clientOf(() => ok('7')).api.createDiskSnapshot(vmId(6), diskId(0), 'x')).toBe(7);
  });
});

describe('refusals', () => {
  test.each([
    [256, 'ONE_AUTHENTICATION'],
    [512, 'ONE_AUTHORIZATION'],
    [1024, 'ONE_NO_EXISTS'],
    [2048, 'ONE_ACTION'],
    [4096, 'ONE_XML_RPC_API'],
    [8192, 'ONE_INTERNAL'],
    [16384, 'ONE_ALLOCATE'],
    [32768, 'ONE_LOCKED'],
    [65536, 'ONE_REPLICATION'],
    [7, 'ONE_INTERNAL'],
  ])('code %i is %s and keeps its number and text', async (oneCode, code) => {
    const { api } = clientOf(() => refusal('[one.vm.attach] Target vdx is already in use.', oneCode, 2));
    await expect(api.attachDisk(vmId(2), { IMAGE_ID: '18' })).rejects.toMatchObject({
      code,
      message: 'one.vm.attach: Target vdx is already in use',
      details: { oneCode, onedMessage: '[one.vm.attach] Target vdx is already in use.', method: 'one.vm.attach', objectId: 2 },
    });
  });
});

describe('retries', () => {
  const ELECTION = '[one.vm.info] Cannot process request, oned cluster in election mode';

  test('a read is repeated while the cluster elects a leader', async () => {
    const { api, calls } = clientOf((_call, nth) => (nth < 4 ? refusal(ELECTION, 8192) : ok('7.0.2')));
    expect(await api.version()).toBe('7.0.2');
    expect(calls.length).toBe(4);
  });

  test('and given up after the fourth time', async () => {
    const { api, calls } = clientOf(() => refusal(ELECTION, 8192));
    await expect(api.version()).rejects.toMatchObject({ code: 'ONE_INTERNAL', retryable: true });
    expect(calls.length).toBe(4);
  });

  test('what is not idempotent is never repeated', async () => {
    const { api, calls } = clientOf(() => refusal(ELECTION, 8192));
    await expect(api.detachDisk(vmId(2), diskId(1))).rejects.toMatchObject({ code: 'ONE_INTERNAL' });
    expect(calls.length).toBe(1);
  });

  test('an ordinary refusal is never repeated', async () => {
    const { api, calls } = clientOf(() => refusal('[one.vm.info] Error getting virtual machine [9].', 1024));
    await expect(api.vm(vmId(9))).rejects.toMatchObject({ code: 'ONE_NO_EXISTS' });
    expect(calls.length).toBe(1);
  });

  test('a read that lost its connection is repeated, over a real network too', async () => {
    let n = 0;
    await using oned = await scriptedOned((request, response, socket) =>
      n++ === 0 ? void socket.resetAndDestroy() : answer(successXml('7.0.2'))(request, response, socket),
    );
    await using api = createOneClient({ endpoint: oned.endpoint, session, clock: stepping() });
    expect(await api.version()).toBe('7.0.2');
    expect(oned.seen.length).toBe(2);
  });
});

describe('listings', () => {
  const short = (id: number, extra = ''): string =>
    `<VM><ID>${id}</ID><UID>0</UID><GID>0</GID><UNAME>a</UNAME><GNAME>b</GNAME><NAME>n${id}</NAME><STATE>3</STATE><LCM_STATE>3</LCM_STATE><STIME>1</STIME><TEMPLATE>${extra}</TEMPLATE><HISTORY_RECORDS/></VM>`;
  const pool = (bodies: readonly string[]): string => `<VM_POOL>${bodies.join('')}</VM_POOL>`;

  async function listed(
    bodies: readonly string[],
    pageSize: number,
  ): Promise<{ readonly ids: readonly number[]; readonly unreadable: readonly Unreadable[]; readonly calls: number }> {
    const unreadable: Unreadable[] = [];
    const page = (call: XmlRpcCall): string => pool(bodies.slice(Number(call.args[1]), Number(call.args[1]) - Number(call.args[2])));
    const { api, calls } = clientOf((call) => ok(page(call)), { pageSize, onUnreadable: (one) => unreadable.push(one) });
    const ids: number[] = [];
    for await (const vm of api.vms()) ids.push(vm.id);
    return { ids, unreadable, calls: calls.length };
  }

  test('pages are read until one is not full', async () => {
    const bodies = Array.from({ length: 25 }, (_, n) => short(100 - n));
    expect(await listed(bodies, 10)).toEqual({ ids: Array.from({ length: 25 }, (_, n) => 100 - n), unreadable: [], calls: 3 });
  });

  test('VMs that cannot be read are reported by id and do not cost the others', async () => {
    const bodies = [short(9), short(8, '<A$B>x</A$B>'), short(7), short(6).replace('<STATE>3</STATE>', ''), short(5, '<VM><![CDATA[</VM>]]></VM>'), short(4)];
    const { ids, unreadable } = await listed(bodies, 4);
    expect(ids).toEqual([9, 7, 5, 4]);
    expect(unreadable).toMatchObject([
      { object: 'VM 8', error: { code: 'ONE_RESPONSE_INVALID' } },
      { object: 'VM 6', error: { code: 'ONE_RESPONSE_INVALID', details: { object: 'VM 6', field: 'STATE' } } },
    ]);
  });

  test('without a listener they become a warning', async () => {
    const warnings: LogFields[] = [];
    const logger: Logger = { ...silentLogger, warn: (fields) => void warnings.push(fields) };
    const { api } = clientOf(() => ok('<HOST_POOL><HOST><ID>3</ID></HOST></HOST_POOL>'), { logger });
    expect(await api.hosts()).toEqual([]);
    expect(warnings).toMatchObject([{ object: 'HOST 3', error: { code: 'ONE_RESPONSE_INVALID' } }]);
  });

  test('a pool that is cut short is refused as a whole', async () => {
    const { api } = clientOf(() => ok(pool([short(9), short(8)]).slice(0, -20)));
    await expect(api.vms()[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'ONE_RESPONSE_INVALID' });
  });

  test('a page size that OpenNebula would read as a range of ids is a programming error', () => {
    expect(() => clientOf(() => ok(1), { pageSize: 1 })).toThrow(RangeError);
  });
});

describe('waiting', () => {
  const bodyOf = (name: string): string => {
    const text = /<string>(.*)<\/string>/s.exec(recorded.find((exchange) => exchange.name.startsWith(name))?.response ?? '')?.[1] ?? '';
    return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
  };

  test('for a VM reads its body until it settles', async () => {
    const busy = bodyOf('001').replace('<LCM_STATE>3<', '<LCM_STATE>57<');
    const { api, calls } = clientOf((_call, nth) => ok(nth < 3 ? busy : bodyOf('001')));
    const vm = await api.waitForVm(vmId(6), vmSettled, { timeoutMs: 60_000, what: 'the snapshot' });
    expect(vm.lcmState).toBe(3);
    expect(calls.length).toBe(3);
  });

  test('for an image sees its absence as undefined', async () => {
    const { api } = clientOf((_call, nth) =>
      nth === 1 ? ok(bodyOf('006').replace('<STATE>2<', '<STATE>7<')) : refusal('[one.image.info] Error getting image [0].', 1024, 0),
    );
    expect(await api.waitForImage(imageId(0), imageGone, { timeoutMs: 60_000, what: 'the deletion' })).toBeUndefined();
  });

  test('says by name where things stood', async () => {
    const clock = new FakeClock();
    const { api } = clientOf(() => ok(bodyOf('006').replace('<STATE>2<', '<STATE>4<')), { clock });
    const wait = api.waitForImage(imageId(0), imageReady, { timeoutMs: 100, what: 'the image to be READY' });
    const settled = expect(wait).rejects.toMatchObject({ code: 'ONE_WAIT_TIMEOUT', details: { object: 'image 0', lastState: 'LOCKED' } });
    for (let n = 0; n < 50; n++) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(100);
    await settled;
  });
});

test('what a proxy wants in the endpoint goes to the proxy, and shows nowhere', async () => {
  await using oned = await scriptedOned(answer(successXml('7.0.2')));
  const secretive = new URL(oned.endpoint);
  secretive.username = 'gate';
  secretive.password = 'hunter2';
  await using api = createOneClient({ endpoint: secretive, session });
  expect(await api.version()).toBe('7.0.2');
  expect(oned.seen[0]?.headers.authorization).toBe(`Basic ${Buffer.from('gate:hunter2').toString('base64')}`);
  expect(api.endpoint.href).toBe(oned.endpoint.href);
});

test('the log has methods and ids, never texts', async () => {
  const lines: LogFields[] = [];
  const logger: Logger = { ...silentLogger, debug: (fields) => void lines.push(fields) };
  const { api } = clientOf((_call, nth) => (nth === 1 ? ok(6) : refusal('no', 2048)), { logger });
  await api.updateVm(vmId(6), { PASSWORD: 'hunter2' });
  await api.vmAction(vmId(6), 'resume').catch(() => undefined);
  expect(lines).toMatchObject([
    { method: 'one.vm.update', ids: [6, 1] },
    { method: 'one.vm.action', ids: [6], code: 'ONE_ACTION' },
  ]);
  expect(JSON.stringify(lines)).not.toMatch(/hunter2|secret/);
});
