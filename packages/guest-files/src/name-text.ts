import { isUtf8 } from 'node:buffer';
import { GuestFilesError } from './errors.ts';

/** Everything that is not a plain visible character: controls, format characters that reorder a line, lone separators. */
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}]/u;

/**
 * A name as text that a person can read and type back: `\xNN` for each byte that is no printable UTF-8, `\\` for a backslash. Nothing a guest
 * named reaches a terminal as a control character, and two different names never look the same by it.
 */
export function escapeName(name: Uint8Array): string {
  let text = '';
  for (let at = 0; at < name.length; ) {
    const length = sequenceLength(name, at);
    const bytes = Buffer.from(name.subarray(at, at + length));
    const character = isUtf8(bytes) ? bytes.toString('utf8') : undefined;
    if (character === undefined) {
      text += hex(name[at] ?? 0);
      at += 1;
      continue;
    }
    if (character === '\\') text += '\\\\';
    else text += HIDDEN.test(character) ? [...bytes].map(hex).join('') : character;
    at += length;
  }
  return text;
}

/** The bytes that `escapeName` wrote down. Throws FILES_PATH_INVALID for a backslash that begins neither `\\` nor `\xNN`. */
export function unescapeName(text: string): Buffer {
  const parts = text.split(/(\\.?(?:(?<=x)[0-9a-fA-F]{2})?)/su).map((part) => {
    if (!part.startsWith('\\')) return Buffer.from(part, 'utf8');
    if (part === '\\\\') return Buffer.from('\\');
    if (/^\\x[0-9a-fA-F]{2}$/.test(part)) return Buffer.from(part.slice(2), 'hex');
    throw new GuestFilesError({
      code: 'FILES_PATH_INVALID',
      message: `'${text}' is no escaped name: '${part}' is neither \\\\ nor \\xNN`,
      hint: 'write a backslash as \\\\ and any other byte as \\x and two hexadecimal digits, as the listing does',
    });
  });
  return Buffer.concat(parts);
}

function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  const wanted = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return Math.min(wanted, bytes.length - at);
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}
