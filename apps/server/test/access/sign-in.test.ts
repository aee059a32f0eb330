import { FakeClock } from '@onevault/base/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SignInLimits } from '../../src/access/sign-in-limits.ts';
import { type AccessWorld, makeAccessWorld, type RawReply, sampleHandlers, send, signIn } from '../../testing/index.ts';

const SESSION = '/api/v1/session';
const ALICE = { user: 'alice', password: 'alice-password' };
const nothing = { inventory: { vm: () => undefined }, catalog: { get: async () => undefined }, runs: { get: async () => Promise.reject(new Error('no run')) } };

let world: AccessWorld;
let clock: FakeClock;
let base: URL;

beforeAll(async () => {
  clock = new FakeClock();
  world = await makeAccessWorld({ clock, roles: { roles: { oneadmin: 'admin' }, defaultRole: 'viewer' } });
  base = (await world.serve(nothing, sampleHandlers())).url;
});
afterAll(() => world[Symbol.asyncDispose]());

const trySignIn = (body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<RawReply> => send(base, SESSION, { method: 'POST', body, headers });
const whoAmI = (headers: Readonly<Record<string, string>>): Promise<RawReply> => send(base, SESSION, { headers });

describe('signing in', () => {
  it('with the password of OpenNebula gives a session in a cookie that scripts and other sites do not get', async () => {
    const reply = await trySignIn(ALICE);
    expect(reply).toMatchObject({ status: 200, json: { user: 'alice', groups: ['users'], role: 'viewer', version: '1.2.3' } });
    expect(String(reply.headers['set-cookie'])).toMatch(/^onevault_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure; Expires=/);
    const [cookie = ''] = String(reply.headers['set-cookie']).split(';', 1);
    expect(await whoAmI({ cookie })).toMatchObject({ status: 200, json: { user: 'alice', csrfToken: reply.json.csrfToken } });
  });

  it('with a login token that is good for one group gives the rights of that group and ends with the token', async () => {
    const { userId } = await world.sim.control.createUser({ name: 'grace', password: 'grace-password', group: 'oneadmin' });
    const expires = Math.floor(clock.now().getTime() / 1000) + 3600;
    const scoped = await makeAccessWorld({
      clock,
      access: { verify: async (user) => ({ userId, user, groupIds: [1], groupScope: 1, notAfter: new Date(expires * 1000) }), cloud: world.cloud },
    });
    await using _scoped = scoped;
    const { url } = await scoped.serve(nothing, sampleHandlers());
    const { json } = await send(url, SESSION, { method: 'POST', body: { user: 'grace', password: 'token' } });
    expect(json).toMatchObject({ role: 'viewer', groups: ['users'], expiresAt: new Date(expires * 1000).toISOString() });
  });

  it('says the same of a wrong password, of a user that is not there, and of one who has no role', async () => {
    world.settings.set({ defaultRole: 'none' });
    const replies = [await trySignIn({ user: 'carol', password: 'x' }), await trySignIn({ user: 'alice', password: 'x' }), await trySignIn(ALICE)];
    world.settings.set({ defaultRole: 'viewer' });
    for (const { status, json } of replies) expect({ ...json, requestId: '', status }).toEqual({ ...replies[0]?.json, requestId: '', status: 401 });
  });

  it('takes no name that smuggles another secret into the session string', async () => {
    expect((await trySignIn({ user: 'alice:alice-password', password: 'x' })).status).toBe(401);
    expect((await trySignIn({ user: 'alice\noneadmin', password: 'x' })).status).toBe(401);
  });

  it('is written down, also when refused, with no password and no name that nobody has', async () => {
    await trySignIn(ALICE);
    await trySignIn({ user: 'alice', password: 'sesame-typed-wrong' });
    await trySignIn({ user: 'my-password-in-the-wrong-field', password: 'sesame' });
    const records = await world.audit.read({ limit: 3 });
    expect(records.map(({ actor, outcome }) => [actor.kind, actor.name, outcome])).toEqual([
      ['anonymous', 'unknown user', 'refused'],
      ['anonymous', 'alice', 'refused'],
      ['user', 'alice', 'ok'],
    ]);
    expect(JSON.stringify(await world.audit.read({ limit: 500 }))).not.toMatch(/sesame|wrong-field|alice-password/);
  });

  it('from a page of another site is refused', async () => {
    for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }]) {
      expect(await trySignIn(ALICE, headers)).toMatchObject({ status: 403, json: { code: 'SERVER_CSRF' } });
    }
    expect((await trySignIn(ALICE, { origin: base.origin })).status).toBe(200);
  });

  it('to a name that somebody has pointed at loopback is refused', async () => {
    expect(await trySignIn(ALICE, { host: 'evil.example' })).toMatchObject({ status: 403, json: { code: 'SERVER_FORBIDDEN' } });
  });
});

