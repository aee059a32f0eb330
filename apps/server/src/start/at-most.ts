import type { Clock } from '@onevault/base';

/** Waits for the work, and no longer than that; the work goes on. Throws what the work throws meanwhile; whoever began it sees to what comes later. */
export async function atMost(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  try {
    await Promise.race([work, clock.sleep(ms, { signal: over.signal }).catch(() => undefined)]);
  } finally {
    over.abort();
  }
}
