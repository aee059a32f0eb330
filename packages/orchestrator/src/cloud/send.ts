import { isOneError, type OneErrorCode } from '@onevault/one-client';

/** Makes the one call that creates an object. What a run does before it, or after it was refused, cannot have made anything. */
export type Send = <T>(call: () => Promise<T>) => Promise<T>;

/** Answers of oned after which nothing was made. Not among them: INTERNAL and REPLICATION, which it also gives when it lost its way in the middle. */
const REFUSALS: ReadonlySet<OneErrorCode> = new Set([
  'ONE_AUTHENTICATION',
  'ONE_AUTHORIZATION',
  'ONE_NO_EXISTS',
  'ONE_ACTION',
  'ONE_XML_RPC_API',
  'ONE_ALLOCATE',
  'ONE_LOCKED',
  'ONE_ARGUMENT_INVALID',
]);

/** OpenNebula said no, or was never reached: nothing was made. Any other failure may have lost the answer of a call that worked. */
export function wasRefused(error: unknown): boolean {
  return isOneError(error) && (REFUSALS.has(error.code) || error.details.executed === 'no');
}
