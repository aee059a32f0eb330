import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FakeApi } from './fake-api.ts';
import type { FakeOptions } from './fake-state.ts';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const NONCE = 'bm9uY2Utb2YtdGVzdHM';
/** As strict as the real server's: what breaks under it must break in tests. */
const POLICY = [
  "default-src 'none'",
  `script-src 'self' 'nonce-${NONCE}'`,
  `style-src 'self' 'nonce-${NONCE}'`,
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

export interface FakeServer extends AsyncDisposable {
  readonly url: string;
  readonly api: FakeApi;
}

/** The built pages over the fake API, as the real server serves them: a page for every address, a fresh nonce's place, a strict CSP. */
export async function startFakeServer(options: FakeOptions = {}): Promise<FakeServer> {
  const api = new FakeApi(options);
  const server = createServer((request, response) => {
    void api.handle(request, response).then(async (handled) => {
      if (handled) return;
      const { pathname } = new URL(request.url ?? '/', 'http://fake');
      const file = extname(pathname) === '' ? 'index.html' : normalize(pathname);
      const body = await readFile(join(DIST, file)).catch(() => undefined);
      if (body === undefined) return void response.writeHead(404).end();
      const type = TYPES[extname(file)] ?? 'application/octet-stream';
      const text = file === 'index.html' ? body.toString().replaceAll('__ONEVAULT_CSP_NONCE__', NONCE) : body;
      response.writeHead(200, { 'content-type': type, 'content-security-policy': POLICY, 'x-content-type-options': 'nosniff' }).end(text);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    api,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}
