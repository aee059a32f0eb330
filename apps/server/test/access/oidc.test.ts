import { createHash, createSign, generateKeyPairSync } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '@onevault/base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OidcSignIn } from '../../src/index.ts';
import { type AccessWorld, makeAccessWorld, type RawReply, sampleHandlers, send } from '../../testing/index.ts';

const objects = { inventory: { vm: () => undefined }, catalog: { get: async () => undefined }, runs: { get: async () => Promise.reject(new Error('none')) } };
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** An OpenID provider that signs in whoever comes, as whom the test wants. */
class Provider {
  readonly #server: Server;
  claims: Record<string, unknown> = {};
  issuer = '';
  challenge = '';
  nonce = '';
  verifierFits = false;

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.issuer = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const json = (body: unknown): void => void response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    if (request.url?.startsWith('/.well-known')) {
      json({
        issuer: this.issuer,
        authorization_endpoint: `${this.issuer}/authorize`,
        token_endpoint: `${this.issuer}/token`,
        jwks_uri: `${this.issuer}/keys`,
        response_types_supported: ['code'],
        id_token_signing_alg_values_supported: ['RS256'],
      });
    } else if (request.url === '/keys') json({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'RS256', use: 'sig' }] });
    else {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      const verifier = new URLSearchParams(body).get('code_verifier') ?? '';
      this.verifierFits = createHash('sha256').update(verifier).digest('base64url') === this.challenge;
      json({ access_token: 'a', token_type: 'Bearer', id_token: this.#idToken() });
    }
  }

  #idToken(): string {
    const now = Math.floor(systemClock.now().getTime() / 1000);
    const payload = { iss: this.issuer, aud: 'onevault', sub: '1', iat: now, exp: now + 60, nonce: this.nonce, ...this.claims };
    const parts = [{ alg: 'RS256', kid: 'k' }, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    return `${parts}.${createSign('RSA-SHA256').update(parts).sign(privateKey, 'base64url')}`;
  }
}

let provider: Provider;
/** The cloud that the provider's users are looked up in. */
let plain: AccessWorld;
let world: AccessWorld;
let base: URL;

beforeAll(async () => {
  provider = new Provider();
  await provider.listen();
  plain = await makeAccessWorld();
  const oidc = new OidcSignIn({ issuer: new URL(provider.issuer), clientId: 'onevault', name: 'the company' }, plain.access.deps);
  world = await makeAccessWorld({ access: { oidc, cloud: plain.cloud } });
  base = (await world.serve(objects, sampleHandlers())).url;
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await plain[Symbol.asyncDispose]();
  provider.close();
});

const cookieOf = (reply: RawReply, name: string): string =>
  [reply.headers['set-cookie']]
    .flat()
    .find((one) => one?.startsWith(`${name}=`))
    ?.split(';', 1)[0] ?? '';

/** Goes to the provider and comes back with its answer. */
async function goThere(claims: Record<string, unknown>, changed: Readonly<Record<string, string>> = {}): Promise<RawReply> {
  const start = await send(base, '/oidc/start');
  const to = new URL(String(start.headers['location']));
  expect(start.status).toBe(303);
  expect(Object.fromEntries(to.searchParams)).toMatchObject({
    client_id: 'onevault',
    code_challenge_method: 'S256',
    redirect_uri: new URL('/oidc/callback', base).href,
  });
  Object.assign(provider, { claims, challenge: to.searchParams.get('code_challenge'), nonce: to.searchParams.get('nonce') });
  const query = new URLSearchParams({ code: 'c', state: to.searchParams.get('state') ?? '', ...changed });
  return send(base, `/oidc/callback?${query}`, { headers: { cookie: cookieOf(start, 'onevault_oidc') } });
}

describe('signing in through an OpenID provider', () => {
  it('is offered', async () => {
    expect((await send(base, '/api/v1/session/options')).json).toEqual({ password: true, oidc: { name: 'the company', startPath: '/oidc/start' } });
  });

  it('gives a session to the user of OpenNebula whom the claim names', async () => {
    const back = await goThere({ preferred_username: 'alice' });
    expect(back).toMatchObject({ status: 303, headers: { location: '/' } });
    expect(provider.verifierFits).toBe(true);
    const who = await send(base, '/api/v1/session', { headers: { cookie: cookieOf(back, 'onevault_session') } });
    expect(who).toMatchObject({ status: 200, json: { user: 'alice', role: 'viewer' } });
    expect((await world.audit.read({ limit: 1 }))[0]).toMatchObject({ action: 'signIn', object: 'oidc', outcome: 'ok', actor: { name: 'alice' } });
  });

  it('is refused to whom OpenNebula does not know, to another state or nonce, and to who did not set out from here', async () => {
    const refused = { status: 401, json: { code: 'SERVER_SIGN_IN_FAILED' } };
    expect(await goThere({ preferred_username: 'nobody' })).toMatchObject(refused);
    expect(await goThere({})).toMatchObject(refused);
    expect(await goThere({ preferred_username: 'alice' }, { state: 'another' })).toMatchObject(refused);
    expect(await goThere({ preferred_username: 'alice', nonce: 'another' })).toMatchObject(refused);
    expect(await goThere({ preferred_username: 'alice', aud: 'another' })).toMatchObject(refused);
    expect(await send(base, '/oidc/callback?code=c&state=s')).toMatchObject(refused);
    expect((await world.audit.read({ limit: 1 }))[0]).toMatchObject({ action: 'signIn', outcome: 'refused' });
  });

  it('fills no audit log: who comes back from nowhere again and again is written down some times, and then asked to wait', async () => {
    const before = world.audit.head()?.seq ?? 0;
    const statuses: number[] = [];
    for (let i = 0; i < 100; i++) statuses.push((await send(base, `/oidc/callback?code=${i}&state=s`)).status);
    expect(statuses.at(-1)).toBe(429);
    expect((world.audit.head()?.seq ?? 0) - before).toBeLessThanOrEqual(60);
  });
});
