import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { AnswerDecoder } from './answer-decoder.ts';
import { OneError } from './errors.ts';
import { connectionError, isDeadSocket } from './http-errors.ts';
import { scrub } from './scrub.ts';
import type { Transport, XmlRpcCall, XmlRpcValue } from './transport.ts';
import { type Decoded, encodeCall } from './wire-codec.ts';

export const MAX_SOCKETS = 4;
const DEFAULT_MAX_RESPONSE_BYTES = 64 * 1024 * 1024;
/** oned closes an idle connection after 15 s (KEEPALIVE_TIMEOUT); letting go first keeps most resets from happening. */
const IDLE_SOCKET_MS = 10_000;
/** An idle connection holds one of the 15 that oned has for everybody. */
const MAX_IDLE_SOCKETS = 2;
/** Enough of a foreign answer to recognise a login page. */
const EXCERPT_BYTES = 160;

export interface HttpTransportOptions {
  /** Whole body, as received; larger answers end in ONE_RESPONSE_TOO_LARGE and are not read further. Default 64 MiB. */
  readonly maxResponseBytes?: number | undefined;
  /** Certificates (PEM) to trust instead of Node's own. */
  readonly ca?: readonly string[] | undefined;
  /** False only on the user's explicit word (ONE_DISABLE_SSL_VERIFY). */
  readonly verifyTls?: boolean | undefined;
  /** Told what the HTTP header Date of every answer says, by the front-end's clock or by that of a proxy before it. */
  readonly onServerTime?: ((time: Date) => void) | undefined;
}

/**
 * XML-RPC over HTTP(S). oned drops a connection after 30 calls or 15 idle seconds, so a reset on a kept connection says nothing about the call:
 * idempotent calls use kept connections and are sent once more on a fresh one when a kept one turns out dead; all others always get a
 * connection of their own, so that a reset there is about that call alone.
 */
export function httpTransport(endpoint: URL, options: HttpTransportOptions = {}): Transport & AsyncDisposable {
  const channel = openChannel(endpoint, options);
  const exchange: Transport = async (call, { signal }) => {
    signal?.throwIfAborted();
    const body = Buffer.from(encodeCall(call));
    if (!call.idempotent) return await channel.send({ call, body, kept: false, signal });
    try {
      return await channel.send({ call, body, kept: true, signal });
    } catch (error) {
      if (!(error instanceof DeadSocket)) throw error;
      return await channel.send({ call, body, kept: false, signal });
    }
  };
  return Object.assign(exchange, {
    async [Symbol.asyncDispose](): Promise<void> {
      channel.agent.destroy();
    },
  });
}

/** Internal: a kept connection was dead before any of the answer arrived. */
class DeadSocket extends Error {}

interface Sending {
  readonly call: XmlRpcCall;
  readonly body: Buffer;
  readonly kept: boolean;
  readonly signal: AbortSignal | undefined;
}

interface Channel {
  readonly agent: http.Agent;
  send(sending: Sending): Promise<XmlRpcValue>;
}

function openChannel(endpoint: URL, options: HttpTransportOptions): Channel {
  const secure = endpoint.protocol === 'https:';
  const tls = secure ? { rejectUnauthorized: options.verifyTls ?? true, ...(options.ca ? { ca: [...options.ca] } : {}) } : {};
  const pool = { keepAlive: true, maxSockets: MAX_SOCKETS, maxFreeSockets: MAX_IDLE_SOCKETS, timeout: IDLE_SOCKET_MS };
  const agent = secure ? new https.Agent({ ...pool, ...tls }) : new http.Agent(pool);
  const limitBytes = options.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES;

  function open({ body, kept }: Sending): http.ClientRequest {
    const headers = { 'Content-Type': 'text/xml; charset=utf-8', 'Content-Length': body.length, 'Accept-Encoding': 'identity' };
    return (secure ? https : http).request(endpoint, {
      method: 'POST',
      headers: kept ? headers : { ...headers, Connection: 'close' },
      agent: kept ? agent : false,
      ...tls,
    });
  }

  async function send(sending: Sending): Promise<XmlRpcValue> {
    const { call, signal } = sending;
    const request = open(sending);
    const onAbort = (): void => void request.destroy();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const response = await responseTo(request, sending.body);
      tellTime(response, options.onServerTime);
      return await readResponse(response, call, limitBytes);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (error instanceof OneError || error instanceof DeadSocket) throw error;
      throw connectionError(error, call, endpoint);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }
  return { agent, send };
}

