import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { ANYBODY, bearer, type RawReply, send, signIn } from '@onevault/server/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

const MIB = 1024 * 1024;
const USERS = 50;
const STREAMS = { perUser: 20, total: 400 };
/** Of everything the server holds while it is abused. */
const MOST_RSS_MIB = 400;

let child: ChildProcess;
let base: URL;
let secrets: readonly string[];
let atRestMiB: number;
let highestMiB = 0;

async function ask(what: 'rss' | 'audit'): Promise<{ readonly rssBytes: number; readonly records: number }> {
  child.send(what);
  const [answer] = await once(child, 'message');
  return answer as { rssBytes: number; records: number };
}

async function rssMiB(): Promise<number> {
  const now = Math.round((await ask('rss')).rssBytes / MIB);
  highestMiB = Math.max(highestMiB, now);
  return now;
}

beforeAll(async () => {
  const limits = {
    headersMs: 2_500,
    requestMs: 4_000,
    streamsPerUser: STREAMS.perUser,
    streams: STREAMS.total,
    connections: 1_500,
    perAddressPerMinute: 20_000,
    heartbeatMs: 5_000,
    eventLoopDelayMs: 0,
  };
  const program = fileURLToPath(new URL('../support/http-server-process.mjs', import.meta.url));
  child = fork(program, [JSON.stringify({ users: USERS, limits })], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const [begun] = (await once(child, 'message')) as [{ url: string; secrets: string[] }];
  base = new URL(begun.url);
  ({ secrets } = begun);
  atRestMiB = await rssMiB();
}, 60_000);
afterAll(() => {
  child?.disconnect();
  process.stdout.write(`abuse: ${atRestMiB} MiB at rest, ${highestMiB} MiB at most\n`);
});
afterEach(async () => {
  expect(child.exitCode).toBeNull();
  expect((await send(base, '/healthz')).status).toBe(200);
  expect(await rssMiB()).toBeLessThan(MOST_RSS_MIB);
});

/** Sends bytes as they are and answers all that comes back, until the server closes the connection. */
async function raw(bytes: string, { keepOpen = true }: { readonly keepOpen?: boolean } = {}): Promise<string> {
  const socket = connect(Number(base.port), base.hostname);
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => undefined);
  socket.write(bytes, 'latin1');
  if (!keepOpen) socket.end();
  await once(socket, 'close');
  return text;
}

const head = (...lines: readonly string[]): string => `${lines.join('\r\n')}\r\n\r\n`;
const api = (path: string, secret = secrets[0] ?? ''): readonly string[] => [
  `POST /api/v1${path} HTTP/1.1`,
  `Host: ${base.host}`,
  `Authorization: Bearer ${secret}`,
];
const SMUGGLED = 'GET /api/v1/session HTTP/1.1\r\nHost: x\r\n\r\n';

