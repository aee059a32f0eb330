import { get, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { StreamEvent } from '@onevault/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AccessWorld, makeAccessWorld, runRecord, type Somebody, sampleHandlers, send, signIn } from '../../testing/index.ts';

const objects = {
  inventory: { vm: () => undefined },
  catalog: { get: async () => undefined },
  runs: { get: async (id: string) => runRecord({ id, vmId: 17 }) },
};
const event = (id: number, data: Record<string, unknown> = {}): StreamEvent => ({ id: `${id}`, time: '2026-11-28T10:00:00.000Z', type: 'tick', data });

let world: AccessWorld;
let admin: Somebody;
let asked: { readonly signal: AbortSignal; readonly lastEventId?: string }[];

async function* forEver(): AsyncGenerator<StreamEvent> {
  for (let id = 1; ; id++) {
    yield event(id, { text: 'x'.repeat(64 * 1024) });
    taken = id;
  }
}
let taken = 0;

async function serve(watch: (call: { signal: AbortSignal; lastEventId?: string }) => AsyncIterable<StreamEvent>, limits = {}): Promise<URL> {
  const { url } = await world.serve(
    objects,
    { ...sampleHandlers(), watch: watch as never },
    { limits: { heartbeatMs: 20, streamsPerUser: 3, streams: 4, ...limits } },
  );
  admin = await signIn(url, world.sim.user, world.sim.password);
  return url;
}

function open(url: URL, headers: Readonly<Record<string, string>> = {}, path = '/api/v1/events'): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get({ host: url.hostname, port: url.port, path, agent: false, headers: { ...admin.headers, ...headers } }, resolve).on('error', reject);
  });
}

async function untilText(stream: IncomingMessage, wanted: RegExp): Promise<string> {
  let text = '';
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    text += chunk.toString();
    if (wanted.test(text)) break;
  }
  return text;
}

/** Of a source that says nothing: it ends with its signal. */
async function* silence({ signal }: { readonly signal: AbortSignal }): AsyncGenerator<StreamEvent> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  yield* [];
}

beforeAll(async () => {
  world = await makeAccessWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

describe('an event stream', () => {
  it('sends each event with its id, goes on where the client was, and says when it is over', async () => {
    asked = [];
    const url = await serve(async function* (call) {
      asked.push(call);
      yield event(Number(call.lastEventId ?? 0) + 1, { text: 'two\nlines' });
    });
    const stream = await open(url, { 'last-event-id': '41' });
    expect(stream.headers).toMatchObject({ 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    const text = await untilText(stream, /event: end/);
    expect(text).toMatch(/^retry: 3000\n\nid: 42\ndata: \{"id":"42",.*"two\\nlines".*\}\n\nevent: end\ndata: \{\}\n\n$/s);
  });

  it('answers a problem when it is refused before the first event', async () => {
    const url = await serve(() => {
      throw new RangeError('inside');
    });
    expect(await send(url, '/api/v1/events', { headers: admin.headers })).toMatchObject({ status: 500, json: { code: 'SERVER_INTERNAL' } });
  });

  it('shows that it lives while nothing happens, and ends its source when the client goes', async () => {
    let signal: AbortSignal | undefined;
    const url = await serve((call) => {
      ({ signal } = call);
      return silence(call);
    });
    const stream = await open(url);
    expect(await untilText(stream, /\n:\n\n:\n\n/)).toContain('retry: 3000');
    stream.destroy();
    await expect.poll(() => signal?.aborted).toBe(true);
  });

  it('reads no more of its source than the client takes', async () => {
    const url = await serve(forEver);
    taken = 0;
    const stream = await open(url);
    stream.pause();
    let before = -1;
    const isStill = (): boolean => {
      const was = before;
      before = taken;
      return was === taken;
    };
    await expect.poll(isStill, { interval: 100, timeout: 10_000 }).toBe(true);
    expect(taken).toBeGreaterThan(0);
    expect(taken * 64).toBeLessThan(16 * 1024); // KiB, most of it in the kernel's buffers
    stream.destroy();
  });

  it('is one of so many of a user, and of all', async () => {
    const url = await serve(silence);
    const first = await Promise.all([1, 2, 3].map(() => open(url)));
    expect(first.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200]);
    expect(await send(url, '/api/v1/events', { headers: admin.headers })).toMatchObject({ status: 429, json: { code: 'SERVER_TOO_MANY_REQUESTS' } });
    first[0]?.destroy();
    await expect
      .poll(async () => {
        const again = await open(url);
        again.destroy();
        return again.statusCode;
      })
      .toBe(200);
    for (const stream of first) stream.destroy();
  });

  it('is ended when its listener gets another role, also with a token', async () => {
    const url = await serve(silence);
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const { json } = await send(url, '/api/v1/tokens', { method: 'POST', headers: admin.headers, body: { name: 'robot', role: 'admin', expiresAt } });
    const stream = await open(url, { cookie: '', authorization: `Bearer ${json.secret}` });
    expect(stream.statusCode).toBe(200);
    const over = untilText(stream, /never/);
    world.settings.set({ roles: { [world.sim.user]: 'viewer' } });
    await over;
    expect(stream.complete || stream.destroyed).toBe(true);
    world.settings.set({ roles: {} });
  });

  it('counts as one where it is a file that is made while it is read, and breaks off with the session, too', async () => {
    const logs: Readable[] = [];
    const runLog = async () => {
      const body = new Readable({ read: () => undefined });
      body.push('{}\n');
      logs.push(body);
      return { contentType: 'application/x-ndjson', body };
    };
    const { url } = await world.serve(objects, { ...sampleHandlers(), runLog }, { limits: { heartbeatMs: 20, streamsPerUser: 3, streams: 4 } });
    admin = await signIn(url, world.sim.user, world.sim.password);
    const path = '/api/v1/runs/run-1/log';
    const first = await Promise.all([1, 2, 3].map(() => open(url, {}, path)));
    expect(first.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200]);
    expect(await send(url, path, { headers: admin.headers })).toMatchObject({ status: 429, json: { code: 'SERVER_TOO_MANY_REQUESTS' } });
    first[0]?.destroy();
    await expect.poll(() => logs[0]?.destroyed).toBe(true);
    const ends = first.slice(1).map((log) => untilText(log, /never/).catch((error: unknown) => error));
    expect((await send(url, '/api/v1/session', { method: 'DELETE', headers: admin.headers })).status).toBe(204);
    for (const end of await Promise.all(ends)) expect(end).toMatchObject({ code: 'ECONNRESET' });
    expect(logs.every(({ destroyed }) => destroyed)).toBe(true);
  });

  it('ends with the session of whoever listens', async () => {
    const url = await serve(silence);
    const stream = await open(url);
    const over = untilText(stream, /never/);
    expect((await send(url, '/api/v1/session', { method: 'DELETE', headers: admin.headers })).status).toBe(204);
    await over;
    expect(stream.complete || stream.destroyed).toBe(true);
  });
});
