import { gzipSync } from 'node:zlib';
import { OPERATIONS } from '@onevault/api';
import { createLiveHandlers } from '@onevault/server';
import { type AccessWorld, makeAccessWorld, type RawReply, runRecord, type Somebody, sampleHandlers, send, signIn } from '@onevault/server/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let world: AccessWorld;
let base: URL;
let admin: Somebody & { readonly cookie: string; readonly csrfToken: string };
let asked: string[] = [];

/** What a guest may have called a file, and put into it. */
const NAME = 'a"; filename=x.html\r\nSet-Cookie: stolen=1\r\n\r\n<script>../../etc/passwd\u001b[2J';
const PAGE = '<!doctype html><script>fetch("/api/v1/tokens")</script>';

beforeAll(async () => {
  world = await makeAccessWorld();
  const point = { vmId: 17 };
  const objects = {
    inventory: { vm: () => undefined },
    catalog: { get: async () => point },
    runs: { get: async (id: string) => runRecord({ id, vmId: 17 }) },
  };
  const samples = sampleHandlers((operation) => void asked.push(operation.id));
  const { listFiles, readFile } = liveFiles();
  base = (await world.serve(objects as never, { ...samples, listFiles, readFile } as never)).url;
  admin = await signIn(base, world.sim.user, world.sim.password);
}, 60_000);
afterAll(() => world?.[Symbol.asyncDispose]());

/** The handlers that there are, over a guest that is not there. */
function liveFiles() {
  const entry = { name: Buffer.from(NAME), facts: { type: 'file', sizeBytes: PAGE.length, modifiedMs: Number.MAX_VALUE, mode: 0o4777 } };
  const files = {
    useFileSystem: async () => undefined,
    list: async () => [entry],
    stat: async () => entry,
    read: async function* () {
      yield Buffer.from(PAGE);
    },
  };
  const turn = { take: async () => ({ [Symbol.dispose]: () => undefined, [Symbol.asyncDispose]: async () => undefined }) };
  const session = {
    files,
    turn,
    fileSystems: async () => [{ device: '/dev/sda', type: 'ext4', label: NAME, sizeBytes: 1 }],
    [Symbol.asyncDispose]: async () => undefined,
  };
  const { clock, logger } = world.access.deps;
  const deps = { clock, logger, settings: { current: () => ({ repositories: [] }) }, environment: {} };
  const { handlers } = createLiveHandlers(deps as never, { open: async () => session as never });
  return handlers as Record<'listFiles' | 'readFile', never>;
}

const FILLED: Readonly<Record<string, string>> = {
  vmId: '17',
  repository: 'main',
  pointId: 'p-1',
  runId: 'run-1',
  name: 'nightly',
  user: 'alice',
  tokenId: 't',
};
const urlOf = (path: string): string => `/api/v1${path.replaceAll(/\{(\w+)\}/g, (_, name: string) => FILLED[name] ?? name)}`;
const CHANGING = OPERATIONS.filter(({ method, role }) => method !== 'get' && role !== 'public');

