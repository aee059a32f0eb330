import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { API_PREFIX, isAudited, OPERATIONS, type Operation, type OperationId, type Role, type StreamEvent } from '@onevault/api';
import type { FakeCall, FakeHandlers } from './fake-call.ts';
import { handlersOf } from './fake-handlers.ts';
import { type FakeOptions, type FakeState, makeState } from './fake-state.ts';
import { Refusal } from './refusal.ts';

const RANK = { public: -1, viewer: 0, operator: 1, admin: 2 } as const;
const COOKIE = 'onevault_session';
/** Nothing comes behind it. */
const LAST = 'event: end\ndata: {}\n\n';
const ROUTES = OPERATIONS.map((operation) => ({
  operation,
  pattern: new RegExp(`^${API_PREFIX}${operation.path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`),
}));

interface CheckedCall {
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: unknown;
  readonly body: unknown;
  readonly user: string;
  readonly role: Role;
}

/** A server of the API that holds requests and answers against the same schemas as the real one, over a believable cloud. */
export class FakeApi {
  readonly state: FakeState;
  /** `Last-Event-ID` of every stream that was opened, in order. */
  readonly resumed: (string | undefined)[] = [];
  readonly #handlers: FakeHandlers;
  readonly #streams = new Set<ServerResponse>();
  readonly #refusals = new Map<string, Refusal>();
  /** Part of what a cookie says: those of before are of nobody. */
  #sessions = 1;

  constructor(options: FakeOptions = {}) {
    this.state = makeState(options);
    this.#handlers = handlersOf(this.state);
  }

