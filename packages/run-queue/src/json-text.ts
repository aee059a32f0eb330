/** What PostgreSQL refuses in jsonb, wherever it comes from: the output of a program, a text that was cut between the halves of a character. */
const REFUSED = /\\u(?:0000|d[89a-f][0-9a-f]{2})/;
const REPLACEMENT = '\u{FFFD}';

/** As JSON that the database takes: a NUL and half a character are one that stands for them. A value that it refused could never be written, however often it is tried. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value);
  return REFUSED.test(text) ? JSON.stringify(takeable(JSON.parse(text))) : text;
}

function takeable(value: unknown): unknown {
  if (typeof value === 'string') return wellFormed(value);
  if (Array.isArray(value)) return value.map(takeable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [wellFormed(key), takeable(field)]));
}

function wellFormed(text: string): string {
  return text.replaceAll(/\0|\p{Surrogate}/gu, REPLACEMENT);
}
