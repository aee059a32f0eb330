import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FakeClock } from '@onevault/base/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Access } from '../../src/index.ts';
import { type AccessWorld, bearer, bodyAs, makeAccessWorld, type RawReply, type Somebody, sampleHandlers, send, signIn } from '../../testing/index.ts';

const nothing = { inventory: { vm: () => undefined }, catalog: { get: async () => undefined }, runs: { get: async () => Promise.reject(new Error('no run')) } };

let world: AccessWorld;
let clock: FakeClock;
let base: URL;
let alice: Somebody;
let admin: Somebody;
let count = 0;

beforeAll(async () => {
  clock = new FakeClock();
  world = await makeAccessWorld({ clock });
  await world.settings.setRole('alice', 'operator');
  base = (await world.serve(nothing, sampleHandlers())).url;
});
beforeEach(async () => {
  alice = await signIn(base, 'alice', 'alice-password');
  admin = await signIn(base, world.sim.user, world.sim.password);
});
afterAll(() => world[Symbol.asyncDispose]());

const create = (who: Somebody, facts: object = {}): Promise<RawReply> =>
  send(base, '/api/v1/tokens', {
    method: 'POST',
    headers: who.headers,
    body: { name: `token-${++count}`, role: 'viewer', expiresAt: new Date(clock.now().getTime() + 3_600_000).toISOString(), ...facts },
  });
const as = (secret: string, path = '/session', method = 'GET'): Promise<RawReply> => send(base, `/api/v1${path}`, { method, headers: bearer(secret).headers });

describe('an API token', () => {
  it('stands for its owner, with its own role, and needs no CSRF token', async () => {
    const { status, json } = await create(alice);
    expect({ status, owner: json.owner }).toEqual({ status: 201, owner: 'alice' });
    expect(await as(json.secret)).toMatchObject({ status: 200, json: { user: 'alice', role: 'viewer' } });
    expect(await as(json.secret, `/tokens/${json.id}`, 'DELETE')).toMatchObject({ status: 204 });
    expect((await as(json.secret)).status).toBe(401);
  });

  it('is at most what its owner is, when it is made and when it is used', async () => {
    expect(await create(alice, { role: 'admin' })).toMatchObject({ status: 403, json: { code: 'SERVER_FORBIDDEN' } });
    const { json } = await create(alice, { role: 'operator' });
    expect((await as(json.secret)).json.role).toBe('operator');
    await world.settings.setRole('alice', 'viewer');
    expect((await as(json.secret)).json.role).toBe('viewer');
    await world.settings.setRole('alice', 'operator');
  });

  it('is for the operations that it was made for, and never for making tokens', async () => {
    const { json } = await create(alice, { role: 'operator', operations: ['listVms'] });
    expect((await as(json.secret, '/vms')).status).toBe(200);
    expect(await as(json.secret, '/runs')).toMatchObject({ status: 403, json: { code: 'SERVER_FORBIDDEN' } });
    const { json: whole } = await create(alice, { role: 'operator' });
    expect(await create(bearer(whole.secret))).toMatchObject({ status: 403 });
    for (const operations of [['noSuchThing'], ['signIn'], ['createToken'], ['setRole']]) {
      expect(await create(alice, { role: 'operator', operations })).toMatchObject({ status: 400, json: { code: 'SERVER_REQUEST_INVALID' } });
    }
  });

  it('ends at its time, which is within a year', async () => {
    const { json } = await create(alice);
    clock.advance(3_600_001);
    expect((await as(json.secret)).status).toBe(401);
    alice = await signIn(base, 'alice', 'alice-password');
    for (const days of [-1, 367]) {
      expect((await create(alice, { expiresAt: new Date(clock.now().getTime() + days * 86_400_000).toISOString() })).status).toBe(400);
    }
  });

  it('is seen and ended by its owner and by administrators', async () => {
    const { json: ofAdmin } = await create(admin, { role: 'admin' });
    const { json: ofAlice } = await create(alice);
    const seen = async (who: Somebody): Promise<string[]> =>
      bodyAs<readonly { readonly id: string }[]>(await send(base, '/api/v1/tokens', { headers: who.headers })).map(({ id }) => id);
    expect(await seen(alice)).not.toContain(ofAdmin.id);
    expect(await seen(admin)).toEqual(expect.arrayContaining([ofAdmin.id, ofAlice.id]));
    const remove = (who: Somebody, id: string): Promise<RawReply> => send(base, `/api/v1/tokens/${id}`, { method: 'DELETE', headers: who.headers });
    const [foreign, missing] = [await remove(alice, ofAdmin.id), await remove(alice, '000')];
    expect(foreign).toMatchObject({ status: 404, json: { ...missing.json, requestId: expect.any(String) } });
    expect((await remove(admin, ofAlice.id)).status).toBe(204);
    expect((await as(ofAlice.secret)).status).toBe(401);
  });

  it('outlives a restart as a hash in a file that only its owner reads', async () => {
    const { json } = await create(alice);
    const path = join(world.directory, 'tokens.json');
    // There may be more _ in what is secret of it.
    const [, secret] = /^[^_]+_[^_]+_(.+)$/.exec(json.secret) ?? [];
    expect(secret?.length).toBeGreaterThan(40);
    expect(await readFile(path, 'utf8')).not.toContain(secret);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    using again = await Access.open(world.access.deps);
    expect(again.tokens.find(json.secret)).toMatchObject({ id: json.id, owner: 'alice' });
    expect(again.tokens.find(`${json.secret.slice(0, -1)}${json.secret.endsWith('A') ? 'B' : 'A'}`)).toBeUndefined();
  });

  it('is one of at most fifty, each with a name of its own', async () => {
    const { json } = await create(alice);
    expect(await create(alice, { name: json.name })).toMatchObject({ status: 409, json: { code: 'SERVER_SETTINGS_CONFLICT' } });
    let status = 201;
    for (let i = 0; status === 201 && i < 60; i++) ({ status } = await create(alice));
    expect(status).toBe(409);
    expect(world.access.tokens.list().filter(({ owner }) => owner === 'alice').length).toBe(50);
  });
});

