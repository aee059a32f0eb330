import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callXml, parseAnswer, postXml, rawClient, startTestSimulator, type TestSimulator } from '../testing/index.ts';

let one: TestSimulator;
beforeAll(async () => {
  one = await startTestSimulator();
});
afterAll(() => one[Symbol.asyncDispose]());

describe('answers', () => {
  test('a success has three elements, byte for byte as oned prints them', async () => {
    const { xml } = await one.call('one.system.version');
    const values = ['<value><boolean>1</boolean></value>', '<value><string>7.0.2</string></value>', '<value><i4>0</i4></value>'].join('\r\n');
    expect(xml).toBe(
      `<?xml version="1.0" encoding="UTF-8"?>\r\n<methodResponse>\r\n<params>\r\n<param><value><array><data>\r\n${values}\r\n</data></array></value></param>\r\n</params>\r\n</methodResponse>\r\n`,
    );
  });

  test('a refusal has five, the last an i8 of -1', async () => {
    const { xml } = await one.call('one.vm.info', 77);
    expect(xml).toContain('<value><i4>1024</i4></value>\r\n<value><i4>77</i4></value>\r\n<value><i8>-1</i8></value>');
  });

  test.each([
    ['a wrong password', 'oneadmin:nope'],
    ['an unknown user', 'nobody:x'],
    ['a session without a colon', 'oneadmin'],
  ])('%s is refused with 256', async (_what, session) => {
    const answer = await rawClient(one.sim.endpoint, session)('one.system.version');
    expect(answer).toMatchObject({ ok: false, code: 256, value: "[one.system.version] User couldn't be authenticated, aborting call." });
  });

  test('a session is split at the first colon only', async () => {
    expect((await rawClient(one.sim.endpoint, 'oneadmin:onevault:x')('one.system.version')).code).toBe(256);
  });

  test.each<readonly [string, Parameters<typeof callXml>[1], number]>([
    ['one.vm.info', ['oneadmin:onevault', 'seven'], -501],
    ['one.vm.info', ['oneadmin:onevault', { tag: 'i8', text: '7' }], -501],
    ['one.vm.info', ['oneadmin:onevault', { tag: 'double', text: '7' }], -501],
    ['one.vm.info', ['oneadmin:onevault'], -501],
    ['one.vm.action', ['oneadmin:onevault', 0, 'suspend'], -501],
    ['one.nothing', ['oneadmin:onevault'], -506],
  ])('%s with %j is a fault', async (method, params, code) => {
    expect(parseAnswer(await postXml(one.sim.endpoint, callXml(method, params)))).toMatchObject({ fault: true, code });
  });

  test('what is not XML is a fault', async () => {
    expect(parseAnswer(await postXml(one.sim.endpoint, '<methodCall>'))).toMatchObject({ fault: true, code: -503 });
  });

  test('extra parameters are tolerated', async () => {
    expect((await one.call('one.vm.info', 0, false, 'more', 5)).ok).toBe(true);
  });

  test('markup in names and templates survives the way there and back', async () => {
    const text = 'a<b> & "c" ]]> d\u00e9 \\ e';
    const quoted = text.replace(/(["\\])/g, '\\$1');
    const id = await one.must('one.template.allocate', `NAME="markup"\nCPU="1"\nMEMORY="1"\nNOTE="${quoted}"`);
    const body = await one.must('one.template.info', Number(id));
    expect(body).toContain(`<NOTE><![CDATA[${text.replace(']]>', ']]]]><![CDATA[>')}]]></NOTE>`);
  });
});

describe('connections', () => {
  test('a connection is closed after 30 calls', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    let closing = 0;
    for (let n = 0; n < 31; n++) {
      const { port, connection } = await postVia(agent, one.sim.endpoint);
      ports.add(port);
      if (connection === 'close') closing++;
    }
    agent.destroy();
    expect({ connections: ports.size, closing }).toEqual({ connections: 2, closing: 1 });
  });

  test('an idle connection is closed', async () => {
    await using quick = await startTestSimulator({ connections: { idleMs: 30 }, proxy: false });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const { closed } = await postVia(agent, quick.sim.endpoint);
    await closed;
    agent.destroy();
  });

  test('beyond the limit a connection waits, and is served when another ends', async () => {
    await using narrow = await startTestSimulator({ connections: { maxConnections: 2 }, proxy: false });
    const idle = [1, 2].map(() => connect(Number(narrow.sim.endpoint.port), '127.0.0.1'));
    await Promise.all(idle.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    let served = false;
    const third = narrow.call('one.system.version').then((answer) => {
      served = true;
      return answer;
    });
    await narrow.sim.control.state(); // in process: needs no connection
    expect(served).toBe(false);
    idle[0]?.destroy();
    expect((await third).ok).toBe(true);
    idle[1]?.destroy();
  });

  test.each([
    ['GET', '/RPC2', 'text/xml', 405],
    ['POST', '/other', 'text/xml', 404],
    ['POST', '/RPC2', 'application/json', 400],
    ['POST', '/sim/nothing', 'application/json', 404],
  ])('%s %s as %s is %i', async (method, path, type, status) => {
    const response = await fetch(new URL(path, one.sim.endpoint), { method, headers: { 'content-type': type, connection: 'close' } });
    await response.arrayBuffer();
    expect(response.status).toBe(status);
  });
});

interface Posted {
  readonly port: number | undefined;
  readonly connection: string | undefined;
  readonly closed: Promise<unknown>;
}

function postVia(agent: Agent, endpoint: URL): Promise<Posted> {
  const body = callXml('one.system.version', ['oneadmin:onevault']);
  return new Promise((resolve, reject) => {
    const sent = request(endpoint, { method: 'POST', agent, headers: { 'content-type': 'text/xml', 'content-length': body.length } }, (response) => {
      const { socket } = response;
      socket.setMaxListeners(0); // one listener a call, 30 calls a connection
      const port = socket.localPort;
      const closed = new Promise((done) => socket.once('close', done));
      response.resume();
      response.on('end', () => setImmediate(() => resolve({ port, connection: response.headers.connection, closed })));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
