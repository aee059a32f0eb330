import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseBody } from '../src/body.ts';
import { formatTemplate } from '../src/template-text.ts';
import { readTemplate } from './template-lexer.ts';

describe('formatTemplate', () => {
  test('writes single values, vectors and repeated vectors as OpenNebula does', () => {
    expect(
      formatTemplate({
        NAME: 'web 1',
        DISK: [
          { IMAGE_ID: '3', TARGET: 'vda' },
          { TYPE: 'fs', SIZE: '64' },
        ],
        OS: { ARCH: 'x86_64' },
      }),
    ).toBe('NAME="web 1"\nDISK=[ IMAGE_ID="3", TARGET="vda" ]\nDISK=[ TYPE="fs", SIZE="64" ]\nOS=[ ARCH="x86_64" ]');
  });

  test('escapes quotes and leaves backslashes alone, which is all that the lexer undoes', () => {
    expect(formatTemplate({ A: 'say "hi"', B: 'C:\\dir\\x' })).toBe('A="say \\"hi\\""\nB="C:\\dir\\x"');
  });

  test('writes a value that ends in a backslash as a bare word, since quotes would be swallowed', () => {
    expect(formatTemplate({ PATH: 'C:\\', NEXT: 'x' })).toBe('PATH=C:\\\nNEXT="x"');
  });

  test('falls back to XML for one that no bare word can hold', () => {
    const text = formatTemplate({ PATH: 'C:\\Program Files\\', DISK: { SOURCE: 'a<b' } });
    expect(text).toBe('<TEMPLATE><PATH>C:\\Program Files\\</PATH><DISK><SOURCE>a&lt;b</SOURCE></DISK></TEMPLATE>');
    expect(parseBody(text, 'TEMPLATE')).toEqual({ PATH: 'C:\\Program Files\\', DISK: { SOURCE: 'a<b' } });
  });

  test('writes a name that starts with a digit, as OpenNebula takes it', () => {
    expect(formatTemplate({ '2FA': 'yes', OPT: { '9P': 'x' } })).toBe('2FA="yes"\nOPT=[ 9P="x" ]');
  });

  test('keeps a value of several lines', () => {
    const data = '<qemu:commandline>\n  <qemu:arg value="-cpu"/>\n</qemu:commandline>';
    expect(readTemplate(formatTemplate({ RAW: { TYPE: 'kvm', DATA: data } }))).toEqual([['RAW', { TYPE: 'kvm', DATA: data }]]);
  });

  test.each<readonly [string, Parameters<typeof formatTemplate>[0], string]>([
    ['a name in lower case', { name: 'x' }, 'name'],
    ['a name that carries another attribute', { 'A="1"\nB': 'x' }, 'A="1"\nB'],
    ['a name that is no XML name where XML is needed', { '1A': 'x', B: 'a b\\' }, '1A'],
    ['a name with a dash', { 'A-B': 'x' }, 'A-B'],
    ['an empty name', { '': 'x' }, ''],
    ['such a name in a vector', { DISK: { 'a]': 'x' } }, 'a]'],
    ['the end of CDATA', { NOTE: 'a]]>b' }, 'NOTE'],
    ['the end of CDATA in a vector', { DISK: { SOURCE: ']]>' } }, 'DISK/SOURCE'],
    ['a vector in a vector', { DISK: { INNER: { A: '1' } } }, 'DISK/INNER'],
    ['a list in a vector', { DISK: { INNER: ['1', '2'] } }, 'DISK/INNER'],
  ])('refuses %s', (_what, attributes, field) => {
    expect(() => formatTemplate(attributes)).toThrow(expect.objectContaining({ code: 'ONE_ARGUMENT_INVALID', details: { field, executed: 'no' } }));
  });

  const name = fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,8}$/);
  const value = fc
    .oneof(
      fc.string({ unit: 'grapheme' }),
      fc.array(fc.constantFrom('"', '\\', '\\"', ',', ']', '[', '=', '#', ' ', '\n', '<', '&', 'a')).map((parts) => parts.join('')),
    )
    .filter((text) => !text.includes(']]>') && !/[^\t\n\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(text));
  const vector = fc.dictionary(name, value, { maxKeys: 4, noNullPrototype: true });
  const template = fc.dictionary(name, fc.oneof(value, vector, fc.array(vector, { minLength: 1, maxLength: 3 })), { maxKeys: 5, noNullPrototype: true });

  test('means to OpenNebula what was given, whatever characters are in it', () => {
    fc.assert(
      fc.property(template, (attributes) => {
        const expected = Object.entries(attributes).flatMap(([key, one]) => (Array.isArray(one) ? one.map((each) => [key, each]) : [[key, one]]));
        const text = formatTemplate(attributes);
        if (text.startsWith('<TEMPLATE>')) expect(parseBody(text, 'TEMPLATE')).toEqual(asBody(attributes));
        else expect(readTemplate(text)).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });
});

/** XML has no word for an empty vector, nor for a list of one. */
function asBody(attributes: Parameters<typeof formatTemplate>[0]): unknown {
  const one = (value: unknown): unknown => (typeof value === 'object' && value !== null && Object.keys(value).length === 0 ? '' : value);
  const many = (value: unknown): unknown => (Array.isArray(value) ? (value.length === 1 ? one(value[0]) : value.map(one)) : one(value));
  const body = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, many(value)]));
  return Object.keys(body).length === 0 ? '' : body;
}
