/** One `keyword value` of multipath.conf(5). */
export interface MultipathEntry {
  readonly keyword: string;
  readonly value: string;
  readonly line: number;
}

/** A section or subsection: `blacklist { … device { … } }`. */
export interface MultipathSection {
  readonly name: string;
  readonly line: number;
  readonly entries: readonly MultipathEntry[];
  readonly sections: readonly MultipathSection[];
}

interface OpenSection {
  readonly name: string;
  readonly line: number;
  readonly entries: MultipathEntry[];
  readonly sections: MultipathSection[];
}

/** Parses multipath.conf(5), one thing a line; undefined for a text that is not of this form. */
export function parseMultipathConfig(text: string): readonly MultipathSection[] | undefined {
  const top: OpenSection = { name: '', line: 0, entries: [], sections: [] };
  const open: OpenSection[] = [top];
  for (const [index, raw] of text.split('\n').entries()) {
    const tokens = tokensOf(raw);
    if (tokens === undefined || !takeLine(open, tokens, index + 1)) return undefined;
  }
  return open.length === 1 ? top.sections : undefined;
}

/** Adds what one line says to the sections that are open, the outermost first; false when it says nothing that is allowed there. */
function takeLine(open: OpenSection[], [first, ...rest]: readonly string[], line: number): boolean {
  const current = open.at(-1);
  if (first === undefined || current === undefined) return current !== undefined;
  if (first === '}') return rest.length === 0 && open.length > 1 && open.pop() !== undefined;
  if (rest.length === 1 && rest[0] === '{') {
    const section: OpenSection = { name: first, line, entries: [], sections: [] };
    current.sections.push(section);
    open.push(section);
    return true;
  }
  if (open.length === 1 || [first, ...rest].some((token) => token === '{' || token === '}')) return false;
  current.entries.push({ keyword: first, value: rest.map(unquote).join(' '), line });
  return true;
}

/** Words, quoted strings and braces of a line, up to a comment; undefined for an open quote. */
function tokensOf(line: string): string[] | undefined {
  const tokens: string[] = [];
  const lexer = /\s*(?:([#!].*$)|("[^"]*")|([{}])|([^\s"{}]+))/gy;
  const text = line.trimEnd();
  while (lexer.lastIndex < text.length) {
    const match = lexer.exec(text);
    if (match === null) return undefined;
    const [, comment, quoted, brace, word] = match;
    if (comment !== undefined) break;
    tokens.push(quoted ?? brace ?? word ?? '');
  }
  return tokens;
}

function unquote(token: string): string {
  return token.startsWith('"') ? token.slice(1, -1) : token;
}
