import type { z } from 'zod';
import { API_PREFIX } from '../openapi.ts';
import type { Operation } from '../operation.ts';
import { OPERATIONS, type OperationId, type OperationOf } from '../operations/operations.ts';
import type { StreamEvent } from '../schemas/run.ts';
import { problem } from '../schemas/wire-values.ts';
import { ApiError } from './api-error.ts';
import { EventLines } from './event-lines.ts';

/** In brackets, so that the table is not multiplied with itself. */
type Field<Name extends 'params' | 'body', Op> = [Op] extends [{ readonly [key in Name]: infer Schema extends z.ZodType }]
  ? { readonly [key in Name]: z.input<Schema> }
  : { readonly [key in Name]?: never };

/** A field of a query is a number or a text: the server coerces what it gets. */
type QueryField<Op> = [Op] extends [{ readonly query: infer Schema extends z.ZodObject }]
  ? { readonly query?: { readonly [Key in keyof z.output<Schema>]?: string | number | boolean | undefined } }
  : { readonly query?: never };

type Inputs = { readonly [Id in OperationId]: Field<'params', OperationOf<Id>> & QueryField<OperationOf<Id>> & Field<'body', OperationOf<Id>> };
type Answers = {
  readonly [Id in OperationId]: OperationOf<Id>['answer'] extends { readonly body: infer Schema extends z.ZodType } ? z.output<Schema> : undefined;
};

/** What an operation is given; what it does not take is not there. */
export type CallInput<Id extends OperationId> = Inputs[Id];
/** What it answers: parsed JSON, or nothing. */
export type Answer<Id extends OperationId> = Answers[Id];

type WithAnswer<Name extends string> = { [Id in OperationId]: OperationOf<Id>['answer'] extends { readonly [key in Name]: unknown } ? Id : never }[OperationId];
export type EventOperationId = WithAnswer<'events'>;
export type FileOperationId = WithAnswer<'file'>;
export type JsonOperationId = Exclude<OperationId, EventOperationId | FileOperationId>;

export interface ApiCallOptions {
  readonly signal?: AbortSignal;
  /** Of an operation that takes one: the same key and body again is not done again. */
  readonly idempotencyKey?: string;
}

export interface ApiFile {
  readonly contentType: string;
  readonly body: ReadableStream<Uint8Array>;
}

export interface ApiClientOptions {
  /** Where the server is, with the path it is under if it is under one. */
  readonly baseUrl: string | URL;
  readonly fetch?: typeof fetch;
  /** Sent with every call: `Authorization`, `X-CSRF-Token`. Asked for each time, since they change. */
  readonly headers?: () => Readonly<Record<string, string>>;
  /** Of the browser: `same-origin` sends the session's cookie. */
  readonly credentials?: 'include' | 'omit' | 'same-origin';
}

/** Every operation of the table by its id, typed by its schemas. Answers are checked by them. Throws ApiError; an abort passes through. */
export interface ApiClient {
  call<Id extends JsonOperationId>(id: Id, input: CallInput<Id>, options?: ApiCallOptions): Promise<Answer<Id>>;
  /** One connection; who wants to go on behind the last event says so. Ends when the server says that there is no more, or ends it. Throws API_UNREACHABLE when it breaks. */
  events<Id extends EventOperationId>(
    id: Id,
    input: CallInput<Id>,
    options?: ApiCallOptions & { readonly lastEventId?: string },
  ): AsyncGenerator<StreamEvent, void>;
  file<Id extends FileOperationId>(id: Id, input: CallInput<Id>, options?: ApiCallOptions): Promise<ApiFile>;
}

interface AnyInput {
  readonly params?: unknown;
  readonly query?: unknown;
  readonly body?: unknown;
}

const BY_ID: ReadonlyMap<string, Operation> = new Map(OPERATIONS.map((operation) => [operation.id, operation]));

export function createApiClient(options: ApiClientOptions): ApiClient {
  return {
    async call(id, input, call = {}) {
      const operation = operationOf(id);
      const response = await send(options, operation, input, call, {});
      if (response.status === 204 || !('body' in operation.answer)) return undefined as never;
      return parsed(operation.answer.body, await jsonOf(response, operation.id), operation.id) as never;
    },
    async *events(id, input, call = {}) {
      const operation = operationOf(id);
      const resume = call.lastEventId === undefined ? {} : { 'last-event-id': call.lastEventId };
      const response = await send(options, operation, input, call, { accept: 'text/event-stream', ...resume });
      if (!('events' in operation.answer)) return;
      const lines = new EventLines();
      for await (const chunk of bytesOf(response, options, call)) {
        for (const { event, data } of lines.push(chunk)) {
          if (event === 'end') return;
          yield parsed(operation.answer.events, jsonText(data, operation.id), operation.id) as never;
        }
      }
    },
    async file(id, input, call = {}) {
      const response = await send(options, operationOf(id), input, call, { accept: '*/*' });
      return { contentType: response.headers.get('content-type') ?? 'application/octet-stream', body: response.body ?? new ReadableStream() };
    },
  };
}

