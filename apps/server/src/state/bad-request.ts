import { ServerError } from '../errors.ts';

export function badRequest(message: string, hint: string, cause?: unknown): ServerError {
  return new ServerError({ code: 'SERVER_REQUEST_INVALID', message, hint, cause });
}
