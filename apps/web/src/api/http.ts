import type { Problem } from '@onevault/api';

export const API = '/api/v1';

export interface Asked {
  readonly params?: Readonly<Record<string, string | number>>;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  readonly idempotencyKey?: string;
}

/** What the server, or the way to it, said instead of an answer. */
export class ApiError extends Error {
  readonly problem: Partial<Problem> & { readonly code: string; readonly detail: string; readonly status: number };

  constructor(problem: ApiError['problem'], options?: ErrorOptions) {
    super(problem.detail, options);
    this.name = 'ApiError';
    this.problem = problem;
  }
}

let csrfToken: string | undefined;
let onSignedOut: () => void = () => undefined;

/** The token of the session, sent back with everything that changes. */
export function keepCsrfToken(token: string | undefined): void {
  csrfToken = token;
}

/** Called when an answer says that the session is over. */
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener;
}

/** An answer of any kind has said so. */
export function signedOut(): void {
  onSignedOut();
}

/** The address of an operation, its parameters filled in. */
export function address(path: string, { params = {}, query = {} }: Pick<Asked, 'params' | 'query'>): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name] ?? '')));
  const asked = Object.entries(query).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, String(value)]]));
  return `${API}${filled}${asked.length === 0 ? '' : `?${new URLSearchParams(asked).toString()}`}`;
}

export async function send<T>(method: string, path: string, asked: Asked): Promise<T> {
  const response = await reach(method, address(path, asked), asked);
  if (response.status === 204) return undefined as T;
  const text = await response.text();
  const type = response.headers.get('content-type') ?? '';
  if (!response.ok) throw problemOf(response, text, type, path === '/session' && method === 'post');
  return (type.includes('json') ? JSON.parse(text) : text) as T;
}

async function reach(method: string, url: string, { body, signal, idempotencyKey }: Asked): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json, application/problem+json, */*' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (method !== 'get' && csrfToken !== undefined) headers['x-csrf-token'] = csrfToken;
  if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
  try {
    return await fetch(url, {
      method: method.toUpperCase(),
      headers,
      credentials: 'same-origin',
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
  } catch (cause) {
    if (signal?.aborted === true) throw cause;
    const hint = 'Is it running, and is this machine on its network? The page tries again by itself.';
    throw new ApiError({ code: 'WEB_SERVER_UNREACHABLE', status: 0, title: 'no answer', detail: 'The onevault server does not answer.', hint }, { cause });
  }
}

function problemOf(response: Response, text: string, type: string, signingIn: boolean): ApiError {
  if (response.status === 401 && !signingIn) signedOut();
  const { status } = response;
  const fallback = { code: `WEB_HTTP_${status}`, status, title: response.statusText, detail: `The server answered ${status} ${response.statusText}.` };
  if (!type.includes('json')) return new ApiError(fallback);
  try {
    return new ApiError({ ...fallback, ...(JSON.parse(text) as Partial<Problem>) });
  } catch (cause) {
    return new ApiError(fallback, { cause });
  }
}