function operationOf(id: string): Operation {
  const operation = BY_ID.get(id);
  if (operation === undefined) throw new TypeError(`there is no operation ${id}`);
  return operation;
}

async function send(
  options: ApiClientOptions,
  operation: Operation,
  input: AnyInput,
  { signal, idempotencyKey }: ApiCallOptions,
  headers: Readonly<Record<string, string>>,
): Promise<Response> {
  const init: RequestInit = {
    method: operation.method.toUpperCase(),
    headers: {
      accept: 'application/json',
      ...(input.body !== undefined && { 'content-type': 'application/json' }),
      ...(operation.idempotent === true && idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
      ...options.headers?.(),
      ...headers,
    },
    ...(input.body !== undefined && { body: JSON.stringify(input.body) }),
    ...(options.credentials !== undefined && { credentials: options.credentials }),
    ...(signal !== undefined && { signal }),
    // A redirect would carry the token somewhere else.
    redirect: 'error',
  };
  const response = await reached(options, signal, () => (options.fetch ?? fetch)(urlOf(options.baseUrl, operation, input), init));
  if (response.status !== operation.answer.status) throw await problemOf(response, operation.id);
  return response;
}

/** The URL of a call, as it is sent. */
export function urlOf(baseUrl: string | URL, operation: Operation, { params, query }: AnyInput): string {
  const inPath = (params ?? {}) as Readonly<Record<string, unknown>>;
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(inPath[name])));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries((query ?? {}) as Readonly<Record<string, unknown>>)) if (value !== undefined) search.set(name, String(value));
  const text = search.toString();
  return `${String(baseUrl).replace(/\/+$/, '')}${API_PREFIX}${path}${text === '' ? '' : `?${text}`}`;
}

async function reached<T>({ baseUrl }: ApiClientOptions, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw unreachable(baseUrl, error);
  }
}

function unreachable(baseUrl: string | URL, cause: unknown): ApiError {
  return new ApiError({
    code: 'API_UNREACHABLE',
    message: `the server at ${String(baseUrl)} does not answer: ${reasonOf(cause)}`,
    hint: 'is it running, is the address right, and is its certificate one that this machine trusts?',
    retryable: true,
    cause,
  });
}

/** fetch says "fetch failed" and keeps why to itself. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
}

async function* bytesOf(response: Response, options: ApiClientOptions, { signal }: ApiCallOptions): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  try {
    for (;;) {
      const { done, value } = await reached(options, signal, () => reader.read());
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function problemOf(response: Response, id: string): Promise<ApiError> {
  const text = await response.text();
  const said = problem.safeParse(jsonOrUndefined(text));
  if (!said.success) return invalid(id, `it answers ${response.status} ${response.statusText} and not in our words`, undefined, response.status);
  const { code, detail, title, hint, issues, requestId } = said.data;
  return new ApiError({
    code,
    message: detail === '' ? title : detail,
    hint,
    status: response.status,
    issues,
    requestId,
    retryable: RETRYABLE.has(response.status),
  });
}

const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);

async function jsonOf(response: Response, id: string): Promise<unknown> {
  return jsonText(await response.text(), id);
}

function jsonText(text: string, id: string): unknown {
  const value = jsonOrUndefined(text);
  if (value === undefined) throw invalid(id, 'the answer is no JSON');
  return value;
}

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parsed(schema: z.ZodType, value: unknown, id: string): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [first] = result.error.issues;
  throw invalid(id, `${first?.path.map(String).join('.') ?? ''}: ${first?.message ?? 'not as it should be'}`, result.error);
}

function invalid(id: string, why: string, cause?: unknown, status?: number): ApiError {
  return new ApiError({
    code: 'API_ANSWER_INVALID',
    message: `${id}: ${why}`,
    hint: 'is this the address of a onevault server, and of the same version?',
    status,
    cause,
  });
}
