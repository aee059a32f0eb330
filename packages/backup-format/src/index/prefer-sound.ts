import type { Condemned } from '../gc/condemned.ts';
import type { StandingPacks } from '../pack/standing-packs.ts';
import type { PreferPlace } from './merge-run.ts';

/**
 * Of two places of a chunk a merge keeps the newer one, unless that is in a condemned pack and the older one is not: gc counts on the other one when it
 * deletes the pack. With `standing` also unless the newer one is in a pack that is gone, named by a table that came late.
 */
export function preferSound(condemned: Condemned, standing?: StandingPacks): PreferPlace {
  return async (_digest, newer, older) => {
    if (condemned.has(newer.packId)) return condemned.has(older.packId) ? 'newer' : 'older';
    return !standing || (await standing.stands(newer)) ? 'newer' : 'older';
  };
}
