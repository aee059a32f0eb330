import { GuestFilesError } from './errors.ts';
import { escapeName } from './name-text.ts';

const SLASH = 0x2f;

/** Components of a path from the root of what is mounted; `.` and empty ones are dropped. Throws FILES_PATH_INVALID for `..` and NUL. */
export function pathComponents(path: Uint8Array): Buffer[] {
  const components: Buffer[] = [];
  for (const component of splitAt(Buffer.from(path), SLASH)) {
    if (component.length === 0 || equals(component, '.')) continue;
    if (equals(component, '..') || component.includes(0)) throw invalidPath(path);
    components.push(component);
  }
  return components;
}

/** Bytes between `separator`s, also empty ones. */
export function splitAt(bytes: Buffer, separator: number): Buffer[] {
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = bytes.indexOf(separator); at >= 0; at = bytes.indexOf(separator, from)) {
    parts.push(bytes.subarray(from, at));
    from = at + 1;
  }
  parts.push(bytes.subarray(from));
  return parts;
}

/** `/etc/hosts` from its components; `/` for none. */
export function joinComponents(components: readonly Uint8Array[]): Buffer {
  return Buffer.concat(components.length === 0 ? [Buffer.from('/')] : components.flatMap((component) => [Buffer.from('/'), component]));
}

function equals(bytes: Buffer, text: string): boolean {
  return bytes.length === text.length && bytes.toString('latin1') === text;
}

function invalidPath(path: Uint8Array): GuestFilesError {
  const text = escapeName(path);
  return new GuestFilesError({
    code: 'FILES_PATH_INVALID',
    message: `'${text}' is no path of a file: it has a component '..' or a NUL`,
    details: { path: text },
    hint: 'name the file by its path from the root of the file system',
  });
}
