import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AccessWorld, makeAccessWorld, type RawReply, sampleHandlers, send } from '../../testing/index.ts';

const objects = { inventory: { vm: () => undefined }, catalog: { get: async () => undefined }, runs: { get: async () => Promise.reject(new Error('none')) } };
let world: AccessWorld;
let root: string;
let base: URL;

beforeAll(async () => {
  world = await makeAccessWorld();
  root = await mkdtemp(join(tmpdir(), 'onevault-web-'));
  await mkdir(join(root, 'dist/assets'), { recursive: true });
  await writeFile(join(root, 'secret.txt'), 'not for you');
  await writeFile(join(root, 'dist/.hidden.txt'), 'not for you');
  await writeFile(join(root, 'dist/index.html'), '<meta nonce="__ONEVAULT_CSP_NONCE__"><script nonce="__ONEVAULT_CSP_NONCE__"></script>');
  await writeFile(join(root, 'dist/assets/index-abc123.js'), 'x'.repeat(5000));
  base = (await world.serve(objects, sampleHandlers(), { webRoot: join(root, 'dist') })).url;
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

describe('the web UI', () => {
  it('is a page with a nonce of its own each time, for every address that a page may have', async () => {
    const pages: RawReply[] = [];
    for (const path of ['/', '/index.html', '/vms/17?tab=points', '/policies/nightly']) pages.push(await send(base, path));
    const nonces = pages.map(({ status, text, headers }) => {
      const [, nonce = ''] = /nonce="([^"]+)"/.exec(text) ?? [];
      expect(status).toBe(200);
      expect(headers['content-security-policy']).toContain(`style-src 'self' 'nonce-${nonce}'`);
      expect(headers['cache-control']).toBe('no-cache');
      return nonce;
    });
    expect(new Set(nonces).size).toBe(4);
  });

  it('has files that are kept for ever, compressed where the client can', async () => {
    const plain = await send(base, '/assets/index-abc123.js');
    expect(plain).toMatchObject({
      status: 200,
      text: 'x'.repeat(5000),
      headers: { 'cache-control': 'public, max-age=31536000, immutable', 'content-type': 'text/javascript; charset=utf-8' },
    });
    const answer = await fetch(new URL('/assets/index-abc123.js', base), { headers: { 'accept-encoding': 'gzip' } });
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    expect(await answer.text()).toBe(plain.text);
    expect((await send(base, '/assets/index-abc123.js', { headers: { 'accept-encoding': 'gzip;q=0' } })).headers['content-encoding']).toBeUndefined();
    expect((await send(base, '/assets/index-abc123.js', { headers: { 'if-none-match': String(plain.headers['etag']) } })).status).toBe(304);
  });

  it.each([
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/..%2fsecret.txt',
    '/%2e%2e/secret.txt',
    '/assets/..%5c..%5csecret.txt',
    '//secret.txt',
    '/.hidden.txt',
    '/assets/%00.js',
    '/%zz',
    '/etc/passwd.txt',
  ])('gives nothing for %s', async (path) => {
    const { status, text } = await send(base, path);
    expect([400, 404]).toContain(status);
    expect(text).not.toContain('not for you');
  });

  it('does not stand in for an operation that is not there', async () => {
    expect(await send(base, '/api/v1/nothing')).toMatchObject({ status: 404, json: { code: 'SERVER_NOT_FOUND' } });
  });
});