  /** False: not of the API. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const url = new URL(request.url ?? '/', 'http://fake');
    if (!url.pathname.startsWith(API_PREFIX)) return false;
    try {
      await this.#answer(request, response, url);
    } catch (error) {
      refuse(response, error);
    }
    return true;
  }

  /** Cuts every stream of events, as a restart of the server does. */
  cutStreams(): void {
    for (const response of this.#streams) response.destroy();
  }

  /** Every session is over, as after a restart that lost them; streams are cut too. */
  endSessions(): void {
    this.#sessions += 1;
    this.cutStreams();
  }

  /** The next call of the operation is refused with this. */
  refuseNext(operation: OperationId, refusal: Refusal): void {
    this.#refusals.set(operation, refusal);
  }

  async #answer(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const route = ROUTES.find(({ operation, pattern }) => operation.method === request.method?.toLowerCase() && pattern.test(url.pathname));
    if (route === undefined) throw new Refusal(404, 'SERVER_NO_SUCH_OPERATION', `${request.method} ${url.pathname} is no operation`);
    const { operation, pattern } = route;
    const refusal = this.#refusals.get(operation.id);
    this.#refusals.delete(operation.id);
    if (refusal !== undefined) throw refusal;
    const caller = this.#admit(operation, request);
    const named = Object.entries(pattern.exec(url.pathname)?.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value ?? '')]);
    const call: CheckedCall = {
      ...caller,
      params: checked(operation.params, Object.fromEntries(named), 'path') as Record<string, unknown>,
      query: checked(operation.query, Object.fromEntries(url.searchParams), 'query'),
      body: operation.body === undefined ? {} : checked(operation.body, await bodyOf(request), 'body'),
    };
    if ('events' in operation.answer) this.#stream(request, response, operation, call.params['runId']);
    else this.#reply(response, operation, call);
  }

  #admit(operation: Operation, request: IncomingMessage): Pick<CheckedCall, 'user' | 'role'> {
    const user = this.#userOf(request);
    if (operation.role === 'public') return { user: user ?? '', role: 'viewer' };
    if (user === undefined) throw new Refusal(401, 'SERVER_SIGN_IN', 'sign in first');
    const role = this.state.roles.get(user) ?? 'viewer';
    if (RANK[operation.role] > RANK[role]) throw new Refusal(403, 'SERVER_ROLE', `the role ${role} may not do this`, { hint: `it needs ${operation.role}` });
    const forged = operation.method !== 'get' && request.headers['x-csrf-token'] !== `csrf-of-${user}`;
    if (forged) throw new Refusal(403, 'SERVER_CSRF', 'the token against forged requests is missing');
    return { user, role };
  }

  #userOf(request: IncomingMessage): string | undefined {
    return new RegExp(`(?:^|; )${COOKIE}=${this.#sessions}\\.([^;]+)`).exec(request.headers.cookie ?? '')?.[1];
  }

  #reply(response: ServerResponse, operation: Operation, call: CheckedCall): void {
    if (operation.id === 'signIn') this.#signIn(response, operation, call);
    if (operation.id === 'signOut') response.setHeader('set-cookie', `${COOKIE}=; Max-Age=0; Path=/`);
    const handler = this.#handlers[operation.id as OperationId] as ((call: FakeCall<OperationId>) => unknown) | undefined;
    if (handler === undefined) throw new Refusal(501, 'FAKE_HAS_NO_HANDLER', operation.id);
    const said = handler(call as unknown as FakeCall<OperationId>);
    if (isAudited(operation) && operation.id !== 'signIn') this.#audit(operation, call.user, 'ok', call);
    answerWith(response, operation, said);
  }

  #signIn(response: ServerResponse, operation: Operation, call: CheckedCall): void {
    const { user, password } = call.body as { user: string; password: string };
    this.#audit(operation, user, password === 'wrong' ? 'refused' : 'ok', call);
    if (password === 'wrong')
      throw new Refusal(401, 'SERVER_SIGN_IN_REFUSED', 'OpenNebula does not know this user and password', { hint: 'a login token works too' });
    response.setHeader('set-cookie', `${COOKIE}=${this.#sessions}.${user}; HttpOnly; SameSite=Strict; Path=/`);
  }

  #stream(request: IncomingMessage, response: ServerResponse, operation: Operation, runId: unknown): void {
    const after = request.headers['last-event-id'];
    this.resumed.push(typeof after === 'string' ? after : undefined);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(': hello\n\n');
    const write = (event: StreamEvent): void => {
      if (runId === undefined || event.runId === runId) response.write(`id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
      if (event.runId === runId && event.type === 'run.finished') response.end(LAST);
    };
    if (operation.id === 'watchRun') {
      for (const event of this.state.runs.eventsOf(String(runId))) if (Number(event.id) > Number(after ?? 0)) write(event);
      if (!response.writableEnded && this.state.runs.get(String(runId))?.endedAt !== undefined) response.end(LAST);
      if (response.writableEnded) return;
    }
    this.#streams.add(response);
    const unlisten = this.state.runs.listen(write);
    response.on('close', () => {
      unlisten();
      this.#streams.delete(response);
    });
  }

  #audit(operation: Operation, user: string, outcome: 'ok' | 'refused', { params }: CheckedCall): void {
    const { audit, now } = this.state;
    const before = audit.at(-1);
    const seq = (before?.seq ?? 0) + 1;
    const object = Object.values(params).join('/') || (operation.id === 'signIn' ? user : '-');
    const hash = createHash('sha256')
      .update(`${before?.hash ?? ''} ${seq} ${user} ${operation.id} ${object}`)
      .digest('hex');
    audit.push({
      seq,
      time: new Date(now()).toISOString(),
      actor: { kind: 'user', name: user, address: '127.0.0.1' },
      action: operation.id,
      object,
      outcome,
      hash,
    });
  }
}

function answerWith(response: ServerResponse, operation: Operation, said: unknown): void {
  const { answer } = operation;
  if ('file' in answer) response.writeHead(200, { 'content-type': answer.file.split(',')[0] }).end(said as string);
  else if ('body' in answer) {
    const body = answer.body.safeParse(said);
    if (!body.success) throw new Refusal(500, 'FAKE_ANSWER_INVALID', `${operation.id}: ${body.error.message}`);
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(body.data));
  } else response.writeHead(204).end();
}

function checked(schema: Operation['body'], value: unknown, where: string): unknown {
  if (schema === undefined) return {};
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
  throw new Refusal(400, 'SERVER_REQUEST_INVALID', `the ${where} is not what the operation takes`, { issues });
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text === '' ? undefined : JSON.parse(text);
}

function refuse(response: ServerResponse, error: unknown): void {
  const refusal = error instanceof Refusal ? error : new Refusal(500, 'FAKE_DEFECT', error instanceof Error ? (error.stack ?? error.message) : String(error));
  const { status, code, message, hint, issues } = refusal;
  const problem = { type: `urn:onevault:error:${code}`, title: message, status, code, detail: message, hint, issues, requestId: 'q-1' };
  response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
}
