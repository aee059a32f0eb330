import { describe, expect, it } from 'vitest';
import { urlOf } from '../../src/client/api-client.ts';
import { createApiClient, OPERATIONS } from '../../src/index.ts';

interface Seen {
  readonly url: string;
  readonly init: RequestInit;
}

function clientOf(answer: (seen: Seen) => Response | Promise<Response>) {
  const seen: Seen[] = [];
  const client = createApiClient({
    baseUrl: 'https://backup.example/onevault/',
    headers: () => ({ authorization: 'Bearer t' }),
    fetch: async (url, init) => {
      const one = { url: String(url), init: init ?? {} };
      seen.push(one);
      return answer(one);
    },
  });
  return { client, seen };
}

const json = (value: unknown, status = 200): Response =>
  new Response(JSON.stringify(value), { status, headers: { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' } });

describe('the client of the API', () => {
  it('puts ids into the path, queries behind it and the body as JSON, below the path that the server is under', async () => {
    const { client, seen } = clientOf(() => json({ id: 'r-1' }, 202));
    const input = { body: { kind: 'backup', vmId: 6, repository: 'main' } } as const;
    expect(await client.call('startRun', input, { idempotencyKey: 'k-1' })).toEqual({ id: 'r-1' });
    expect(seen[0]?.url).toBe('https://backup.example/onevault/api/v1/runs');
    expect(seen[0]?.init).toMatchObject({ method: 'POST', body: JSON.stringify(input.body), headers: { authorization: 'Bearer t', 'idempotency-key': 'k-1' } });
  });

  it('keeps what a path parameter holds out of the path itself', () => {
    const operation = OPERATIONS.find(({ id }) => id === 'setRole');
    expect(operation && urlOf('http://s', operation, { params: { user: '../a/b?c#d' } })).toBe('http://s/api/v1/users/..%2Fa%2Fb%3Fc%23d/role');
  });

  it('throws what the server says, with its code, hint and issues', async () => {
    const issues = [{ path: 'body.name', message: 'too long' }];
    const { client } = clientOf(() =>
      json({ type: 'urn:x', title: 'Bad', status: 400, code: 'API_REQUEST_INVALID', detail: 'no', hint: 'so', issues, requestId: 'q' }, 400),
    );
    await expect(client.call('whoAmI', {})).rejects.toMatchObject({
      code: 'API_REQUEST_INVALID',
      message: 'no',
      hint: 'so',
      status: 400,
      issues,
      retryable: false,
    });
  });

  it('does not take somebody else’s answers for ours', async () => {
    const { client } = clientOf(() => new Response('<html>', { status: 200 }));
    await expect(client.call('whoAmI', {})).rejects.toMatchObject({ code: 'API_ANSWER_INVALID' });
    const other = clientOf(() => new Response('<html>', { status: 502 }));
    await expect(other.client.call('whoAmI', {})).rejects.toMatchObject({ code: 'API_ANSWER_INVALID', status: 502 });
    const wrong = clientOf(() => json({ user: 7 }));
    await expect(wrong.client.call('whoAmI', {})).rejects.toMatchObject({ code: 'API_ANSWER_INVALID' });
  });

  it('says that a server cannot be reached, and lets an abort be an abort', async () => {
    const { client } = clientOf(() => Promise.reject(new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') })));
    await expect(client.call('whoAmI', {})).rejects.toMatchObject({ code: 'API_UNREACHABLE', retryable: true });
    const gone = clientOf(({ init }) => Promise.reject(init.signal?.reason));
    await expect(gone.client.call('whoAmI', {}, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('reads events as they come and goes on behind the last one', async () => {
    const event = { id: '5', time: '2026-11-28T02:00:00Z', runId: 'r', type: 'run.started', data: { vmName: 'web' } };
    const { client, seen } = clientOf(() => new Response(`:\n\nid: 5\ndata: ${JSON.stringify(event)}\n\nevent: end\ndata: \n\nid: 6\ndata: {}\n\n`));
    const events = [];
    for await (const one of client.events('watchRun', { params: { runId: 'r' } }, { lastEventId: '4' })) events.push(one);
    expect(events).toEqual([event]);
    expect(seen[0]?.init.headers).toMatchObject({ accept: 'text/event-stream', 'last-event-id': '4' });
  });

  it('gives back the connection when nobody reads on', async () => {
    let cancelled = false;
    const event = { id: '1', time: '2026-11-28T02:00:00Z', type: 'x', data: {} };
    const { client } = clientOf(
      () =>
        new Response(
          new ReadableStream({
            pull: (stream) => stream.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(event)}\n\n`)),
            cancel: () => {
              cancelled = true;
            },
          }),
        ),
    );
    for await (const _ of client.events('watch', {})) break;
    expect(cancelled).toBe(true);
  });
});
