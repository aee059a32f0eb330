import { splitAt } from '../guest-path.ts';

/** Why an entry is not written. */
export type Refusal =
  | 'escapes' // its path, or the path of what it links to, leads out of where it belongs
  | 'exists' // something of this name is there already, or another entry had it (also by case)
  | 'special' // a device, FIFO or socket
  | 'too-deep'
  | 'through-link' // a component of its path is a symbolic link or no directory
  | 'link-target' // a hard link to something that was not written
  | 'unwritable' // this machine refused the name or the file
  | 'unknown'; // a type of entry that we do not know

/** Components of a path of an archive below its root, or why it must not be used: absolute, `..`, NUL, or nothing at all. */
export function safeComponents(path: Buffer): readonly Buffer[] | undefined {
  if (path[0] === 0x2f || path.includes(0)) return undefined;
  const components = splitAt(path, 0x2f).filter((part) => part.length > 0 && part.toString('latin1') !== '.');
  return components.some((part) => part.toString('latin1') === '..') ? undefined : components;
}