describe('a session', () => {
  it('changes something only with its CSRF token', async () => {
    const { headers, cookie } = await signIn(base, ALICE.user, ALICE.password);
    const body = { name: 'mine', role: 'viewer', expiresAt: new Date(clock.now().getTime() + 60_000).toISOString() };
    for (const given of [{ cookie }, { cookie, 'x-csrf-token': 'a'.repeat(43) }, { ...headers, origin: 'https://evil.example' }]) {
      expect(await send(base, '/api/v1/tokens', { method: 'POST', body, headers: given })).toMatchObject({ status: 403, json: { code: 'SERVER_CSRF' } });
    }
    expect((await send(base, '/api/v1/tokens', { method: 'POST', body, headers })).status).toBe(201);
  });

  it('ends when it is signed out', async () => {
    const { headers } = await signIn(base, ALICE.user, ALICE.password);
    const out = await send(base, SESSION, { method: 'DELETE', headers });
    expect(out.status).toBe(204);
    expect(String(out.headers['set-cookie'])).toMatch(/^onevault_session=; .*Expires=Thu, 01 Jan 1970/);
    expect(await whoAmI(headers)).toMatchObject({ status: 401, json: { code: 'SERVER_NOT_SIGNED_IN' } });
  });

  it('ends when its user gets another role', async () => {
    const { headers } = await signIn(base, ALICE.user, ALICE.password);
    await world.settings.setRole('alice', 'operator');
    expect((await whoAmI(headers)).status).toBe(401);
    world.settings.set({ roles: { oneadmin: 'admin' } });
  });

  it('ends when nothing is asked for half an hour, and after half a day in any case', async () => {
    const idle = await signIn(base, ALICE.user, ALICE.password);
    clock.advance(30 * 60_000 + 1);
    expect((await whoAmI(idle.headers)).status).toBe(401);
    const busy = await signIn(base, ALICE.user, ALICE.password);
    for (let minutes = 0; minutes < 700; minutes += 20) {
      expect((await whoAmI(busy.headers)).status).toBe(200);
      clock.advance(20 * 60_000);
    }
    clock.advance(20 * 60_000);
    expect((await whoAmI(busy.headers)).status).toBe(401);
  });

  it('ends within a minute when OpenNebula has no such user any more', async () => {
    const gone = new Set<number>();
    const cloud = {
      ...world.cloud,
      user: async (id: number) => (gone.has(id) ? { ...(await world.cloud.user(id)), xml: '<USER><ENABLED>0</ENABLED></USER>' } : world.cloud.user(id)),
    };
    const other = await makeAccessWorld({ clock, access: { cloud, verify: world.access.deps.verify } });
    await using _other = other;
    const { url } = await other.serve(nothing, sampleHandlers());
    const { headers, cookie } = await signIn(url, ALICE.user, ALICE.password);
    gone.add((await send(url, SESSION, { headers: { cookie } })).json.userId);
    expect((await send(url, SESSION, { headers })).status).toBe(200);
    clock.advance(60_001);
    expect((await send(url, SESSION, { headers })).status).toBe(401);
  });
});

