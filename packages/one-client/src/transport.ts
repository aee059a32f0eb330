import { type CallOptions, type Clock, type Logger, type RetryPolicy, retry, type Secret, Semaphore } from '@onevault/base';
import { withDeadline } from './deadline.ts';
import { OneError } from './errors.ts';

export type XmlRpcArgument = string | number | boolean;
export type XmlRpcValue = string | number | boolean | null | Uint8Array | Date | readonly XmlRpcValue[] | { readonly [member: string]: XmlRpcValue };

/** One call on the wire. The session travels apart from the arguments so that no layer can log it by accident. */
export interface XmlRpcCall {
  readonly method: string;
  readonly session: Secret;
  readonly args: readonly XmlRpcArgument[];
  /** Making it twice has the effect of making it once: it may be repeated after a lost answer. */
  readonly idempotent: boolean;
}

/** Sends one call and gives back the value of the answer. Throws OneError, or the signal's reason untouched. */
export type Transport = (call: XmlRpcCall, options: CallOptions) => Promise<XmlRpcValue>;
export type TransportLayer = (next: Transport) => Transport;

/** Wraps `base`; the first layer is the outermost. */
export function composeTransport(base: Transport, ...layers: readonly TransportLayer[]): Transport {
  return layers.reduceRight((next, layer) => layer(next), base);
}

/** Repeats what failed with a retryable error, for idempotent calls only. */
export function withRetry(policy: RetryPolicy, deps: { readonly clock: Clock }): TransportLayer {
  return (next) => (call, options) => (call.idempotent ? retry(() => next(call, options), policy, deps, options) : next(call, options));
}

/** At most `limit` calls under way; the others wait their turn. oned serves 15 connections for everybody. */
export function withConcurrency(limit: number): TransportLayer {
  const slots = new Semaphore(limit);
  return (next) => async (call, options) => {
    using _slot = await slots.take(1, options);
    return await next(call, options);
  };
}

/** Ends a call that has no answer after `timeoutMs` with ONE_TIMEOUT; whether oned still executes it is unknown. */
export function withTimeout(timeoutMs: number, deps: { readonly clock: Clock }): TransportLayer {
  return (next) => (call, options) =>
    withDeadline({ ms: timeoutMs, clock: deps.clock, expired: () => timeoutError(call.method, timeoutMs) }, options, (signal) => next(call, { signal }));
}

/** One debug line a call: method, its integer arguments, duration, outcome. Texts stay out: templates carry passwords. */
export function withTrace(deps: { readonly clock: Clock; readonly logger: Logger }): TransportLayer {
  return (next) => async (call, options) => {
    const startedMs = deps.clock.monotonicMs();
    const fields = { method: call.method, ids: call.args.filter((arg) => typeof arg === 'number') };
    try {
      const value = await next(call, options);
      deps.logger.debug({ ...fields, ms: deps.clock.monotonicMs() - startedMs }, 'OpenNebula call answered');
      return value;
    } catch (error) {
      const code = error instanceof OneError ? error.code : 'aborted';
      deps.logger.debug({ ...fields, ms: deps.clock.monotonicMs() - startedMs, code }, 'OpenNebula call failed');
      throw error;
    }
  };
}

function timeoutError(method: string, timeoutMs: number): OneError {
  return new OneError('ONE_TIMEOUT', `${method}: no answer within ${timeoutMs} ms`, { details: { method, timeoutMs, executed: 'unknown' } });
}
