/** One setting of an LVM configuration: `devices/global_filter`, its value, and where its text stands. */
export interface LvmSetting {
  readonly path: string;
  readonly value: LvmValue;
  /** From 1. */
  readonly line: number;
  /** Offsets of `key = value` in the text. */
  readonly start: number;
  readonly end: number;
}

export type LvmValue = number | string | readonly (number | string)[];

export interface LvmConfig {
  readonly settings: readonly LvmSetting[];
  /** Section → the offset right behind its opening brace. */
  readonly sections: ReadonlyMap<string, number>;
}

interface Token {
  readonly text: string;
  readonly kind: 'word' | 'string' | 'mark';
  readonly start: number;
  readonly end: number;
}

/**
 * Parses lvm.conf(5): sections `devices { key = value }`, `devices/key = value`, numbers, strings, arrays, `#` comments. Undefined for a text that is
 * not of this grammar: what is not understood is not judged and not changed. A later setting of the same path wins, as in LVM.
 */
export function parseLvmConfig(text: string): LvmConfig | undefined {
  const tokens = tokenize(text);
  if (tokens === undefined) return undefined;
  const settings: LvmSetting[] = [];
  const sections = new Map<string, number>();
  const open: string[] = [];
  for (let at = 0; at < tokens.length; ) {
    const statement = parseStatement(tokens, at);
    if (statement === undefined) return undefined;
    at = statement.next;
    if (statement.kind === 'close') {
      if (open.pop() === undefined) return undefined;
      continue;
    }
    const path = [...open, statement.key.text].join('/');
    if (statement.kind === 'open') {
      open.push(statement.key.text);
      sections.set(path, statement.end);
    } else {
      const line = text.slice(0, statement.key.start).split('\n').length;
      settings.push({ path, value: statement.value, line, start: statement.key.start, end: tokens[at - 1]?.end ?? text.length });
    }
  }
  return open.length === 0 ? { settings, sections } : undefined;
}

type Statement =
  | { readonly kind: 'close'; readonly next: number }
  | { readonly kind: 'open'; readonly key: Token; readonly end: number; readonly next: number }
  | { readonly kind: 'setting'; readonly key: Token; readonly value: LvmValue; readonly next: number };

/** `}`, `key {` or `key = value`. */
function parseStatement(tokens: readonly Token[], at: number): Statement | undefined {
  const [key, mark] = [tokens[at], tokens[at + 1]];
  if (key === undefined) return undefined;
  if (key.kind === 'mark') return key.text === '}' ? { kind: 'close', next: at + 1 } : undefined;
  if (mark?.kind !== 'mark') return undefined;
  if (mark.text === '{') return { kind: 'open', key, end: mark.end, next: at + 2 };
  const parsed = mark.text === '=' ? parseValue(tokens, at + 2) : undefined;
  return parsed && { kind: 'setting', key, ...parsed };
}

/** The setting that counts: the last one of its path. */
export function settingOf(config: LvmConfig, path: string): LvmSetting | undefined {
  return config.settings.findLast((setting) => setting.path === path);
}

function parseValue(tokens: readonly Token[], from: number): { readonly value: LvmValue; readonly next: number } | undefined {
  const first = tokens[from];
  if (first === undefined) return undefined;
  if (first.kind !== 'mark') return { value: scalar(first), next: from + 1 };
  if (first.text !== '[') return undefined;
  const items: (number | string)[] = [];
  for (let at = from + 1; ; at++) {
    const token = tokens[at];
    if (token === undefined) return undefined;
    if (token.kind !== 'mark') items.push(scalar(token));
    else if (token.text === ']') return { value: items, next: at + 1 };
    else if (token.text !== ',') return undefined;
  }
}

function scalar(token: Token): number | string {
  return token.kind === 'word' && /^-?\d+(?:\.\d+)?$/.test(token.text) ? Number(token.text) : token.text;
}

/** Blank and comment; a string with escapes (either quote); a mark; a word. */
const LEXER = /(?:\s+|#[^\n]*)|"((?:[^"\\]|\\.)*)"|'([^']*)'|([{}[\]=,])|([^\s#"'{}[\]=,]+)/gy;

function tokenize(text: string): Token[] | undefined {
  const tokens: Token[] = [];
  LEXER.lastIndex = 0;
  while (LEXER.lastIndex < text.length) {
    const start = LEXER.lastIndex;
    const match = LEXER.exec(text);
    if (match === null) return undefined;
    const [, double, single, mark, word] = match;
    const end = LEXER.lastIndex;
    if (double !== undefined) tokens.push({ text: double.replace(/\\(["\\])/g, '$1'), kind: 'string', start, end });
    else if (single !== undefined) tokens.push({ text: single, kind: 'string', start, end });
    else if (mark !== undefined) tokens.push({ text: mark, kind: 'mark', start, end });
    else if (word !== undefined) tokens.push({ text: word, kind: 'word', start, end });
  }
  return tokens;
}
