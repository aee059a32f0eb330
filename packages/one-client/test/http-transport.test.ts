import { once } from 'node:events';
import net from 'node:net';
import { inspect } from 'node:util';
import { isBaseError, Secret, serializeError } from '@onevault/base';
import { FakeClock } from '@onevault/base/testing';
import { describe, expect, test } from 'vitest';
import { unwrapAnswer } from '../src/answer.ts';
import { type HttpTransportOptions, httpTransport } from '../src/http-transport.ts';
import { composeTransport, withConcurrency, withTimeout, type XmlRpcCall } from '../src/transport.ts';
import { type Act, answer, failureXml, faultXml, inTurn, scriptedOned, successXml } from './scripted-oned.ts';

const SECRET = 'sEcReT-tOkEn';
const session = new Secret(`oneadmin:${SECRET}`);
const read = (args: XmlRpcCall['args'] = [6]): XmlRpcCall => ({ method: 'one.vm.info', session, args, idempotent: true });
const write: XmlRpcCall = { method: 'one.vm.detach', session, args: [6, 1], idempotent: false };

/** What one call makes of a server that does `act`. */
async function outcome(act: Act, call = read(), options: HttpTransportOptions = {}): Promise<unknown> {
  await using oned = await scriptedOned(act);
  await using transport = httpTransport(oned.endpoint, options);
  return await transport(call, {}).catch((error: unknown) => error);
}

describe('the request', () => {
  test('is a POST of known length with the session in front of the arguments', async () => {
    await using oned = await scriptedOned(answer(successXml('<VM/>')));
    await using transport = httpTransport(oned.endpoint);
    expect(await transport(read([6, false, 'a<b']), {})).toEqual([true, '<VM/>', 0]);
    const [request] = oned.seen;
    expect(request?.headers).toMatchObject({ 'content-type': 'text/xml; charset=utf-8', 'content-length': String(Buffer.byteLength(request?.body ?? '')) });
    expect(request?.headers['transfer-encoding']).toBeUndefined();
    expect(request?.body).toContain(
      `<param><value><string>oneadmin:${SECRET}</string></value></param><param><value><int>6</int></value></param>` +
        '<param><value><boolean>0</boolean></value></param><param><value><string>a&lt;b</string></value></param>',
    );
  });

  test('is not sent when an argument cannot be', async () => {
    await using oned = await scriptedOned(answer(successXml(1)));
    await using transport = httpTransport(oned.endpoint);
    await expect(transport(read(['a\u0000b']), {})).rejects.toMatchObject({ code: 'ONE_ARGUMENT_INVALID', details: { executed: 'no' } });
    expect(oned.seen).toEqual([]);
  });
});

