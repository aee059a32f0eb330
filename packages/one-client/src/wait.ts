import type { Clock } from '@onevault/base';
import { isRetryable } from '@onevault/base';
import type { Verdict, WaitOptions } from './api.ts';
import { withDeadline } from './deadline.ts';
import { isOneError, OneError } from './errors.ts';

/** Between two reads: quick operations are noticed quickly, slow ones cost oned one read a second. */
const PAUSES_MS = [250, 500, 1000] as const;

export interface Wait<Seen> {
  readonly read: (signal: AbortSignal) => Promise<Seen>;
  readonly verdict: (seen: Seen) => Verdict;
  /** What was last seen, for the message: `HOTPLUG_SAVEAS`. */
  readonly describe: (seen: Seen) => string;
  /** `VM 6`. */
  readonly object: string;
  readonly clock: Clock;
  /** An oned that has not answered for so long is gone: the failure itself ends the wait, long before its deadline. */
  readonly outageMs: number;
}

/**
 * Reads until the verdict says done. A read that fails for a passing reason (lost connection, no answer in time, HA election) is no verdict and
 * counts for nothing, unless reads have failed for `outageMs` without a break; every other failure, and whatever the verdict throws, ends the wait.
 */
export async function waitFor<Seen>(wait: Wait<Seen>, options: WaitOptions): Promise<Seen> {
  const { timeoutMs, what } = options;
  let lastState = 'never read';
  let lastFailure: unknown;
  let answeredAtMs = wait.clock.monotonicMs();
  const expired = (): OneError =>
    new OneError('ONE_WAIT_TIMEOUT', `${wait.object}: waited ${timeoutMs} ms for ${what}; last seen: ${lastState}`, {
      details: { what, object: wait.object, timeoutMs, lastState },
      ...(lastFailure === undefined ? {} : { cause: lastFailure }),
    });

  return await withDeadline({ ms: timeoutMs, clock: wait.clock, expired }, options, async (signal) => {
    for (let n = 0; ; n++) {
      const seen = await readOnce(wait, signal).catch((error: unknown) => {
        if (!isPassing(error) || wait.clock.monotonicMs() - answeredAtMs >= wait.outageMs) throw error;
        lastFailure = error;
        return undefined;
      });
      if (seen) {
        lastFailure = undefined;
        answeredAtMs = wait.clock.monotonicMs();
        lastState = wait.describe(seen.value);
        if (wait.verdict(seen.value) === 'done') return seen.value;
      }
      signal.throwIfAborted();
      await wait.clock.sleep(PAUSES_MS[Math.min(n, PAUSES_MS.length - 1)] ?? 1000, { signal });
    }
  });
}

/** Boxed, because an image that does not exist is seen as `undefined`. */
async function readOnce<Seen>(wait: Wait<Seen>, signal: AbortSignal): Promise<{ readonly value: Seen }> {
  return { value: await wait.read(signal) };
}

function isPassing(error: unknown): boolean {
  return isRetryable(error) || isOneError(error, 'ONE_TIMEOUT');
}