describe('a page of somebody else in the browser of an administrator', () => {
  const attempts: readonly (readonly [string, () => Readonly<Record<string, string>>])[] = [
    ['with the cookie alone', () => ({ cookie: admin.cookie })],
    ['with a token of another session', () => ({ cookie: admin.cookie, 'x-csrf-token': 'a'.repeat(43) })],
    ['from another site, though it had the token', () => ({ ...admin.headers, origin: 'https://evil.example' })],
    ['from the same host at another port', () => ({ ...admin.headers, origin: `http://127.0.0.1:${Number(base.port) + 1}` })],
    ['from nowhere that can be named', () => ({ ...admin.headers, origin: 'null' })],
    ['by an old browser that says no origin', () => ({ ...admin.headers, 'sec-fetch-site': 'cross-site' })],
  ];

  it.each(attempts)('changes nothing %s, whatever the operation', async (_how, headers) => {
    asked = [];
    const statuses = new Map<string, string>();
    for (const { id, method, path } of CHANGING) {
      const reply = await send(base, urlOf(path), { method: method.toUpperCase(), headers: headers(), ...(method !== 'delete' && { body: {} }) });
      statuses.set(id, `${reply.status} ${reply.json?.code}`);
    }
    expect(new Set(statuses.values())).toEqual(new Set(['403 SERVER_CSRF']));
    expect(statuses.size).toBeGreaterThan(12);
    expect(asked).toEqual([]);
  });

  it('signs nobody in as somebody else', async () => {
    const body = { user: world.sim.user, password: world.sim.password };
    for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }])
      expect((await send(base, '/api/v1/session', { method: 'POST', headers, body })).json.code).toBe('SERVER_CSRF');
  });

  it('gets nothing by a form, which can send no JSON, nor by a method that the address does not have', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/plain; application/json']) {
      const reply = await send(base, '/api/v1/runs', { method: 'POST', headers: { ...admin.headers, 'content-type': type }, body: '{"kind":"recover"}' });
      expect([reply.status, reply.json.code], type).toEqual([415, 'SERVER_REQUEST_INVALID']);
    }
    const override = { ...admin.headers, 'x-http-method-override': 'DELETE', 'x-method-override': 'DELETE' };
    expect((await send(base, '/api/v1/policies/nightly', { method: 'POST', headers: override, body: {} })).status).toBe(404);
    for (const method of ['TRACE', 'OPTIONS', 'PATCH', 'CONNECTX'])
      expect([400, 404, 405], method).toContain((await send(base, '/api/v1/runs', { method, headers: admin.headers }).catch(() => ({ status: 400 }))).status);
  });

  it.each(['evil.example', 'evil.example:80', '127.0.0.1.evil.example', '0.0.0.0', '[::]', '169.254.169.254', 'localhost.evil.example'])(
    'sees nothing under the name %j that it has pointed at loopback',
    async (host) => {
      for (const path of ['/api/v1/openapi.json', '/api/v1/session/options', '/api/v1/vms', '/']) {
        const reply = await send(base, path, { headers: { ...admin.headers, host } });
        expect([400, 403], path).toContain(reply.status);
        expect(reply.text).not.toContain('"paths"');
      }
    },
  );

  it('is not let believe who asks, by headers that only a proxy may set', async () => {
    const forged = { 'x-forwarded-for': '10.0.0.1', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https', forwarded: 'for=10.0.0.1' };
    const reply = await send(base, '/api/v1/session', { method: 'POST', headers: forged, body: { user: 'alice', password: 'guess' } });
    expect(reply.status).toBe(401);
    expect(reply.headers['strict-transport-security']).toBeUndefined();
    expect((await world.audit.read({ limit: 1 }))[0]).toMatchObject({ action: 'signIn', actor: { address: '127.0.0.1' } });
  });
});

describe('a body', () => {
  const post = (body: string | Buffer, headers: Readonly<Record<string, string>>): Promise<RawReply> =>
    send(base, '/api/v1/policy-previews', { method: 'POST', headers: { ...admin.headers, ...headers }, body });

  it('that is compressed is not unpacked', async () => {
    asked = [];
    const bomb = gzipSync(Buffer.alloc(50 * 2 ** 20, ' '));
    for (const encoding of ['gzip', 'deflate', 'br', 'gzip, gzip', 'identity, gzip']) {
      const reply = await post(bomb, { 'content-encoding': encoding, 'content-type': 'application/json' });
      expect([400, 413, 415], encoding).toContain(reply.status);
    }
    expect(asked).toEqual([]);
  });

  it.each([
    ['another prototype', '{"__proto__":{"role":"admin"},"kind":"backup","name":"x"}'],
    ['another prototype, escaped', '{"\\u005f_proto__":{"role":"admin"},"kind":"backup","name":"x"}'],
    ['another constructor', '{"constructor":{"prototype":{"role":"admin"}},"kind":"backup","name":"x"}'],
    ['one inside', '{"kind":"backup","name":"x","a":{"b":[{"__proto__":{}}]}}'],
    ['half a surrogate and no end', '{"kind":"backup","name":"\\ud800'],
    ['two values', '{}{}'],
  ])('with %s is refused, and changes nothing of what objects are', async (_what, body) => {
    asked = [];
    const reply = await send(base, '/api/v1/policy-previews', { method: 'POST', headers: { ...admin.headers, 'content-type': 'application/json' }, body });
    expect([reply.status, asked]).toEqual([400, []]);
    expect(({} as { role?: string }).role).toBeUndefined();
  });
});

