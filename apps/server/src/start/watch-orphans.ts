import { type CallOptions, type Clock, isAbort, type Logger, type Scope, serializeError } from '@onevault/base';
import type { LiveHandlers } from '../live/live-handlers.ts';

interface WatchOrphansDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly live: Pick<LiveHandlers, 'handlers'>;
}

const ORPHANS_EVERY_MS = 15 * 60_000;

/** Counts from time to time: undefined until it has succeeded once, and the last count while OpenNebula is away. */
export function watchOrphans({ clock, logger, live }: WatchOrphansDeps, scope: Scope): () => number | undefined {
  let count: number | undefined;
  const listOrphans = live.handlers['listOrphans'] as ((call: CallOptions) => Promise<readonly unknown[]>) | undefined;
  const over = new AbortController();
  const { signal } = over;
  const watching = (async () => {
    while (!signal.aborted) {
      try {
        count = (await listOrphans?.({ signal }))?.length;
      } catch (error) {
        if (!signal.aborted && !isAbort(error)) logger.warn({ error: serializeError(error) }, 'orphans cannot be counted');
      }
      await clock.sleep(ORPHANS_EVERY_MS, { signal }).catch(() => undefined);
    }
  })();
  scope.defer(async () => {
    over.abort();
    await watching;
  });
  return () => count;
}
