import { OneError } from './errors.ts';
import { isAttributes } from './fields.ts';
import type { Attribute, Attributes } from './model.ts';

/**
 * OpenNebula template text, one attribute a line: `NAME="value"`, `DISK=[ IMAGE_ID="3", TARGET="sdk" ]`, a list as several lines of one name.
 *
 * The escaping is that of OpenNebula's own lexer (src/parsers/template_parser.l, template_syntax.y): inside quotes only `\"` means something, a
 * backslash otherwise stands for itself. A value that ends in a backslash would therefore swallow its closing quote; where a bare word cannot
 * carry it either, the whole template is written as XML, which oned takes in the same places. Throws ONE_ARGUMENT_INVALID for what OpenNebula
 * cannot hold at all: names with other characters, `]]>` in a value, vectors inside vectors.
 */
export function formatTemplate(attributes: Attributes): string {
  const rows = Object.entries(attributes).flatMap(([name, attribute]) => rowsOf(name, attribute));
  return needsXml(rows) ? `<TEMPLATE>${rows.map(xmlRow).join('')}</TEMPLATE>` : rows.map(textRow).join('\n');
}

/** One line of a template: a single value, or the pairs of a vector. */
interface Row {
  readonly name: string;
  readonly value: string | readonly (readonly [string, string])[];
}

function rowsOf(name: string, attribute: Attribute): readonly Row[] {
  checkName(name);
  if (Array.isArray(attribute)) return attribute.flatMap((one: Attribute) => rowsOf(name, one));
  if (!isAttributes(attribute)) return [{ name, value: checkValue(name, attribute) }];
  const pairs = Object.entries(attribute).map(([key, value]): readonly [string, string] => {
    checkName(key, name);
    return [key, checkValue(`${name}/${key}`, value)];
  });
  return [{ name, value: pairs }];
}

const NAME = /^[A-Z0-9_]+$/;

function checkName(name: string, within?: string): void {
  if (NAME.test(name)) return;
  const where = within === undefined ? '' : ` in ${within}`;
  throw invalid(`attribute name ${JSON.stringify(name)}${where} is not made of A-Z, 0-9 and _`, name);
}

function checkValue(field: string, value: Attribute): string {
  if (typeof value !== 'string') throw invalid(`attribute ${field} is a vector inside a vector, which OpenNebula has no place for`, field);
  // oned prints values into CDATA without splitting them: the object's body could never be read again.
  if (value.includes(']]>')) throw invalid(`attribute ${field} contains "]]>", which OpenNebula cannot hold`, field);
  return value;
}

function invalid(message: string, field: string): OneError {
  return new OneError('ONE_ARGUMENT_INVALID', message, { details: { field, executed: 'no' } });
}

/** What the lexer takes as a value without quotes. */
const BARE = /^[^"=#\s,[\]][^=#\s,[\]]*$/;

function needsXml(rows: readonly Row[]): boolean {
  return rows.some(({ value }) => (typeof value === 'string' ? [value] : value.map(([, inner]) => inner)).some((one) => one.endsWith('\\') && !BARE.test(one)));
}

function quoted(value: string): string {
  const escaped = value.replaceAll('"', '\\"');
  return value.endsWith('\\') ? escaped : `"${escaped}"`;
}

function textRow({ name, value }: Row): string {
  if (typeof value === 'string') return `${name}=${quoted(value)}`;
  return `${name}=[ ${value.map(([key, inner]) => `${key}=${quoted(inner)}`).join(', ')} ]`;
}

function xmlRow({ name, value }: Row): string {
  const digit = [name, ...(typeof value === 'string' ? [] : value.map(([key]) => key))].find((one) => /^\d/.test(one));
  if (digit !== undefined) throw invalid(`attribute ${digit} starts with a digit and another value needs XML: together OpenNebula cannot take them`, digit);
  const content = typeof value === 'string' ? escapeXml(value) : value.map(([key, inner]) => `<${key}>${escapeXml(inner)}</${key}>`).join('');
  return `<${name}>${content}</${name}>`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('\r', '&#13;');
}
