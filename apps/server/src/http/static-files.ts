import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, extname, join, relative, sep } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { pagePolicy } from './security-headers.ts';

interface StaticFile {
  readonly bytes: Buffer;
  readonly gzip: Buffer | undefined;
  readonly type: string;
  readonly etag: string;
  readonly isHashed: boolean;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.txt': 'text/plain; charset=utf-8',
};

/** What the page has in the place of its nonce (`html.cspNonce` of Vite). */
const NONCE_MARK = '__ONEVAULT_CSP_NONCE__';
const MAX_BYTES = 64 * 1024 * 1024;

/** Where the built web UI is, when its package is installed. */
export function findWebRoot(): string | undefined {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('@onevault/web/package.json')), 'dist');
  } catch {
    return undefined;
  }
}

/**
 * Serves the web UI from memory: everything there is was read at the start, so that no address can name another file. Every other page address gets the
 * application, which knows its own pages.
 */
export async function addStaticFiles(app: FastifyInstance, root: string, newNonce: () => string): Promise<boolean> {
  const files = await readAll(root);
  const index = files.get('/index.html')?.bytes.toString('utf8');
  if (index === undefined) return false;
  const page = (_request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const nonce = newNonce();
    return reply
      .header('content-security-policy', pagePolicy(nonce))
      .header('cache-control', 'no-cache')
      .type('text/html; charset=utf-8')
      .send(index.replaceAll(NONCE_MARK, nonce));
  };
  for (const [path, file] of files) {
    if (path !== '/index.html') app.get(path, (request, reply) => sendFile(file, request, reply));
  }
  app.get('/', page);
  app.get('/index.html', page);
  // Page addresses have no dot in their last part: what looks like a file and is none is not there.
  app.get('/*', (request, reply) => (/\.[^/]*$/.test(pathOf(request)) || pathOf(request).startsWith('/api') ? reply.callNotFound() : page(request, reply)));
  return true;
}

const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0] ?? '';

function sendFile(file: StaticFile, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  void reply
    .header('etag', file.etag)
    .header('vary', 'accept-encoding')
    .header('cache-control', file.isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
    .type(file.type);
  if (request.headers['if-none-match'] === file.etag) return reply.code(304).send();
  const takesGzip = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:\s*(?:,|$)))/.test(request.headers['accept-encoding'] ?? '');
  if (file.gzip !== undefined && takesGzip) return reply.header('content-encoding', 'gzip').send(file.gzip);
  return reply.send(file.bytes);
}

async function readAll(root: string): Promise<ReadonlyMap<string, StaticFile>> {
  const files = new Map<string, StaticFile>();
  let total = 0;
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const type = TYPES[extname(entry.name)];
    if (!entry.isFile() || type === undefined || entry.name.startsWith('.')) continue;
    const at = join(entry.parentPath, entry.name);
    const bytes = await readFile(at);
    total += bytes.length;
    if (total > MAX_BYTES) throw new RangeError(`the web UI in ${root} has more than ${MAX_BYTES} bytes`);
    const gzip = bytes.length > 1024 && /text|json|svg/.test(type) ? gzipSync(bytes) : undefined;
    const path = `/${relative(root, at).split(sep).join('/')}`;
    const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
    files.set(path, { bytes, gzip, type, etag, isHashed: path.startsWith('/assets/') });
  }
  return files;
}
