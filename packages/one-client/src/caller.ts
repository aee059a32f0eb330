import type { CallOptions, Clock, Secret } from '@onevault/base';
import { OneError } from './errors.ts';
import type { Method } from './methods.ts';
import type { Transport } from './transport.ts';

/** An element of a pool whose body is not as expected: `VM 12`. */
export interface Unreadable {
  readonly object: string;
  readonly error: OneError;
}

/** Makes one call of the table; the type of the arguments and the result are the method's. */
export type Caller = <Args extends readonly unknown[], Result>(method: Method<Args, Result>, args: Args, options?: CallOptions) => Promise<Result>;

export interface CallDeps {
  readonly call: Caller;
  readonly clock: Clock;
  readonly pageSize: number;
  readonly outageMs: number;
  readonly onUnreadable: (unreadable: Unreadable) => void;
}

/** Sends calls of the table over `transport` and checks that a success carries what the method promises. */
export function callerOver(transport: Transport, session: Secret): Caller {
  return async (method, args, options = {}) => {
    const { name, idempotent } = method;
    const value = await transport({ method: name, session, args: method.args(...args), idempotent }, options);
    const result = method.result.safeParse(value);
    if (result.success) return result.data;
    throw new OneError('ONE_RESPONSE_INVALID', `${name}: the answer carries ${typeof value} where another kind of value belongs`, {
      details: { method: name, executed: 'unknown' },
      cause: result.error,
    });
  };
}
