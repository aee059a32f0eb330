import { type CallOptions, isAbort, type Logger, serializeError } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import type { ObjectStore, SweepReport } from '../store/object-store.ts';

/** No writer is quiet for this long: one that holds a lease shows life every few seconds, and its packs grow meanwhile. */
const QUIET_MS = 24 * 3600_000;

const NOTHING: SweepReport = { removed: 0, removedBytes: 0, kept: 0 };

/** What writers that died left half written in the store. It is no object and no restore point needs it: a failure here is logged, and the next run tries again. */
export async function sweepLeftovers(parts: { readonly store: ObjectStore; readonly logger: Logger }, options: CallOptions): Promise<SweepReport> {
  const { store, logger } = parts;
  try {
    return (await store.sweepTemporaries?.({ ...options, olderThanMs: QUIET_MS })) ?? NOTHING;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (isAbort(error) || !isRepositoryError(error)) throw error;
    logger.warn({ error: serializeError(error) }, 'what interrupted writers left could not be removed');
    return NOTHING;
  }
}
