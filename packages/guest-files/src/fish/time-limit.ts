import type { CallOptions, Clock } from '@onevault/base';

/** `promise`, unless it takes longer than `ms`: then `late()` is thrown. An abort rejects with the signal's reason. What the promise does later is nobody's. */
export async function withinTime<T>(
  promise: Promise<T>,
  ms: number,
  late: () => Error,
  deps: { readonly clock: Clock },
  options: CallOptions = {},
): Promise<T> {
  const { signal } = options;
  signal?.throwIfAborted();
  const over = new AbortController();
  const stop = AbortSignal.any(signal ? [signal, over.signal] : [over.signal]);
  promise.catch(() => undefined); // raced: whoever loses is not unhandled
  const timer = deps.clock.sleep(ms, { signal: stop }).then(
    () => {
      throw late();
    },
    (reason: unknown) => {
      // Stopped because the promise won, which is the only way a value of it is never seen.
      throw signal?.aborted ? signal.reason : reason;
    },
  );
  timer.catch(() => undefined);
  try {
    return await Promise.race([promise, timer]);
  } finally {
    over.abort();
  }
}