describe('connections', () => {
  test('a read goes out on a kept connection, anything else on one of its own', async () => {
    await using oned = await scriptedOned(answer(successXml(1)));
    await using transport = httpTransport(oned.endpoint);
    for (const call of [read(), read(), write, read(), write]) await transport(call, {});
    expect(oned.seen.map((request) => [request.connection, request.nth])).toEqual([
      [1, 1],
      [1, 2],
      [2, 1],
      [1, 3],
      [3, 1],
    ]);
    expect(oned.seen.map((request) => request.headers.connection)).toEqual(['keep-alive', 'keep-alive', 'close', 'keep-alive', 'close']);
  });

  test('a server that ends each connection after 30 calls is not noticed', async () => {
    await using oned = await scriptedOned(answer(successXml(1)), { maxRequestsPerSocket: 30 });
    await using transport = httpTransport(oned.endpoint);
    for (let n = 0; n < 100; n++) await transport(read(), {});
    expect(oned.seen.length).toBe(100);
    expect(Math.max(...oned.seen.map((request) => request.nth))).toBe(30);
  });

  test('a read on a kept connection that turns out dead is sent once more, on a fresh one', async () => {
    const closing: Act = (request, response, socket) => (request.nth === 1 ? answer(successXml(1))(request, response, socket) : void socket.destroy());
    await using oned = await scriptedOned(closing);
    await using transport = httpTransport(oned.endpoint);
    await transport(read(), {});
    expect(await transport(read(), {})).toEqual([true, 1, 0]);
    expect(oned.seen.map((request) => request.connection)).toEqual([1, 1, 2]);
    expect(oned.seen[2]?.headers.connection).toBe('close');
  });

  test('a reset on a fresh connection is reported, and whether the call was executed is left open', async () => {
    const reset: Act = (_request, _response, socket) => void socket.resetAndDestroy();
    expect(await outcome(reset, write)).toMatchObject({ code: 'ONE_UNREACHABLE', retryable: false, details: { executed: 'unknown', method: 'one.vm.detach' } });
    expect(await outcome(reset, read())).toMatchObject({ code: 'ONE_UNREACHABLE', retryable: true });
  });

  test('at most four calls are under way, however many wait', async () => {
    let underWay = 0;
    let most = 0;
    const held: (() => void)[] = [];
    await using oned = await scriptedOned((request, response, socket) => {
      most = Math.max(most, ++underWay);
      held.push(() => {
        underWay--;
        void answer(successXml(1))(request, response, socket);
      });
      if (held.length < 4) return;
      setImmediate(() => {
        for (const release of held.splice(0)) release();
      });
    });
    await using base = httpTransport(oned.endpoint);
    const transport = composeTransport(base, withConcurrency(4));
    await Promise.all(Array.from({ length: 20 }, (_, n) => transport(n % 2 === 0 ? read() : write, {})));
    expect(oned.seen.length).toBe(20);
    expect(most).toBe(4);
  });

  test('disposing closes the kept ones', async () => {
    await using oned = await scriptedOned(answer(successXml(1)));
    const transport = httpTransport(oned.endpoint);
    await transport(read(), {});
    expect(oned.open()).toBe(1);
    await transport[Symbol.asyncDispose]();
    await until(() => oned.open() === 0);
  });
});

