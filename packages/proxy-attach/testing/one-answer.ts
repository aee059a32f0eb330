import { BaseError } from '@onevault/base';

/** An error as one-client throws it: with `details.oneCode` when oned answered, without when nobody did. */
export class OneAnswer extends BaseError<string, { readonly oneCode?: number; readonly executed?: 'no' | 'unknown' }> {}

/** oned's only code for a refused action (include/Request.h, ACTION). */
const ACTION = 2048;

export function refusal(message: string): OneAnswer {
  return new OneAnswer({ code: 'ONE_ACTION', message, details: { oneCode: ACTION } });
}

/** `executed`: whether oned can have acted on the call. */
export function noAnswer(message: string, executed: 'no' | 'unknown' = 'unknown'): OneAnswer {
  return new OneAnswer({ code: 'ONE_UNREACHABLE', message, details: { executed }, retryable: true });
}

export function waitTimeout(what: string): OneAnswer {
  return new OneAnswer({ code: 'ONE_WAIT_TIMEOUT', message: `wait for ${what}: time is up` });
}
