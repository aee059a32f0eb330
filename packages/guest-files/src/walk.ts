import type { CallOptions } from '@onevault/base';
import type { GuestEntry } from './entry.ts';
import { GuestFilesError } from './errors.ts';
import type { Guestfish } from './fish/guestfish.ts';
import { type ListLimits, listDirectory } from './listing.ts';
import { escapeName } from './name-text.ts';

export interface WalkLimits extends ListLimits {
  readonly maxDepth: number;
}

/** Everything below a directory, each directory before what is in it; never through a symbolic link. Held are the entries of the directories on the way. */
export async function* walkTree(fish: Guestfish, path: Uint8Array, limits: WalkLimits, options: CallOptions): AsyncGenerator<GuestEntry, void> {
  const open: GuestEntry[][] = [(await listDirectory(fish, path, limits, options)).reverse()];
  while (open.length > 0) {
    const entry = open.at(-1)?.pop();
    if (entry === undefined) {
      open.pop();
      continue;
    }
    yield entry;
    if (entry.facts?.type !== 'directory') continue;
    if (open.length >= limits.maxDepth) throw tooDeep(entry.path, limits.maxDepth);
    open.push((await listDirectory(fish, entry.path, limits, options)).reverse());
  }
}

function tooDeep(path: Uint8Array, limit: number): GuestFilesError {
  const text = escapeName(path);
  return new GuestFilesError({
    code: 'FILES_LIMIT_EXCEEDED',
    message: `directories lie more than ${limit} deep: ${text.slice(0, 200)}`,
    details: { limit },
    hint: 'list the lower ones by themselves',
  });
}
