import type { NumberStruct } from './fish/structs.ts';

export type EntryType = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character-device' | 'block-device';

export interface GuestEntry {
  /** From the root of what is mounted, beginning with a slash: bytes, because a name need not be text. */
  readonly path: Buffer;
  /** The last component; empty for the root. */
  readonly name: Buffer;
  /** Undefined when its inode cannot be read: the file system is damaged there. */
  readonly facts: EntryFacts | undefined;
}

export interface EntryFacts {
  readonly type: EntryType;
  readonly sizeBytes: number;
  /** Permission bits with set-id and sticky: 0o7777 at most. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedMs: number;
  readonly inode: number;
  readonly links: number;
  /** Where a symbolic link points, as it is written. */
  readonly target: Buffer | undefined;
}

/** The upper bits of st_mode. */
const TYPES: ReadonlyMap<number, EntryType> = new Map([
  [0o10, 'file'],
  [0o4, 'directory'],
  [0o12, 'symlink'],
  [0o1, 'fifo'],
  [0o14, 'socket'],
  [0o2, 'character-device'],
  [0o6, 'block-device'],
]);

/** Facts of a `statns` struct; undefined where libguestfs has none (it says inode -1) or the kind is no kind. */
export function entryFacts(stat: NumberStruct, target: Buffer | undefined): EntryFacts | undefined {
  const field = (name: string): number => stat.get(`st_${name}`) ?? 0;
  const type = TYPES.get(Math.floor(field('mode') / 0o10000));
  if (type === undefined || field('ino') < 0) return undefined;
  return {
    type,
    sizeBytes: field('size'),
    mode: field('mode') % 0o10000,
    uid: field('uid'),
    gid: field('gid'),
    modifiedMs: field('mtime_sec') * 1000 + Math.floor(field('mtime_nsec') / 1e6),
    inode: field('ino'),
    links: field('nlink'),
    target,
  };
}
