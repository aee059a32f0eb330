/**
 * OpenNebula's template reader, written down from its grammar (src/parsers/template_parser.l and template_syntax.y) with flex's rule that the
 * longest match wins: what `formatTemplate` writes must mean the same to it.
 */
export type TemplateEntry = readonly [name: string, value: string | Readonly<Record<string, string>>];

export function readTemplate(text: string): readonly TemplateEntry[] {
  const reader = new Reader(text);
  const entries: TemplateEntry[] = [];
  for (reader.skip(/[ \t\n]+/y); !reader.atEnd(); reader.skip(/[ \t\n]+/y)) entries.push(reader.attribute());
  return entries;
}

class Reader {
  #at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  skip(pattern: RegExp): boolean {
    return this.#match(pattern) !== undefined;
  }

  attribute(): TemplateEntry {
    const name = this.#token(/[A-Za-z0-9_]+/y, 'a name');
    this.#token(/[ \t]*=[ \t]*/y, '=');
    if (!this.skip(/[ \t]*\[[ \t\n]*/y)) return [name, this.#value()];
    const pairs: [string, string][] = [];
    while (!this.skip(/[ \t\n]*\][ \t\n]*/y)) {
      if (pairs.length > 0) this.#token(/[ \t\n]*,[ \t\n]*/y, ',');
      const key = this.#token(/[A-Za-z0-9_]+/y, 'a name');
      this.#token(/[ \t]*=[ \t]*/y, '=');
      pairs.push([key, this.#value()]);
    }
    return [name, Object.fromEntries(pairs)];
  }

  #value(): string {
    const candidates = [/.*\]\]>.*/y, /"(?:\\"|[^"])*"/y, /[^=#\s,[\]]+/y].map((rule) => this.#peek(rule));
    const longest = Math.max(...candidates.map((match) => match?.length ?? -1));
    const rule = candidates.findIndex((match) => match?.length === longest);
    const token = candidates[rule];
    if (token === undefined || rule === 0) throw new Error(`no value at ${this.#at}: ${this.#text.slice(this.#at, this.#at + 40)}`);
    this.#at += token.length;
    return (rule === 1 ? token.slice(1, -1) : token).replaceAll('\\"', '"');
  }

  #token(pattern: RegExp, what: string): string {
    const token = this.#match(pattern);
    if (token === undefined) throw new Error(`no ${what} at ${this.#at}: ${this.#text.slice(this.#at, this.#at + 40)}`);
    return token;
  }

  #match(pattern: RegExp): string | undefined {
    const token = this.#peek(pattern);
    this.#at += token?.length ?? 0;
    return token;
  }

  #peek(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text)?.[0];
  }
}
