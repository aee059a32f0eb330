import { inspect } from 'node:util';

/** A value that never prints itself: not in template strings, JSON, `util.inspect` or error messages. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself; call it only where it goes onto the wire. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[redacted]';
  }

  toJSON(): string {
    return '[redacted]';
  }

  [inspect.custom](): string {
    return '[redacted]';
  }
}

/** Removes `user:password@` from every URL inside a text. A linear scan: no regular expression to run away with. */
export function redact(text: string): string {
  let out = '';
  let rest = text;
  for (;;) {
    const scheme = rest.indexOf('://');
    if (scheme < 0) return out + rest;
    const start = scheme + 3;
    const authority = rest.slice(start, endOfAuthority(rest, start));
    const at = authority.lastIndexOf('@');
    out += rest.slice(0, start) + (at < 0 ? '' : '[redacted]@');
    rest = rest.slice(start + at + 1);
  }
}

function endOfAuthority(text: string, start: number): number {
  for (let i = start; i < text.length; i++) {
    const c = text[i];
    if (c === '/' || c === '?' || c === '#' || c === ' ' || c === '\n' || c === '"' || c === "'") return i;
  }
  return text.length;
}
