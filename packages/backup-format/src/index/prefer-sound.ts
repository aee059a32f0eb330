import type { Condemned } from '../gc/condemned.ts';
import type { PreferPlace } from './merge-run.ts';

/**
 * Of two places of a chunk a merge keeps the newer one, unless that is in a condemned pack and the older one is not: gc counts on the other one when it
 * deletes the pack.
 */
export function preferSound(condemned: Condemned): PreferPlace {
  return (_digest, newer, older) => Promise.resolve(condemned.has(newer.packId) && !condemned.has(older.packId) ? 'older' : 'newer');
}
