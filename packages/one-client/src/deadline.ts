import type { CallOptions, Clock } from '@onevault/base';

export interface Deadline {
  readonly ms: number;
  readonly clock: Clock;
  readonly expired: () => Error;
}

/**
 * Runs `work` under a signal that fires with the caller's reason or, after `ms`, with `expired()`; the result is that reason's rejection.
 * Work that ignores its signal is abandoned, not awaited. No timer or listener is left behind.
 */
export async function withDeadline<T>(deadline: Deadline, options: CallOptions, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  options.signal?.throwIfAborted();
  const under = new AbortController();
  const timer = new AbortController();
  const onAbort = (): void => under.abort(options.signal?.reason);
  options.signal?.addEventListener('abort', onAbort, { once: true });
  deadline.clock.sleep(deadline.ms, { signal: timer.signal }).then(
    () => under.abort(deadline.expired()),
    () => undefined, // stopped below: the work was done in time
  );
  try {
    return await Promise.race([work(under.signal), rejection(under.signal)]);
  } finally {
    options.signal?.removeEventListener('abort', onAbort);
    timer.abort();
  }
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
