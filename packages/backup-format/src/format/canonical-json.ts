import type { Json } from '../repository-api.ts';
import { MAX_JSON_DEPTH } from './limits.ts';

/**
 * JSON in the one form of docs/format.md section 4.1 (RFC 8785): no white space, names sorted by UTF-16 code units, numbers and escapes as ECMAScript
 * prints them. Throws TypeError for what has no such form: lone surrogates, numbers that are not finite, nesting past the limit, functions.
 */
export function canonicalJson(value: Json): string {
  return encode(value, 1);
}

function encode(value: Json, depth: number): string {
  if (depth > MAX_JSON_DEPTH) throw new TypeError(`a value is nested deeper than ${MAX_JSON_DEPTH} levels`);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return encodeString(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`${value} has no form in JSON`);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((item: Json) => encode(item, depth + 1)).join(',')}]`;
  if (typeof value !== 'object') throw new TypeError(`a ${typeof value} has no form in JSON`);
  return `{${encodeMembers(value, depth).join(',')}}`;
}

function encodeMembers(value: object, depth: number): string[] {
  return Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${encodeString(name)}:${encode(member, depth + 1)}`);
}

/** With the `u` flag a surrogate matches only when its other half is missing. */
const LONE_SURROGATE = /[\uD800-\uDFFF]/u;

function encodeString(text: string): string {
  if (LONE_SURROGATE.test(text)) throw new TypeError('a text with half a surrogate pair has no form in JSON');
  return JSON.stringify(text);
}
