import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

/** One request as the server saw it. `connection` numbers the TCP connections from 1. */
export interface SeenRequest {
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
  readonly connection: number;
  /** How many requests came on that connection, this one included. */
  readonly nth: number;
}

export type Act = (request: SeenRequest, response: ServerResponse, socket: Socket) => void | Promise<void>;

export interface ScriptedOned extends AsyncDisposable {
  readonly endpoint: URL;
  readonly seen: readonly SeenRequest[];
  /** Connections open at this moment. */
  open(): number;
}

/** An HTTP server that does to each request what `act` says, including what no honest server does. */
export async function scriptedOned(
  act: Act,
  options: { readonly maxRequestsPerSocket?: number; readonly tls?: https.ServerOptions } = {},
): Promise<ScriptedOned> {
  const seen: SeenRequest[] = [];
  const sockets = new Map<Socket, { readonly number: number; count: number }>();
  let connections = 0;
  const listener = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { socket } = request;
    const entry = sockets.get(socket) ?? { number: 0, count: 0 };
    entry.count++;
    const { number, count } = entry;
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const one = { body, headers: request.headers, connection: number, nth: count };
    seen.push(one);
    await act(one, response, socket);
  };
  const server = options.tls ? https.createServer(options.tls, listener) : http.createServer(listener);
  server.maxRequestsPerSocket = options.maxRequestsPerSocket ?? 0;
  server.on(options.tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    sockets.set(socket, { number: ++connections, count: 0 });
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: new URL(`${options.tls ? 'https' : 'http'}://127.0.0.1:${port}/RPC2`),
    seen,
    open: () => sockets.size,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function responseXml(inner: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<methodResponse><params><param><value><array><data>${inner}</data></array></value></param></params></methodResponse>`;
}

export const successXml = (value: string | number): string =>
  responseXml(
    `<value><boolean>1</boolean></value><value>${typeof value === 'number' ? `<i4>${value}</i4>` : `<string>${escapeXml(value)}</string>`}</value><value><i4>0</i4></value>`,
  );

export const failureXml = (message: string, code: number, object = -1): string =>
  responseXml(
    `<value><boolean>0</boolean></value><value><string>${escapeXml(message)}</string></value><value><i4>${code}</i4></value><value><i4>${object}</i4></value><value><i8>-1</i8></value>`,
  );

export const faultXml = (code: number, text: string): string =>
  `<?xml version="1.0"?><methodResponse><fault><value><struct><member><name>faultCode</name><value><i4>${code}</i4></value></member><member><name>faultString</name><value><string>${escapeXml(text)}</string></value></member></struct></value></fault></methodResponse>`;

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

export const answer =
  (xml: string): Act =>
  (_request, response) => {
    response.setHeader('Content-Type', 'text/xml; charset=utf-8');
    response.setHeader('Content-Length', Buffer.byteLength(xml));
    response.end(xml);
  };

/** Goes through the list, and stays with the last. */
export function inTurn(...acts: readonly Act[]): Act {
  let n = 0;
  return (request, response, socket) => acts[Math.min(n++, acts.length - 1)]?.(request, response, socket);
}
