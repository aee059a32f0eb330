import { GuestFilesError } from '../errors.ts';
import { joinComponents, pathComponents } from '../guest-path.ts';
import { escapeName } from '../name-text.ts';

/**
 * guestfish reads its script by fgets into 8192 bytes (fish/fish.c, rl_gets) and takes what is beyond as the next command, where a `!` in a name
 * would be a shell. A longer line is never sent.
 */
const MAX_LINE_BYTES = 8000;

/** What a command takes: a word of ours, bytes that somebody else chose, or a list of such. */
export type Argument = string | Uint8Array;

/** `verb "argument" …` as the bytes of one line, without the line break. Throws FILES_PATH_INVALID for what does not fit. */
export function commandLine(verb: string, args: readonly Argument[]): Buffer {
  const line = Buffer.concat([Buffer.from(verb), ...args.flatMap((argument) => [Buffer.from(' '), quoted(argument)])]);
  if (line.length > MAX_LINE_BYTES) throw tooLong(args.at(-1) ?? '');
  return line;
}

/** How many bytes an argument takes on the line. */
export function argumentBytes(argument: Argument): number {
  return quoted(argument).length + 1;
}

/** In double quotes (guestfish(1), ESCAPE SEQUENCES); every byte but NUL gets through, and only three have a meaning there. */
function quoted(argument: Argument): Buffer {
  const bytes = typeof argument === 'string' ? Buffer.from(argument) : argument;
  const out: number[] = [0x22];
  for (const byte of bytes) {
    if (byte === 0) throw new TypeError('an argument of guestfish cannot hold NUL');
    if (byte === 0x0a) out.push(0x5c, 0x6e);
    else if (byte === 0x22 || byte === 0x5c) out.push(0x5c, byte);
    else out.push(byte);
  }
  out.push(0x22);
  return Buffer.from(out);
}

/** Names that guestfish's own parser of lists (a second level of quotes, with a rule for backslashes of its own) leaves alone between single quotes. */
export function fitsInList(name: Uint8Array): boolean {
  return !name.includes(0x27) && !name.includes(0x5c);
}

/** A list as one argument; every name must be one that `fitsInList`. */
export function listArgument(names: readonly Uint8Array[]): Buffer {
  return Buffer.concat(names.flatMap((name, at) => [Buffer.from(at === 0 ? "'" : " '"), name, Buffer.from("'")]));
}

/** So many names that a list of them fits a line beside `reserved` bytes. */
export function* listChunks<Name extends Uint8Array>(names: readonly Name[], reserved: number): Generator<Name[]> {
  let chunk: Name[] = [];
  let bytes = reserved;
  for (const name of names) {
    const needed = argumentBytes(name) + 2;
    if (chunk.length > 0 && bytes + needed > MAX_LINE_BYTES - 100) {
      yield chunk;
      chunk = [];
      bytes = reserved;
    }
    chunk.push(name);
    bytes += needed;
  }
  if (chunk.length > 0) yield chunk;
}

/** A path of the guest as guestfish takes it. `/./` in front: a path that begins with `/dev/` would mean a device of the appliance. */
export function guestPath(path: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from('/.'), joinComponents(pathComponents(path))]);
}

function tooLong(argument: Argument): GuestFilesError {
  const path = escapeName(typeof argument === 'string' ? Buffer.from(argument) : argument);
  return new GuestFilesError({
    code: 'FILES_PATH_INVALID',
    message: `a path of more than ${MAX_LINE_BYTES} bytes cannot be named to guestfish: '${path.slice(0, 60)}…'`,
    details: { limit: MAX_LINE_BYTES },
    hint: 'take the directory above it: extract and tar have no such limit below the path that is named',
  });
}
