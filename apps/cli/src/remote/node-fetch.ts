import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';

/** Silence of a connection: event streams have a heartbeat, answers come within minutes. */
const SILENCE_MS = 5 * 60_000;

export interface NodeFetch extends Disposable {
  readonly fetch: typeof fetch;
}

/**
 * `fetch` as the API's client uses it, with certificates of one's own: what is built into Node takes none. Follows no redirect and keeps a few connections. Disposing it
 * closes them.
 */
export function nodeFetch({ ca }: { readonly ca?: string | undefined }): NodeFetch {
  const http = new HttpAgent({ keepAlive: true, maxSockets: 16 });
  // Added to the system's own would be taken for all: these are the only ones.
  const https = new HttpsAgent({ keepAlive: true, maxSockets: 16, ...(ca !== undefined && { ca }) });
  return {
    fetch: async (input, init = {}) => {
      const url = new URL(String(input));
      const secure = url.protocol === 'https:';
      const { signal, body } = init;
      const options: RequestOptions = {
        method: init.method ?? 'GET',
        headers: Object.fromEntries(new Headers(init.headers ?? {})),
        agent: secure ? https : http,
        timeout: SILENCE_MS,
        ...(signal && { signal }),
      };
      const message = await answered(secure ? httpsRequest(url, options) : httpRequest(url, options), typeof body === 'string' ? body : undefined);
      return responseOf(message);
    },
    [Symbol.dispose]() {
      http.destroy();
      https.destroy();
    },
  };
}

function answered(request: ReturnType<typeof httpRequest>, body: string | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
    request.once('timeout', () => request.destroy(new Error(`nothing was heard for ${SILENCE_MS / 1000} s`)));
    request.end(body);
  });
}

/** Statuses whose answers have no body, and for which Response takes none. */
const EMPTY: ReadonlySet<number> = new Set([204, 205, 304]);

function responseOf(message: IncomingMessage): Response {
  const status = message.statusCode ?? 502;
  const headers = new Headers();
  for (const [name, value] of Object.entries(message.headers)) for (const one of [value ?? []].flat()) headers.append(name, one);
  if (EMPTY.has(status)) {
    message.resume();
    return new Response(null, { status, headers });
  }
  return new Response(Readable.toWeb(message) as ReadableStream<Uint8Array>, { status, statusText: message.statusMessage ?? '', headers });
}