/** Abyss writes `Sun, 22 Nov 2026 07:48:25 UTC`. */
function tellTime(response: IncomingMessage, onServerTime: HttpTransportOptions['onServerTime']): void {
  const time = new Date(response.headers.date ?? Number.NaN);
  if (!Number.isNaN(time.getTime())) onServerTime?.(time);
}

function responseTo(request: http.ClientRequest, body: Buffer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let answered = false;
    request.on('response', (response) => {
      answered = true;
      resolve(response);
    });
    // Stays on: a destroyed request may raise again later.
    request.on('error', (cause) => {
      const dead = !answered && request.reusedSocket && isDeadSocket(cause);
      reject(dead ? new DeadSocket('a kept connection was closed', { cause }) : cause);
    });
    request.end(body);
  });
}

async function readResponse(response: IncomingMessage, call: XmlRpcCall, limitBytes: number): Promise<XmlRpcValue> {
  const status = response.statusCode ?? 0;
  if (status !== 200) {
    response.destroy();
    throw statusError(status, call);
  }
  if (Number(response.headers['content-length'] ?? 0) > limitBytes) {
    response.destroy();
    throw tooLarge(call, limitBytes);
  }
  return decoded(call, await decodeBody(response, call, limitBytes));
}

/** Leaving the loop early destroys the response, and its connection with it. */
async function decodeBody(
  response: AsyncIterable<Buffer>,
  call: XmlRpcCall,
  limitBytes: number,
): Promise<{ readonly decoded: Decoded; readonly excerpt: string }> {
  const decoder = new AnswerDecoder();
  let receivedBytes = 0;
  let excerpt = '';
  for await (const chunk of response) {
    receivedBytes += chunk.length;
    if (receivedBytes > limitBytes) throw tooLarge(call, limitBytes);
    if (excerpt.length < EXCERPT_BYTES) excerpt = (excerpt + chunk.toString('latin1', 0, EXCERPT_BYTES)).slice(0, EXCERPT_BYTES);
    const early = await decoder.write(chunk);
    if (early) return { decoded: early, excerpt };
  }
  return { decoded: await decoder.end(), excerpt };
}

function decoded(call: XmlRpcCall, { decoded: answer, excerpt }: { readonly decoded: Decoded; readonly excerpt: string }): XmlRpcValue {
  if (answer.kind === 'value') return answer.value;
  if (answer.kind === 'fault') {
    const text = scrub(answer.faultString, call.session);
    throw new OneError('ONE_FAULT', `${call.method}: XML-RPC fault ${answer.faultCode}: ${text}`, {
      details: { method: call.method, faultCode: answer.faultCode, executed: 'unknown' },
    });
  }
  const printable = scrub(excerpt, call.session).replace(/[^\x20-\x7e]+/g, ' ');
  throw new OneError(
    'ONE_RESPONSE_INVALID',
    `${call.method}: the answer is not an XML-RPC response (${scrub(answer.reason, call.session)}): ${JSON.stringify(printable)}`,
    {
      details: { method: call.method, executed: 'unknown' },
    },
  );
}

function tooLarge(call: XmlRpcCall, limitBytes: number): OneError {
  return new OneError('ONE_RESPONSE_TOO_LARGE', `${call.method}: the answer is larger than ${limitBytes} bytes`, {
    details: { method: call.method, limitBytes, executed: 'unknown' },
  });
}

function statusError(status: number, call: XmlRpcCall): OneError {
  const gateway = status === 502 || status === 503 || status === 504;
  return new OneError('ONE_HTTP_STATUS', `${call.method}: the endpoint answered with HTTP status ${status}`, {
    details: { method: call.method, httpStatus: status, executed: status < 500 ? 'no' : 'unknown' },
    retryable: gateway && call.idempotent,
  });
}