describe('a request', () => {
  it('with a hundred cookies, or one of ours twice, is nobody or the first who is somebody', async () => {
    const many = Array.from({ length: 100 }, (_, i) => `c${i}=${'x'.repeat(20)}`).join('; ');
    const whoAmI = (cookie: string): Promise<RawReply> => send(base, '/api/v1/session', { headers: { cookie } });
    expect((await whoAmI(`${many}; ${admin.cookie}`)).status).toBe(200);
    expect((await whoAmI(`onevault_session=${'a'.repeat(43)}; ${admin.cookie}`)).status).toBe(401);
    expect((await whoAmI(`onevault_session=; __Host-onevault_session=x; ${many}`)).status).toBe(401);
    expect([401, 431]).toContain((await whoAmI('x=y; '.repeat(10_000))).status);
  });

  it.each([
    '/../../../etc/passwd',
    '/..%2f..%2f..%2fetc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/assets/..\\..\\..\\etc\\passwd',
    '/assets/%00/../../etc/passwd',
    '//etc/passwd',
    '/file:///etc/passwd',
    '/api/v1/../../etc/passwd',
    '/api/v1/repositories/..%2f..%2fetc/points/passwd',
    '/api/v1/repositories/main/points/..%2f..%2fetc%2fpasswd',
    '/api/v1/vms/17%00',
    '/api/v1/vms/1e1',
    '/api/v1/vms/0x11',
    '/api/v1/vms/-1',
    '/api/v1/runs/%ff%fe',
  ])('for %s finds no file and no object', async (path) => {
    const reply = await send(base, path, { headers: admin.headers });
    expect([400, 404], reply.text).toContain(reply.status);
    expect(reply.text).not.toContain('root:');
  });

  it('with lines and escapes in its names leaves one line of JSON in log and audit', async () => {
    const evil = 'x%0a%1b%5b2J%0d%7b%22forged%22:true%7d';
    await send(base, `/api/v1/users/${evil}/role`, { method: 'PUT', headers: admin.headers, body: { role: 'admin' } });
    const [record] = await world.audit.read({ limit: 1 });
    expect(record).toMatchObject({ action: 'setRole', object: decodeURIComponent(evil) });
    expect(JSON.stringify(record)).not.toMatch(/\p{Cc}/u);
  });
});

describe('what a guest calls its files', () => {
  const path = '/api/v1/repositories/main/points/p-1/files';

  it('gets neither out of its header nor into the page: what is downloaded is a file and nothing else', async () => {
    const reply = await send(base, `${path}/content?filesystem=%2Fdev%2Fsda&path=${Buffer.from('/x').toString('base64url')}`, { headers: admin.headers });
    expect([reply.status, reply.text]).toEqual([200, PAGE]);
    expect(reply.headers).toMatchObject({ 'content-type': 'application/octet-stream', 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
    expect(reply.headers['content-security-policy']).toMatch(/default-src 'none'.*sandbox/);
    expect(reply.headers['set-cookie']).toBeUndefined();
    const disposition = String(reply.headers['content-disposition']);
    expect(disposition).toMatch(/^attachment; filename="[\w. ()-]+"; filename\*=UTF-8''[\w.%!~-]+$/);
    expect(decodeURIComponent(disposition)).not.toMatch(/\p{Cc}/u);
  });

  it('is told as text that can be printed, with its bytes beside', async () => {
    const { json } = await send(base, path, { headers: admin.headers });
    expect(json.entries[0]).toMatchObject({ nameBytes: Buffer.from(NAME).toString('base64url'), type: 'file' });
    expect(json.entries[0]?.name).not.toMatch(/\p{Cc}/u);
    expect(json.entries[0]).not.toHaveProperty('modifiedAt');
  });
});
