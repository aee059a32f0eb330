import { API_PREFIX, OPERATIONS } from '@onevault/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InventoryVm } from '../../src/index.ts';
import { type AccessWorld, bodyAs, makeAccessWorld, runRecord, type Somebody, sampleHandlers, send, signIn } from '../../testing/index.ts';

let world: AccessWorld;
let base: URL;
let admin: Somebody & { readonly cookie: string; readonly csrfToken: string };

const rights = { use: true, manage: true, admin: true };
const vm: InventoryVm = {
  facts: { id: 17, name: 'web', owner: 'oneadmin', group: 'oneadmin', labels: [], state: 'RUNNING', datastores: [], attributes: {} },
  owned: { uid: 0, gid: 0, permissions: { owner: rights, group: rights, other: { use: false, manage: false, admin: false } }, lock: undefined },
  clusterId: 0,
  hostId: 0,
  datastoreIds: [],
  diskCount: 1,
  exists: true,
};
const objects = {
  inventory: { vm: (id: number) => (id === 17 ? vm : undefined) },
  catalog: { get: async () => undefined },
  runs: { get: async (id: string) => runRecord({ id }) },
};

beforeAll(async () => {
  world = await makeAccessWorld();
  base = (await world.serve(objects, sampleHandlers())).url;
  admin = await signIn(base, world.sim.user, world.sim.password);
});
afterAll(() => world[Symbol.asyncDispose]());

const api = (path: string, options: Parameters<typeof send>[2] = {}): ReturnType<typeof send> =>
  send(base, `${API_PREFIX}${path}`, { ...options, headers: { ...admin.headers, ...options.headers } });