describe('guessing', () => {
  it('has to wait longer and longer, without asking OpenNebula, and locks out nobody else', () => {
    const limits = new SignInLimits(clock);
    const guesser = { user: 'alice', address: '10.0.0.66' };
    const waits = Array.from({ length: 16 }, () => {
      limits.failed(guesser);
      const waitMs = limits.waitMs(guesser);
      clock.advance(waitMs);
      return waitMs / 1000;
    });
    expect(waits).toEqual([0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
    limits.failed(guesser);
    expect(limits.waitMs(guesser)).toBe(900_000);
    expect(limits.waitMs({ user: 'ALICE', address: '10.0.0.66' })).toBe(900_000);
    expect(limits.waitMs({ user: 'alice', address: '10.0.0.7' })).toBe(0);
    expect(limits.waitMs({ user: 'bob', address: '10.0.0.66' })).toBe(0);
  });

  it('at many users from one address slows that address, but not who has signed in from there before', () => {
    const limits = new SignInLimits(clock);
    const address = '10.0.0.66';
    limits.succeeded({ user: 'bob', address });
    for (let user = 0; user < 40; user++) limits.failed({ user: `user-${user}`, address });
    expect(limits.waitMs({ user: 'carol', address })).toBeGreaterThan(100_000);
    expect(limits.waitMs({ user: 'bob', address })).toBe(0);
  });

  it('at one user from many addresses slows newcomers a little, and not who has signed in from their address before', () => {
    const limits = new SignInLimits(clock);
    const guess = (n: number) => ({ user: 'erin', address: `10.1.${n >> 8}.${n & 255}` });
    limits.succeeded({ user: 'erin', address: '10.0.0.7' });
    for (let n = 0; n < 100; n++) limits.failed(guess(n));
    expect(limits.waitMs(guess(1000))).toBe(0);
    let guesses = 0;
    for (let n = 100, leftMs = 3_600_000; leftMs > 0; n++, guesses++) {
      const waitMs = limits.waitMs(guess(n));
      clock.advance(waitMs);
      limits.failed(guess(n));
      leftMs -= Math.max(1, waitMs);
    }
    expect(guesses).toBeLessThan(400);
    expect(limits.waitMs({ user: 'erin', address: '10.0.0.7' })).toBe(0);
    expect(limits.waitMs({ user: 'erin', address: '10.9.9.9' })).toBeLessThanOrEqual(10_000);
    expect(limits.waitMs({ user: 'frank', address: '10.9.9.9' })).toBe(0);
  });

  it('from one network of IPv6 is guessing from one address', async () => {
    const { access } = world;
    const attempt = (n: number) => ({ user: 'grace', address: `2001:db8:1:2::${n.toString(16)}` });
    const tried: string[] = [];
    for (let n = 1; n <= 6; n++) {
      await access.signingIn
        .withPassword(attempt(n), 'guess', new AbortController().signal)
        .catch((error: { readonly code: string }) => tried.push(error.code));
    }
    expect(tried.slice(0, 4)).toEqual(Array(4).fill('SERVER_SIGN_IN_FAILED'));
    expect(tried.slice(4)).toEqual(Array(2).fill('SERVER_TOO_MANY_REQUESTS'));
  });

  it('answers 429 with the seconds to wait', async () => {
    const guess = { user: 'oneadmin', password: 'guess' };
    for (let i = 0; i < 4; i++) expect((await trySignIn(guess)).status).toBe(401);
    const reply = await trySignIn({ user: 'oneadmin', password: world.sim.password });
    expect(reply).toMatchObject({ status: 429, json: { code: 'SERVER_TOO_MANY_REQUESTS' }, headers: { 'retry-after': '1' } });
    expect((await trySignIn(ALICE)).status).toBe(200);
  });
});
