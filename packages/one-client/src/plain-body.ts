/** What is a list even if it stands once, by name within name: `{ VM: { inner: { SNAPSHOTS: { isList: true } } } }`. */
export type ListTree = Readonly<Record<string, { readonly isList?: boolean; readonly inner?: ListTree }>>;

/** As OpenNebula writes its own names, and users theirs: what else XML or a template may allow is left to the parser. */
const NAME = /^[A-Z_][A-Z0-9_]*$/;
const CDATA = '<![CDATA[';
const DEEPEST = 16;

type Content = string | { [name: string]: Content | Content[] };

/**
 * The element `root` of a body as nested records of text, if the body is written as oned writes one: elements without attributes, text or CDATA in the
 * innermost only, no white space between. Undefined for any other, be it valid, damaged or cut short. Where it gives a value the parser gives the same,
 * at a tenth of the time.
 */
export function readPlainBody(xml: string, root: string, lists: ListTree): unknown {
  if (!xml.startsWith(`<${root}>`) || xml.includes('\r')) return undefined;
  const reader = new Reader(xml);
  const element = reader.element(lists, 0);
  return element !== undefined && reader.isAtEnd ? element.content : undefined;
}

interface Element {
  readonly name: string;
  readonly content: Content;
  readonly isList: boolean;
}

class Reader {
  readonly #xml: string;
  #at = 0;

  constructor(xml: string) {
    this.#xml = xml;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#xml.length;
  }

  /** The element that begins here; `lists` are those beside it. */
  element(lists: ListTree | undefined, depth: number): Element | undefined {
    const close = this.#xml.indexOf('>', this.#at);
    if (close < 0 || depth > DEEPEST) return undefined;
    const isEmpty = this.#xml.charCodeAt(close - 1) === 0x2f;
    const name = this.#xml.slice(this.#at + 1, isEmpty ? close - 1 : close);
    if (!NAME.test(name)) return undefined;
    this.#at = close + 1;
    const shape = lists?.[name];
    const content = isEmpty ? '' : this.#content(name, shape?.inner, depth);
    return content === undefined ? undefined : { name, content, isList: shape?.isList === true };
  }

  /** Up to and with the end tag: text, or elements. */
  #content(name: string, lists: ListTree | undefined, depth: number): Content | undefined {
    const text = this.#text();
    if (text === undefined) return undefined;
    if (this.#isEndTag()) return this.#endTag(name) ? text : undefined;
    return text === '' ? this.#elements(name, lists, depth) : undefined;
  }

  #elements(name: string, lists: ListTree | undefined, depth: number): Content | undefined {
    const inner: Exclude<Content, string> = {};
    while (!this.#isEndTag()) {
      if (this.#xml.charCodeAt(this.#at) !== 0x3c) return undefined;
      const element = this.element(lists, depth + 1);
      if (element === undefined) return undefined;
      add(inner, element);
    }
    return this.#endTag(name) ? inner : undefined;
  }

  /** Up to the next tag. */
  #text(): string | undefined {
    for (let text = ''; ; ) {
      const mark = this.#xml.indexOf('<', this.#at);
      const part = mark < 0 ? undefined : plainText(this.#xml.slice(this.#at, mark));
      if (part === undefined) return undefined;
      text += part;
      this.#at = mark;
      if (!this.#xml.startsWith(CDATA, mark)) return text;
      const end = this.#xml.indexOf(']]>', mark);
      if (end < 0) return undefined;
      text += this.#xml.slice(mark + CDATA.length, end);
      this.#at = end + 3;
    }
  }

  #isEndTag(): boolean {
    return this.#xml.startsWith('</', this.#at);
  }

  #endTag(name: string): boolean {
    const end = this.#at + 2 + name.length;
    if (!this.#xml.startsWith(name, this.#at + 2) || this.#xml.charCodeAt(end) !== 0x3e) return false;
    this.#at = end + 1;
    return true;
  }
}

function add(into: Exclude<Content, string>, { name, content, isList }: Element): void {
  const there = into[name];
  if (Array.isArray(there)) there.push(content);
  else if (there !== undefined) into[name] = [there, content];
  else into[name] = isList ? [content] : content;
}

const ENTITIES: Readonly<Record<string, string>> = { '&lt;': '<', '&gt;': '>', '&amp;': '&', '&quot;': '"', '&apos;': "'" };

function plainText(text: string): string | undefined {
  if (text.includes(']]>')) return undefined;
  if (!text.includes('&')) return text;
  let isPlain = true;
  const decoded = text.replace(/&[^;]*;?/g, (reference) => {
    const character = ENTITIES[reference];
    if (character === undefined) isPlain = false;
    return character ?? '';
  });
  return isPlain ? decoded : undefined;
}
