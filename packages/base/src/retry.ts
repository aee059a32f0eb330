import type { CallOptions } from './call-options.ts';
import type { Clock } from './clock.ts';
import { isRetryable } from './errors.ts';

export interface RetryPolicy {
  /** Attempts in all, the first one included. */
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

/** The only retry loop: doubles the delay, repeats nothing but errors that say `retryable`, never an abort. */
export async function retry<T>(
  attempt: (n: number) => Promise<T>,
  policy: RetryPolicy,
  deps: { readonly clock: Clock },
  options: CallOptions = {},
): Promise<T> {
  for (let n = 1; ; n++) {
    options.signal?.throwIfAborted();
    try {
      return await attempt(n);
    } catch (error) {
      if (n >= policy.attempts || !isRetryable(error)) throw error;
      await deps.clock.sleep(Math.min(policy.firstDelayMs * 2 ** (n - 1), policy.maxDelayMs), options);
    }
  }
}
