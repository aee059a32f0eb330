import { STATUS_CODES } from 'node:http';
import type { Problem } from '@onevault/api';
import { errorCode, isBaseError, redact } from '@onevault/base';
import { statusOf } from './error-statuses.ts';

interface Issue {
  readonly path: string;
  readonly message: string;
}

/** What of an error goes out. `known`: to somebody who has signed in; others are not told where things are. */
export function toProblem(error: unknown, requestId: string, known: boolean): Problem {
  if (isBaseError(error)) {
    const status = statusOf(error.code);
    const isOurs = error.code.startsWith('SERVER_');
    const tells = known || isOurs || status < 500;
    const { issues } = error.details as { readonly issues?: readonly Issue[] };
    return {
      ...named(error.code, status),
      detail: tells ? redact(error.message) : 'what is behind this server does not answer as it should',
      ...(tells && error.hint !== undefined && { hint: error.hint }),
      ...(issues && { issues: [...issues] }),
      requestId,
    };
  }
  return { ...refusalOfFastify(error), requestId };
}

/** Seconds after which to ask again, where the error says so. */
export function retryAfterOf(error: unknown, status: number): number | undefined {
  const { retryAfterS } = isBaseError(error) ? (error.details as { readonly retryAfterS?: number }) : {};
  return retryAfterS ?? (status === 503 || status === 429 ? 5 : undefined);
}

const FASTIFY: Readonly<Record<number, string>> = {
  400: 'the request is not what HTTP and JSON allow',
  404: 'there is nothing at this address',
  413: 'the body is too large',
  414: 'the address is too long',
  415: 'a body has to be application/json',
};

/** Of errors that are not ours only those count that fastify raises about a request; everything else says nothing of what is inside. */
function refusalOfFastify(error: unknown): Omit<Problem, 'requestId'> {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  const isAboutRequest = errorCode(error)?.startsWith('FST_') === true || error instanceof SyntaxError;
  const detail = isAboutRequest ? FASTIFY[status] : undefined;
  if (detail !== undefined) return { ...named(status === 404 ? 'SERVER_NOT_FOUND' : 'SERVER_REQUEST_INVALID', status), detail };
  return { ...named('SERVER_INTERNAL', 500), detail: 'something went wrong inside the server', hint: 'Look for the requestId in its log' };
}

function named(code: string, status: number): Pick<Problem, 'type' | 'title' | 'status' | 'code'> {
  return { type: `urn:onevault:error:${code}`, title: STATUS_CODES[status] ?? 'Error', status, code };
}