describe('users', () => {
  it('are listed with the role they have and why, and when they last came', async () => {
    const { json } = await send(base, '/api/v1/users', { headers: admin.headers });
    expect(json).toEqual(
      expect.arrayContaining([
        { name: 'oneadmin', role: 'admin', because: 'oneadmin', lastSignInAt: expect.any(String) },
        { name: 'alice', role: 'operator', because: 'given', lastSignInAt: expect.any(String) },
      ]),
    );
  });

  it('get roles from an administrator, who does not change their own', async () => {
    const give = (user: string): Promise<RawReply> =>
      send(base, `/api/v1/users/${user}/role`, { method: 'PUT', body: { role: 'viewer' }, headers: admin.headers });
    expect((await give('oneadmin')).status).toBe(409);
    expect((await give('nobody-there')).status).toBe(404);
    expect((await give('alice')).status).toBe(204);
    expect((await send(base, '/api/v1/session', { headers: alice.headers })).status).toBe(401);
    expect((await world.audit.read({ limit: 1, matches: ({ action }) => action === 'setRole' }))[0]).toMatchObject({
      object: 'alice',
      outcome: 'ok',
      actor: { name: 'oneadmin' },
    });
  });

  it('read the audit log as administrators, newest first, and whether it holds', async () => {
    const records = bodyAs<readonly { readonly seq: number }[]>(await send(base, '/api/v1/audit?limit=2&actor=oneadmin', { headers: admin.headers }));
    expect(records).toHaveLength(2);
    expect(records[0]?.seq).toBeGreaterThan(records[1]?.seq ?? Number.NaN);
    expect(await send(base, '/api/v1/audit/verification', { headers: admin.headers })).toMatchObject({ status: 200, json: { records: expect.any(Number) } });
  });
});