describe('the server', () => {
  it('refuses to start with a handler missing, or one too many', async () => {
    const { listVms: _, ...rest } = sampleHandlers() as Record<string, never>;
    await expect(world.serve(objects, rest)).rejects.toMatchObject({ code: 'SERVER_HANDLERS_INCOMPLETE', details: { missing: ['listVms'], unknown: [] } });
    await expect(world.serve(objects, { ...sampleHandlers(), formatHost: async () => undefined })).rejects.toMatchObject({
      details: { unknown: ['formatHost'] },
    });
  });

  it('refuses to listen where others can read passwords, unless told so', async () => {
    await expect(world.serve(objects, sampleHandlers(), { host: '0.0.0.0' })).rejects.toMatchObject({ code: 'SERVER_LISTEN_REFUSED' });
    await expect(world.serve(objects, sampleHandlers(), { host: '0.0.0.0', insecure: true })).resolves.toBeDefined();
  });

  it('answers the OpenAPI document to anybody, with the operations it has', async () => {
    const { status, json } = await send(base, `${API_PREFIX}/openapi.json`);
    expect(status).toBe(200);
    const ids = Object.values(bodyAs<{ readonly paths: Record<string, Record<string, { operationId: string }>> }>({ json }).paths).flatMap((methods) =>
      Object.values(methods).map((one) => one.operationId),
    );
    expect(ids.sort()).toEqual(OPERATIONS.map(({ id }) => id).sort());
  });

  it('says that it lives, and whether what it stands on does', async () => {
    expect(await send(base, '/healthz')).toMatchObject({ status: 200, json: { status: 'ok' } });
    expect(await send(base, '/readyz')).toMatchObject({ status: 200, json: { status: 'ready' } });
  });

  it('answers what an operation promises, with headers that browsers obey', async () => {
    const reply = await api('/vms');
    expect(reply).toMatchObject({ status: 200, json: { items: [] } });
    expect(reply.headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY', 'cache-control': 'private, no-cache' });
    expect(reply.headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(reply.headers['strict-transport-security']).toBeUndefined();
  });

  it('does not send twice what a client has', async () => {
    const { headers } = await api('/vms');
    expect(await api('/vms', { headers: { 'if-none-match': String(headers['etag']) } })).toMatchObject({ status: 304, text: '' });
  });

  it('names every fault of a request', async () => {
    expect(await api('/vms?limit=0&sort=age')).toMatchObject({
      status: 400,
      headers: { 'content-type': expect.stringMatching(/^application\/problem\+json/) },
      json: { code: 'SERVER_REQUEST_INVALID', type: 'urn:onevault:error:SERVER_REQUEST_INVALID', issues: [{ path: 'query.limit' }, { path: 'query.sort' }] },
    });
    expect((await api('/vms?limit=2&lmit=3')).json.issues).toEqual([{ path: 'query.lmit', message: 'unknown field' }]);
    const restore = { kind: 'restore', repository: 'main', pointId: 'p-1', name: 'web-2', imageDatastre: 100 };
    expect((await api('/runs', { method: 'POST', body: restore })).json.issues).toEqual([{ path: 'body.imageDatastre', message: 'unknown field' }]);
    expect((await api('/vms/seventeen')).json.issues).toMatchObject([{ path: 'path.vmId' }]);
  });

  it('takes JSON and nothing else, and nothing that changes prototypes', async () => {
    const text = await api('/runs', { method: 'POST', body: 'kind=backup', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
    expect(text).toMatchObject({ status: 415, json: { code: 'SERVER_REQUEST_INVALID' } });
    for (const body of ['{"kind":"backup","__proto__":{"role":"admin"}}', '{"constructor":{"prototype":{"role":"admin"}}}', '{"kind":', '[1', '"']) {
      expect(await api('/runs', { method: 'POST', body })).toMatchObject({ status: 400, json: { code: 'SERVER_REQUEST_INVALID' } });
    }
    expect(({} as { role?: string }).role).toBeUndefined();
  });

  it('begins a run once for one Idempotency-Key, and refuses the key for something else', async () => {
    let begun = 0;
    const server = await world.serve(objects, { ...sampleHandlers(), startRun: async () => ({ id: `run-${++begun}` }) });
    const start = (body: unknown, key: string): ReturnType<typeof send> =>
      send(server.url, `${API_PREFIX}/runs`, { method: 'POST', body, headers: { ...admin.headers, 'idempotency-key': key } });
    const backup = { kind: 'backup', vmId: 17, repository: 'main' };
    const replies = await Promise.all([start(backup, 'k-1'), start(backup, 'k-1')]);
    expect(replies.map(({ status, json }) => ({ status, json }))).toEqual([1, 2].map(() => ({ status: 202, json: { id: 'run-1' } })));
    expect(replies.map(({ headers }) => headers['location'])).toEqual(['/api/v1/runs/run-1', '/api/v1/runs/run-1']);
    expect(await start({ ...backup, mode: 'full' }, 'k-1')).toMatchObject({ status: 422, json: { code: 'SERVER_IDEMPOTENCY_CONFLICT' } });
    expect((await start(backup, 'k-2')).json).toEqual({ id: 'run-2' });
    expect(await start(backup, 'k 3')).toMatchObject({ status: 400 });
  });

  it('sends no field that the operation does not promise, and no answer that is wrong', async () => {
    const server = await world.serve(objects, {
      ...sampleHandlers(),
      listVms: async () => ({ items: [], password: 'hidden' }),
      listPolicies: async () => [{ name: 'nightly', secret: 'hidden' }],
      overview: async () => {
        throw new Error('password hidden in /etc/secret');
      },
    });
    const get = (path: string): ReturnType<typeof send> => send(server.url, `${API_PREFIX}${path}`, { headers: admin.headers });
    expect((await get('/vms')).text).toBe('{"items":[]}');
    for (const path of ['/policies', '/overview']) {
      const reply = await get(path);
      expect(reply).toMatchObject({ status: 500, json: { code: 'SERVER_INTERNAL' } });
      expect(reply.text).not.toMatch(/hidden|etc/);
    }
  });

  it('sends a file under a name that cannot leave its header', async () => {
    const filename = 'naïve "report"\r\nSet-Cookie: a=b';
    const server = await world.serve(objects, { ...sampleHandlers(), protectionReport: async () => ({ contentType: 'text/html', filename, body: '<p>fine' }) });
    const { text, headers } = await send(server.url, `${API_PREFIX}/reports/protection`, { headers: admin.headers });
    expect(text).toBe('<p>fine');
    expect(headers['content-security-policy']).toContain('sandbox');
    expect(headers['set-cookie']).toBeUndefined();
    expect(headers['content-disposition']).toContain("filename*=UTF-8''na%C3%AFve%20%22report%22%0D%0ASet-Cookie%3A%20a%3Db");
  });

  it('writes what was changed into the audit log before it answers', async () => {
    const reply = await api('/runs', { method: 'POST', body: { kind: 'backup', vmId: 17, repository: 'main' } });
    const [record] = await world.audit.read({ limit: 1 });
    expect(record).toMatchObject({
      actor: { kind: 'user', name: 'oneadmin', address: '127.0.0.1' },
      action: 'startRun',
      object: 'backup 17 main',
      outcome: 'ok',
      details: { requestId: reply.headers['x-request-id'], status: 202, runId: reply.json.id },
    });
  });
});
