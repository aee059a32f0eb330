import { type CallOptions, serializeError } from '@onevault/base';
import type { Condemned } from '../gc/condemned.ts';
import { StandingPacks } from '../pack/standing-packs.ts';
import { type MergeDeps, mergeTables } from './merge-tables.ts';
import { preferSound } from './prefer-sound.ts';

/** What every run may merge: seconds of work, 90 MiB read and as much written. */
const BASE_ENTRIES = 2_000_000;
/** A large run may merge more: still a small part of what it has stored. */
const ENTRIES_PER_NEW_ENTRY = 16;

/**
 * Merges index tables when a run is over and its restore point exists: as much as is in proportion to the run, so that the index stays in few tables
 * without anybody's doing. What is larger is left to gc and repair. A failure is logged and harms nothing.
 */
export async function mergeAfterRun(deps: MergeDeps & { readonly condemned?: Condemned }, newEntries: number, options: CallOptions): Promise<void> {
  if (newEntries === 0 || options.signal?.aborted) return;
  try {
    const preferPlace = deps.condemned && preferSound(deps.condemned, new StandingPacks(deps.store));
    await mergeTables(deps, { ...options, preferPlace, maxEntries: BASE_ENTRIES + ENTRIES_PER_NEW_ENTRY * newEntries });
  } catch (error) {
    if (options.signal?.aborted) return;
    deps.logger.warn({ error: serializeError(error) }, 'could not merge index tables; the restore point is complete, and the next run tries again');
  }
}
