import { type EntryFacts, escapeName, type GuestEntry } from '@onevault/guest-files';
import { formatTime } from '../render/units.ts';

const LETTERS: Readonly<Record<EntryFacts['type'], string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  fifo: 'p',
  socket: 's',
  'character-device': 'c',
  'block-device': 'b',
};

/** As `ls -l` shows it; names with what a terminal must not see written out. */
export function entryLine({ facts }: GuestEntry, shown: Uint8Array): string {
  const name = escapeName(shown);
  if (facts === undefined) return `??????????  ${'unreadable inode'.padEnd(47)}  ${name}`;
  const { uid, gid, sizeBytes, modifiedMs, target } = facts;
  const owner = `${String(uid).padStart(5)} ${String(gid).padStart(5)}`;
  const link = target === undefined ? '' : ` -> ${escapeName(target)}`;
  return `${modeText(facts)} ${owner} ${String(sizeBytes).padStart(14)}  ${timeText(modifiedMs)}  ${name}${link}`;
}

/** `drwxr-sr-x`. */
export function modeText({ type, mode }: EntryFacts): string {
  // A server says of devices, FIFOs and sockets only that they are none of the others.
  const letter: string | undefined = LETTERS[type];
  const triple = (shift: number, special: boolean, mark: string): string => {
    const bits = (mode >> shift) & 7;
    const execute = special ? ((bits & 1) === 0 ? mark.toUpperCase() : mark) : (bits & 1) === 0 ? '-' : 'x';
    return `${(bits & 4) === 0 ? '-' : 'r'}${(bits & 2) === 0 ? '-' : 'w'}${execute}`;
  };
  return `${letter ?? '?'}${triple(6, (mode & 0o4000) !== 0, 's')}${triple(3, (mode & 0o2000) !== 0, 's')}${triple(0, (mode & 0o1000) !== 0, 't')}`;
}

/** A guest may claim any time. */
function timeText(ms: number): string {
  return isDate(ms) ? formatTime(ms) : '????-??-?? ??:??:??';
}

function isDate(ms: number): boolean {
  return Math.abs(ms) < 250_000_000_000_000;
}

/** Names as text that can be read and as the bytes that they are. */
export function entryDocument({ path, facts }: GuestEntry): object {
  return {
    path: escapeName(path),
    pathBase64: path.toString('base64'),
    ...(facts === undefined
      ? { type: null }
      : {
          type: facts.type,
          sizeBytes: facts.sizeBytes,
          mode: facts.mode.toString(8).padStart(4, '0'),
          uid: facts.uid,
          gid: facts.gid,
          modified: isDate(facts.modifiedMs) ? new Date(facts.modifiedMs).toISOString() : null,
          ...(facts.target && { target: escapeName(facts.target), targetBase64: facts.target.toString('base64') }),
        }),
  };
}
