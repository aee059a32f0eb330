import { cp, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { type Clock, systemClock } from '@onevault/base';
import { describeWith, requiresCommand } from '@onevault/base/testing';
import { type AccessWorld, makeAccessWorld, sampleHandlers } from '@onevault/server/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { testCertificates } from '../support/test-certificates.ts';

const objects = { inventory: { vm: () => undefined }, catalog: { get: async () => undefined }, runs: { get: async () => Promise.reject(new Error('none')) } };
/** The server looks at its files every half minute: here that is no time. */
const clock: Clock = { ...systemClock, sleep: (ms, options) => systemClock.sleep(ms / 1000, options) };

let world: AccessWorld;
let directory: string;
let files: { readonly certFile: string; readonly keyFile: string };

interface Secured {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly serial: string;
  readonly cookie: string;
}

async function signInOver(url: URL): Promise<Secured> {
  const ca = await readFile(join(directory, 'ca-cert.pem'));
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: 'localhost', port: url.port, path: '/api/v1/session', method: 'POST', ca, agent: false, headers: { 'content-type': 'application/json' } },
      (response) => {
        const { serialNumber } = (response.socket as TLSSocket).getPeerCertificate();
        response.resume().on('end', () => resolve({ headers: response.headers, serial: serialNumber, cookie: String(response.headers['set-cookie']) }));
      },
    );
    sent.on('error', reject);
    sent.end(JSON.stringify({ user: 'alice', password: 'alice-password' }));
  });
}

describeWith([requiresCommand('openssl', 'apt-get install openssl')], 'over TLS', () => {
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'onevault-tls-'));
    await testCertificates(directory);
    files = { certFile: join(directory, 'used-cert.pem'), keyFile: join(directory, 'used-key.pem') };
    await use('server');
    world = await makeAccessWorld({ clock });
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  async function use(name: string): Promise<void> {
    await cp(join(directory, `${name}-cert.pem`), files.certFile);
    await cp(join(directory, `${name}-key.pem`), files.keyFile);
  }

  it('a browser is told to stay with it, and its cookie goes nowhere else', async () => {
    const { url } = await world.serve(objects, sampleHandlers(), { host: '0.0.0.0', tls: files });
    const { headers, cookie } = await signInOver(url);
    expect(headers['strict-transport-security']).toBe('max-age=31536000');
    expect(cookie).toContain('; Secure');
  });

  it('a renewed certificate is taken without a restart, and one that is no good is not', async () => {
    const server = await world.serve(objects, sampleHandlers(), { tls: files });
    const { serial } = await signInOver(server.url);
    await writeFile(files.certFile, 'rubbish');
    await server.reload();
    expect((await signInOver(server.url)).serial).toBe(serial);
    await testCertificates(directory);
    await use('server');
    await utimes(files.certFile, new Date(), new Date());
    await expect.poll(async () => (await signInOver(server.url).catch(() => ({ serial }))).serial, { timeout: 10_000 }).not.toBe(serial);
  });

  it('a certificate and the key of another are refused at the start', async () => {
    const mixed = { certFile: join(directory, 'server-cert.pem'), keyFile: join(directory, 'client-key.pem') };
    await expect(world.serve(objects, sampleHandlers(), { tls: mixed })).rejects.toMatchObject({ code: 'SERVER_LISTEN_REFUSED' });
    await expect(world.serve(objects, sampleHandlers(), { tls: { ...mixed, certFile: '/nowhere' } })).rejects.toMatchObject({ code: 'SERVER_LISTEN_REFUSED' });
  });
});
