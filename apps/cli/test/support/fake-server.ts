import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { API_PREFIX, OPERATIONS, type Operation, type OperationId } from '@onevault/api';

export interface FakeCall {
  readonly id: OperationId;
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  readonly headers: IncomingMessage['headers'];
}

/** A refusal as the server words it. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.status = status;
    this.code = code;
  }
}

/** A file of another type than the table's. */
export class FakeFile {
  readonly contentType: string;
  readonly body: string;

  constructor(contentType: string, body: string) {
    this.contentType = contentType;
    this.body = body;
  }
}

export type FakeHandler = (call: FakeCall) => unknown;

export interface FakeServer extends AsyncDisposable {
  readonly url: string;
  readonly calls: FakeCall[];
}

/** The API over HTTP as its table says it, with answers of the test's: what is asked and answered is checked by the same schemas. Events of a handler end as it ends. */
export async function fakeServer(handlers: Readonly<Partial<Record<OperationId, FakeHandler>>>): Promise<FakeServer> {
  const calls: FakeCall[] = [];
  const server = createServer((request, response) => {
    void answer(request, response, handlers, calls).catch((error: unknown) => refuse(response, error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    calls,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, handlers: Parameters<typeof fakeServer>[0], calls: FakeCall[]): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://fake');
  const { operation, params } = operationFor(request.method ?? '', url.pathname);
  const call = await checked(operation, params, url, request);
  calls.push(call);
  const handler = handlers[call.id];
  if (handler === undefined) throw new Refused(500, 'SERVER_INTERNAL', `the test has no handler of ${call.id}`);
  const result = await handler(call);
  const { answer: kind } = operation;
  if ('events' in kind) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for await (const event of result as AsyncIterable<{ readonly id: string }>)
      response.write(`id: ${event.id}\ndata: ${JSON.stringify(kind.events.parse(event))}\n\n`);
    response.end('event: end\ndata: {}\n\n');
  } else if ('file' in kind) {
    const { contentType, body } = result instanceof FakeFile ? result : new FakeFile(kind.file, String(result));
    response.writeHead(200, { 'content-type': contentType });
    response.end(body);
  } else if ('body' in kind) {
    response.writeHead(kind.status, {
      'content-type': 'application/json',
      ...(call.id === 'signIn' && { 'set-cookie': 'onevault_session=s1; HttpOnly; Path=/' }),
    });
    response.end(JSON.stringify(kind.body.parse(result)));
  } else response.writeHead(kind.status).end();
}

async function checked(operation: Operation, params: Record<string, string>, url: URL, request: IncomingMessage): Promise<FakeCall> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  try {
    return {
      id: operation.id as OperationId,
      params: operation.params?.parse(params) ?? {},
      query: operation.query?.parse(Object.fromEntries(url.searchParams)) ?? {},
      body: operation.body?.parse(JSON.parse(text)),
      headers: request.headers,
    };
  } catch (error) {
    throw badRequest(error);
  }
}

function operationFor(method: string, path: string): { readonly operation: Operation; readonly params: Record<string, string> } {
  for (const operation of OPERATIONS) {
    const pattern = new RegExp(`^${API_PREFIX}${operation.path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);
    const match = pattern.exec(path);
    if (match === null || operation.method.toUpperCase() !== method) continue;
    return { operation, params: Object.fromEntries(Object.entries(match.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)])) };
  }
  throw new Refused(404, 'SERVER_NOT_FOUND', `${method} ${path} is no operation`);
}

function refuse(response: ServerResponse, error: unknown): void {
  const { status, code } = error instanceof Refused ? error : { status: 500, code: 'SERVER_INTERNAL' };
  const detail = error instanceof Error ? error.message : String(error);
  if (!response.headersSent) response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ type: `urn:onevault:error:${code}`, title: code, status, code, detail, hint: 'as the server says', requestId: 'q-1' }));
}

function badRequest(cause: unknown): Refused {
  return new Refused(400, 'SERVER_REQUEST_INVALID', String(cause), cause);
}
