import { type ApiError, isApiError } from '@onevault/api';
import { BaseError } from '@onevault/base';

/** What the server, or a run of it, says went wrong: with its own code, as if it had happened here. */
export class RemoteError extends BaseError<string> {}

export function asRemoteError(error: unknown): unknown {
  return isApiError(error) ? remoteError(error) : error;
}

function remoteError({ code, message, hint, status, issues, requestId, retryable, cause }: ApiError): RemoteError {
  // Some messages say them already.
  const faults = issues.map(({ path, message: what }) => `${path}: ${what}`).filter((fault) => !message.includes(fault));
  return new RemoteError({
    code,
    message: faults.length === 0 ? message : `${message}: ${faults.join('; ')}`,
    ...(hint !== undefined && { hint }),
    retryable,
    details: { ...(status !== undefined && { status }), ...(requestId !== undefined && { requestId }) },
    ...(cause !== undefined && { cause }),
  });
}

/** How a run failed. */
export function failureError(
  failure: { readonly code?: string | undefined; readonly message: string; readonly hint?: string | undefined },
  runId: string,
): RemoteError {
  const { code, message, hint } = failure;
  return new RemoteError({ code: code ?? 'INTERNAL', message, ...(hint !== undefined && { hint }), details: { runId } });
}