describe('a server that is abused', () => {
  it.each([
    ['no HTTP at all', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 rubbish\r\n\r\n'],
    ['a line without end', () => `GET /${'a'.repeat(100_000)}`],
    ['a header of 64 KiB', () => head('GET / HTTP/1.1', 'Host: x', `X-Big: ${'a'.repeat(65_536)}`)],
    ['ten thousand headers', () => head('GET / HTTP/1.1', 'Host: x', ...Array.from({ length: 10_000 }, (_, i) => `X-${i}: 1`))],
    ['a header with a line break in it', () => head('GET / HTTP/1.1', 'Host: x', 'X-A: b\rX-C: d')],
    ['two lengths', () => `${head(...api('/runs'), 'Content-Type: application/json', 'Content-Length: 2', 'Content-Length: 60')}{}${SMUGGLED}`],
    [
      'a length and chunks',
      () => `${head(...api('/runs'), 'Content-Type: application/json', 'Content-Length: 4', 'Transfer-Encoding: chunked')}0\r\n\r\n${SMUGGLED}`,
    ],
    ['chunks that are disguised', () => `${head(...api('/runs'), 'Content-Type: application/json', 'Transfer-Encoding: xchunked')}0\r\n\r\n${SMUGGLED}`],
    ['chunks twice', () => `${head(...api('/runs'), 'Content-Type: application/json', 'Transfer-Encoding: chunked, identity')}0\r\n\r\n${SMUGGLED}`],
    ['a space before the colon', () => `${head(...api('/runs'), 'Content-Type: application/json', 'Content-Length : 60')}${SMUGGLED}`],
    [
      'a chunk size that is none',
      () => `${head(...api('/runs'), 'Content-Type: application/json', 'Transfer-Encoding: chunked')}zz\r\n{}\r\n0\r\n\r\n${SMUGGLED}`,
    ],
  ])('refuses %s, once, and closes', async (_what, bytes) => {
    const answer = await raw(bytes());
    const statuses = [...answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status));
    expect(statuses.length).toBeLessThanOrEqual(1);
    for (const status of statuses) expect([400, 408, 413, 431]).toContain(status);
  });

  it('reads no body of more than it takes, whether its length is said or not', async () => {
    const headers = { ...bearer(secrets[0] ?? '').headers, 'content-type': 'application/json' };
    const said = await raw(head(...api('/runs'), 'Content-Type: application/json', 'Content-Length: 1000000000'));
    expect(said).toMatch(/^HTTP\/1\.1 413/);
    const chunk = `${(65_536).toString(16)}\r\n${' '.repeat(65_536)}\r\n`;
    const unsaid = await raw(`${head(...api('/runs'), 'Content-Type: application/json', 'Transfer-Encoding: chunked')}${chunk.repeat(64)}`);
    expect(unsaid).toMatch(/^HTTP\/1\.1 413|^$/);
    const deep = await send(base, '/api/v1/policy-previews', {
      method: 'POST',
      headers,
      body: `{"kind":"backup","name":"deep","x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    });
    expect([200, 400]).toContain(deep.status);
  });

  it('waits for nobody who sends slowly', async () => {
    const sockets = Array.from({ length: 200 }, (_, i) => {
      const socket = connect(Number(base.port), base.hostname);
      socket.on('error', () => undefined);
      socket.resume();
      // Half of them never finish their headers, the others never their body.
      socket.write(i % 2 === 0 ? 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ' : head(...api('/runs'), 'Content-Type: application/json', 'Content-Length: 100'));
      return socket;
    });
    const closed = sockets.map((socket) => once(socket, 'close'));
    const drip = setInterval(() => {
      for (const socket of sockets) if (socket.writable) socket.write('a');
    }, 100);
    await Promise.all(closed);
    clearInterval(drip);
  });

  it('has room for so many event streams of one user and of all, and serves others while a thousand are asked for', async () => {
    const streams = await Promise.all(Array.from({ length: 1_000 }, (_, i) => openStream(secrets[i % USERS] ?? '')));
    const statuses = streams.map(({ statusCode }) => statusCode);
    expect(statuses.filter((status) => status === 200)).toHaveLength(STREAMS.total);
    expect(statuses.filter((status) => status === 503 || status === 429)).toHaveLength(1_000 - STREAMS.total);
    expect((await send(base, '/api/v1/session', { headers: bearer(secrets[0] ?? '').headers })).status).toBe(200);
    process.stdout.write(`abuse: ${await rssMiB()} MiB with ${STREAMS.total} event streams\n`);
    for (const stream of streams) stream.destroy();
    await expect.poll(async () => closing(await openStream(secrets[0] ?? '')).statusCode, { timeout: 10_000 }).toBe(200);
    // Again and again: the server may not have seen yet that streams of before are gone.
    const refused = async (): Promise<number> => {
      const own: IncomingMessage[] = [];
      for (let i = 0; i < STREAMS.perUser + 5; i++) own.push(await openStream(secrets[1] ?? ''));
      for (const stream of own) stream.destroy();
      return own.filter(({ statusCode }) => statusCode === 429).length;
    };
    await expect.poll(refused).toBe(5);
  });

  it('lets nobody guess passwords, and still lets others in', async () => {
    const guess = (user: string): Promise<RawReply> => send(base, '/api/v1/session', { method: 'POST', body: { user, password: 'guess' } });
    const statuses: number[] = [];
    for (let i = 0; i < 100; i++) statuses.push((await guess('user-3')).status);
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(6);
    expect(statuses.at(-1)).toBe(429);
    await expect(signIn(base, 'user-3', 'password-3')).rejects.toThrow('429');
    await expect(signIn(base, 'user-4', 'password-4')).resolves.toBeDefined();
  });

  it('answers a flood of strangers with less and less, and writes down no more than that', async () => {
    const { records: before } = await ask('audit');
    const replies = await Promise.all(Array.from({ length: 400 }, () => send(base, '/api/v1/runs', { method: 'POST', headers: ANYBODY.headers, body: {} })));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([401, 429]));
    expect((await ask('audit')).records - before).toBeLessThan(100);
  });

  it('drops connections beyond those it can hold, and goes on', async () => {
    const sockets: Socket[] = Array.from({ length: 2_000 }, () => connect(Number(base.port), base.hostname).on('error', () => undefined));
    await expect.poll(() => sockets.filter((socket) => socket.destroyed || socket.readyState === 'closed').length, { timeout: 15_000 }).toBeGreaterThan(100);
    for (const socket of sockets) socket.destroy();
    await expect.poll(async () => (await send(base, '/healthz').catch(() => ({ status: 0 }))).status, { timeout: 10_000 }).toBe(200);
  });
});

function openStream(secret: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get({ host: base.hostname, port: base.port, path: '/api/v1/events', agent: false, headers: bearer(secret).headers }, resolve).on('error', reject);
  });
}

function closing(stream: IncomingMessage): IncomingMessage {
  stream.destroy();
  return stream;
}