describe('no connection', () => {
  test('a port where nobody listens: nothing was executed, so even a write may be repeated', async () => {
    const { endpoint } = await closedPort();
    await using transport = httpTransport(endpoint);
    await expect(transport(write, {})).rejects.toMatchObject({
      code: 'ONE_UNREACHABLE',
      retryable: true,
      details: { executed: 'no', endpoint: endpoint.href },
    });
  });

  test('a name that does not resolve', async () => {
    await using transport = httpTransport(new URL('http://onevault-test.invalid:2633/RPC2'));
    await expect(transport(read(), {})).rejects.toMatchObject({ code: 'ONE_UNREACHABLE', details: { executed: 'no' } });
  });

  test('something that does not speak HTTP', async () => {
    const server = net.createServer((socket) => void socket.on('error', () => undefined).end('SSH-2.0-OpenSSH_9.2\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    const address = server.address() as net.AddressInfo;
    await using transport = httpTransport(new URL(`http://127.0.0.1:${address.port}/RPC2`));
    await expect(transport(read(), {})).rejects.toMatchObject({ code: 'ONE_RESPONSE_INVALID' });
    server.close();
  });
});

describe('answers that are none', () => {
  test.each([
    [301, { details: { httpStatus: 301, executed: 'no' }, retryable: false }],
    [401, { details: { httpStatus: 401, executed: 'no' }, retryable: false }],
    [404, { details: { httpStatus: 404, executed: 'no' }, retryable: false }],
    [500, { details: { httpStatus: 500, executed: 'unknown' }, retryable: false }],
    [503, { details: { httpStatus: 503, executed: 'unknown' }, retryable: true }],
  ])('HTTP status %i, even with a proper body', async (status, expected) => {
    const act: Act = (_request, response) => void response.writeHead(status).end(successXml(1));
    expect(await outcome(act)).toMatchObject({ code: 'ONE_HTTP_STATUS', ...expected });
    expect(await outcome(act, write)).toMatchObject({ code: 'ONE_HTTP_STATUS', retryable: false });
  });

  test('a page with status 200', async () => {
    expect(await outcome(answer('<!DOCTYPE html><html><head><title>Sunstone</title></head></html>'))).toMatchObject({
      code: 'ONE_RESPONSE_INVALID',
      message: expect.stringContaining('Sunstone'),
    });
  });

  test.each([
    '',
    'not xml',
    '<methodResponse></methodResponse>',
    '<methodResponse><fault></fault></methodResponse>',
    '<methodResponse><params></params></methodResponse',
    '\u0000\u0001',
  ])('the body %j', async (body) => {
    expect(await outcome(answer(body))).toMatchObject({ code: 'ONE_RESPONSE_INVALID' });
  });

  test('a fault', async () => {
    expect(await outcome(answer(faultXml(-506, "Method 'one.vm.nonsense' not defined")))).toMatchObject({
      code: 'ONE_FAULT',
      retryable: false,
      details: { faultCode: -506, executed: 'unknown' },
    });
  });

  test('a body cut by a closed connection', async () => {
    const cut: Act = async (_request, response, socket) => {
      response.setHeader('Content-Length', 10_000);
      response.write(successXml('<VM>').slice(0, 200), () => socket.destroy());
    };
    expect(await outcome(cut)).toMatchObject({ code: 'ONE_UNREACHABLE', retryable: true });
    expect(await outcome(cut, write)).toMatchObject({ code: 'ONE_UNREACHABLE', retryable: false, details: { executed: 'unknown' } });
  });

  test('a body that ends too early on a connection closed in good order', async () => {
    const cut: Act = (_request, _response, socket) =>
      void socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${successXml('<VM><ID>6</ID></VM>').slice(0, 180)}`);
    expect(await outcome(cut, write)).toMatchObject({ code: 'ONE_RESPONSE_INVALID', details: { executed: 'unknown' } });
  });
});

describe('size', () => {
  const MiB = 1024 * 1024;

  test('a body announced as larger than the limit is not read', async () => {
    const announce: Act = (_request, response) => void response.writeHead(200, { 'Content-Length': 100 * MiB }).write('<?xml version="1.0"?>');
    expect(await outcome(announce)).toMatchObject({ code: 'ONE_RESPONSE_TOO_LARGE', details: { limitBytes: 64 * MiB } });
  });

  test('a body of 100 MB that was not announced is dropped at the limit, not buffered', async () => {
    let sentBytes = 0;
    const flood: Act = async (_request, response) => {
      response.write('<?xml version="1.0"?><methodResponse><params><param><value><string>');
      const chunk = Buffer.alloc(64 * 1024, 'x');
      const closed = once(response, 'close');
      for (; sentBytes < 100 * MiB && !response.destroyed; sentBytes += chunk.length) {
        if (!response.write(chunk)) await Promise.race([once(response, 'drain'), closed]);
      }
      response.end();
    };
    expect(await outcome(flood, read(), { maxResponseBytes: MiB })).toMatchObject({ code: 'ONE_RESPONSE_TOO_LARGE', details: { limitBytes: MiB } });
    expect(sentBytes).toBeLessThan(20 * MiB); // what was on its way in socket buffers
  });

  test('a body of exactly the limit is read', async () => {
    const xml = successXml('y'.repeat(100_000));
    expect(await outcome(answer(xml), read(), { maxResponseBytes: xml.length })).toEqual([true, 'y'.repeat(100_000), 0]);
    expect(await outcome(answer(xml), read(), { maxResponseBytes: xml.length - 1 })).toMatchObject({ code: 'ONE_RESPONSE_TOO_LARGE' });
  });
});

describe('giving up', () => {
  test('a server that never answers ends in ONE_TIMEOUT, and the connection is closed', async () => {
    const clock = new FakeClock();
    const arrived = signalled();
    await using oned = await scriptedOned(arrived.fire);
    await using base = httpTransport(oned.endpoint);
    const call = composeTransport(base, withTimeout(60_000, { clock }))(read(), {});
    const settled = expect(call).rejects.toMatchObject({ code: 'ONE_TIMEOUT', details: { timeoutMs: 60_000, executed: 'unknown' } });
    await arrived.once;
    clock.advance(60_000);
    await settled;
    await until(() => oned.open() === 0);
  });

  test('a server that stops in mid body ends in ONE_TIMEOUT', async () => {
    const clock = new FakeClock();
    const arrived = signalled();
    await using oned = await scriptedOned((_request, response) => {
      response.writeHead(200, { 'Content-Length': 1000 });
      response.write('<?xml', arrived.fire);
    });
    await using base = httpTransport(oned.endpoint);
    const call = composeTransport(base, withTimeout(1000, { clock }))(read(), {});
    const settled = expect(call).rejects.toMatchObject({ code: 'ONE_TIMEOUT' });
    await arrived.once;
    clock.advance(1000);
    await settled;
    await until(() => oned.open() === 0);
  });

  test('an abort rejects with its reason, untouched, before the answer and in mid body', async () => {
    for (const partial of [false, true]) {
      const arrived = signalled();
      await using oned = await scriptedOned((_request, response) => {
        if (!partial) return arrived.fire();
        response.writeHead(200, { 'Content-Length': 1000 });
        response.write('<?xml', arrived.fire);
      });
      await using transport = httpTransport(oned.endpoint);
      const reason = new Error('the user pressed Ctrl-C');
      const abort = new AbortController();
      const call = transport(write, { signal: abort.signal });
      const settled = expect(call).rejects.toBe(reason);
      await arrived.once;
      abort.abort(reason);
      await settled;
      await until(() => oned.open() === 0);
    }
  });

  test('a signal that is already aborted sends nothing', async () => {
    await using oned = await scriptedOned(answer(successXml(1)));
    await using transport = httpTransport(oned.endpoint);
    await expect(transport(write, { signal: AbortSignal.abort('enough') })).rejects.toBe('enough');
    expect(oned.seen).toEqual([]);
  });
});

test('the session appears in no error, whatever the other side sends back', async () => {
  const echo =
    (wrap: (body: string) => string, status = 200): Act =>
    (request, response) =>
      void response.writeHead(status).end(wrap(request.body));
  const acts: readonly Act[] = [
    echo((body) => body),
    echo((body) => `<html>${body}</html>`),
    echo((body) => body.slice(body.indexOf(SECRET))),
    echo((body) => faultXml(1, body)),
    echo((body) => failureXml(body, 8192)),
    echo((body) => body, 500),
    (_request, _response, socket) => void socket.resetAndDestroy(),
    inTurn((_request, _response, socket) => void socket.end('garbage\r\n\r\n')),
  ];
  for (const act of acts) {
    await using oned = await scriptedOned(act);
    await using base = httpTransport(oned.endpoint);
    const error: unknown = await unwrapAnswer(base)(read(), {}).catch((thrown: unknown) => thrown);
    if (!isBaseError(error)) throw new Error('the call succeeded');
    expect(`${inspect(error, { depth: 9 })}${JSON.stringify(serializeError(error))}${error.stack ?? ''}`).not.toContain(SECRET);
  }
  expect(inspect(read(), { depth: 9 })).not.toContain(SECRET);
});

/** A port that was free a moment ago. */
async function closedPort(): Promise<{ readonly endpoint: URL }> {
  const oned = await scriptedOned(answer(successXml(1)));
  await oned[Symbol.asyncDispose]();
  return { endpoint: oned.endpoint };
}

function signalled(): { readonly once: Promise<void>; readonly fire: () => void } {
  let fire = (): void => undefined;
  const once = new Promise<void>((resolve) => {
    fire = resolve;
  });
  return { once, fire: () => fire() };
}

async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    if (turns > 10_000) throw new Error('it never came about');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
