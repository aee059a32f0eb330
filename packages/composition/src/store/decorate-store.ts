import { cachingStore, limitedStore, type ObjectStore, retryingStore, type StoreAddress } from '@onevault/backup-format';
import type { Clock, Logger } from '@onevault/base';
import type { StoreTraffic } from './traffic.ts';

export interface DecoratedUse {
  /** For runs that only add and restore. What verifies, repairs or collects garbage must see the store itself. */
  readonly cached: boolean;
}

/**
 * A store as commands use it. Outermost the cache, whose hits cost no traffic; then the retries, so that what is repeated counts as traffic; then the
 * limits. S3 repeats its requests itself, part by part, and a directory needs no cache.
 */
export function decorateStore(
  store: ObjectStore,
  kind: StoreAddress['kind'],
  traffic: StoreTraffic,
  use: DecoratedUse,
  deps: { readonly clock: Clock; readonly logger: Logger; readonly random: () => number },
): ObjectStore {
  const { uploadBytesPerSecond, downloadBytesPerSecond, cache } = traffic;
  const limits = {
    ...(uploadBytesPerSecond !== undefined && { uploadBytesPerSecond }),
    ...(downloadBytesPerSecond !== undefined && { downloadBytesPerSecond }),
  };
  const limited = Object.keys(limits).length > 0 ? limitedStore(store, limits, deps) : store;
  if (kind === 'file') return retryingStore(limited, deps);
  return cache && use.cached ? cachingStore(limited, cache, deps) : limited;
}
