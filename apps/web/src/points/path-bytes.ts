/** Paths in guests are bytes, not text: the API has them as base64url, and so has the address of the page. */
export function decodePath(path: string): Uint8Array {
  const text = atob(path.replace(/-/g, '+').replace(/_/g, '/'));
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

export function encodePath(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=+$/, '');
}

const SLASH = 0x2f;

/** The path of an entry of a directory. */
export function pathBelow(directory: string, nameBytes: string): string {
  const name = decodePath(nameBytes);
  return encodePath(new Uint8Array([...decodePath(directory).filter((_, index, all) => index < all.length - 1 || all[index] !== SLASH), SLASH, ...name]));
}

export interface Crumb {
  readonly text: string;
  readonly path: string;
}

/** The directories on the way to a path, the root left out. */
export function crumbsOf(path: string): readonly Crumb[] {
  const bytes = decodePath(path);
  const crumbs: Crumb[] = [];
  let from = 0;
  for (let at = 0; at <= bytes.length; at += 1) {
    if (at < bytes.length && bytes[at] !== SLASH) continue;
    if (at > from) crumbs.push({ text: new TextDecoder().decode(bytes.subarray(from, at)), path: encodePath(bytes.subarray(0, at)) });
    from = at + 1;
  }
  return crumbs;
}
