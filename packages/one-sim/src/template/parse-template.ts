import { XMLParser } from 'fast-xml-parser';
import type { Attributes, Vector } from './attributes.ts';

/** What a template text did wrong; becomes `Parse error: …` in the answer. */
export class TemplateSyntaxError extends Error {}

/** Template text (`NAME="x"`, `DISK=[A="b"]`) or its XML form, told apart by the first character as oned does. Names are upper-cased. */
export function parseTemplate(text: string): Attributes {
  const trimmed = text.trim();
  if (trimmed === '') return {};
  return trimmed.startsWith('<') ? parseXmlTemplate(trimmed) : new TextParser(text).parse();
}

/** A recursive descent over the grammar of src/parsers/template_syntax.y. */
class TextParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Attributes {
    const out: Attributes = {};
    for (this.#skipBlank(); this.#at < this.#text.length; this.#skipBlank()) {
      const name = this.#name();
      this.#expect('=');
      this.#skipSpaces();
      const value = this.#peek() === '[' ? this.#vector() : this.#value('\n');
      out[name] = [...(out[name] ?? []), value];
    }
    return out;
  }

  #vector(): Vector {
    this.#expect('[');
    const out: Vector = {};
    for (;;) {
      this.#skipBlank();
      if (this.#peek() === ']') break;
      const name = this.#name();
      this.#expect('=');
      this.#skipSpaces();
      out[name] = this.#value(',]\n');
      this.#skipBlank();
      if (this.#peek() === ',') this.#at++;
    }
    this.#expect(']');
    return out;
  }

  #name(): string {
    const match = /[A-Za-z0-9_./-]+/y;
    match.lastIndex = this.#at;
    const found = match.exec(this.#text);
    if (!found) throw this.#error('unexpected text, expecting VARIABLE');
    this.#at = match.lastIndex;
    this.#skipSpaces();
    return found[0].toUpperCase();
  }

  #value(terminators: string): string {
    if (this.#peek() === '"') return this.#quoted();
    const start = this.#at;
    while (this.#at < this.#text.length && !terminators.includes(this.#peek()) && this.#peek() !== '#') this.#at++;
    return this.#text.slice(start, this.#at).trim();
  }

  /** Inside quotes `\"` and `\\` stand for the second character; everything else, line breaks too, is itself. */
  #quoted(): string {
    this.#expect('"');
    let out = '';
    for (; this.#peek() !== '"'; this.#at++) {
      if (this.#at >= this.#text.length) throw this.#error('unterminated string');
      const escaped = this.#peek() === '\\' && (this.#text[this.#at + 1] === '"' || this.#text[this.#at + 1] === '\\');
      if (escaped) this.#at++;
      out += this.#peek();
    }
    this.#at++;
    return out;
  }

  #peek(): string {
    return this.#text[this.#at] ?? '';
  }

  #expect(character: string): void {
    this.#skipBlank();
    if (this.#peek() !== character) throw this.#error(`unexpected ${this.#peek() || 'end of text'}, expecting ${character}`);
    this.#at++;
  }

  #skipSpaces(): void {
    while (this.#peek() === ' ' || this.#peek() === '\t') this.#at++;
  }

  #skipBlank(): void {
    for (;;) {
      while (/\s/.test(this.#peek())) this.#at++;
      if (this.#peek() !== '#') return;
      while (this.#at < this.#text.length && this.#peek() !== '\n') this.#at++;
    }
  }

  #error(what: string): TemplateSyntaxError {
    const line = this.#text.slice(0, this.#at).split('\n').length;
    return new TemplateSyntaxError(`syntax error, ${what} at line ${line}`);
  }
}

const parser = new XMLParser({ ignoreAttributes: true, ignoreDeclaration: true, ignorePiTags: true, parseTagValue: false, isArray: () => true });

function parseXmlTemplate(xml: string): Attributes {
  let document: unknown;
  try {
    document = parser.parse(xml, true);
  } catch (error) {
    throw new TemplateSyntaxError('Error parsing template xml', { cause: error });
  }
  const [root] = Object.values(recordOf(document));
  const out: Attributes = {};
  for (const [name, values] of Object.entries(recordOf(listOf(root)[0]))) {
    out[name.toUpperCase()] = listOf(values).map((value) => (typeof value === 'string' ? value : vectorFrom(recordOf(value))));
  }
  return out;
}

function vectorFrom(fields: Record<string, unknown>): Vector {
  return Object.fromEntries(Object.entries(fields).map(([name, values]) => [name.toUpperCase(), String(listOf(values)[0] ?? '')]));
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}
