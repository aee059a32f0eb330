import type { CallOptions } from './call-options.ts';
import type { Clock } from './clock.ts';
import { isRetryable } from './errors.ts';

export interface RetryPolicy {
  /** Attempts in all, the first one included. */
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

/**
 * The only retry loop: doubles the delay, repeats nothing but errors that say `retryable`, never an abort. With `random` (0 to 1) a delay is half of that to
 * all of it, so that many who failed together do not come back together.
 */
export async function retry<T>(
  attempt: (n: number) => Promise<T>,
  policy: RetryPolicy,
  deps: { readonly clock: Clock; readonly random?: () => number },
  options: CallOptions = {},
): Promise<T> {
  for (let n = 1; ; n++) {
    options.signal?.throwIfAborted();
    try {
      return await attempt(n);
    } catch (error) {
      if (n >= policy.attempts || !isRetryable(error)) throw error;
      const delayMs = Math.min(policy.firstDelayMs * 2 ** (n - 1), policy.maxDelayMs);
      await deps.clock.sleep(deps.random ? (delayMs / 2) * (1 + deps.random()) : delayMs, options);
    }
  }
}
