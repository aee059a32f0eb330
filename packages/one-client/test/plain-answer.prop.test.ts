import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mayBePlain, readPlainAnswer } from '../src/plain-answer.ts';
import { type Decoded, ResponseDecoder } from '../src/wire-codec.ts';
import { readRecordedExchanges } from '../testing/index.ts';
import { onedSuccessXml } from './oned-answer.ts';

function codec(body: Buffer): Decoded {
  const decoder = new ResponseDecoder();
  return decoder.write(body) ?? decoder.end();
}

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc
    .array(fc.constantFrom('<', '>', '&', ';', 'lt;', 'amp;', '#x0d;', ']]>', '<![CDATA[', '\r', '\n', ' ', 'a', 'é', '😀', '\ufeff', '\u0000'))
    .map((parts) => parts.join('')),
);

test('a plain answer has the value that was sent and that the codec reads', () => {
  fc.assert(
    fc.property(text, (sent) => {
      fc.pre(Buffer.from(sent).toString() === sent); // half a character cannot be sent
      const body = Buffer.from(onedSuccessXml(sent));
      expect(readPlainAnswer(body)).toEqual([true, sent, 0]);
      expect(codec(body)).toEqual({ kind: 'value', value: [true, sent, 0] });
    }),
    { numRuns: 500 },
  );
});

/** Bytes that mean something to XML, XML-RPC or UTF-8, and any others. */
const splinter = fc.oneof(
  fc.uint8Array({ maxLength: 4 }),
  fc
    .constantFrom(
      '<',
      '>',
      '&',
      ';',
      '&lt;',
      '&amp;',
      '&#13;',
      '&#x0d;',
      '&nbsp;',
      '&LT;',
      '<!--',
      '-->',
      '<![CDATA[',
      ']]>',
      '</string>',
      '<string>',
      '<value>',
      '</value>',
    )
    .map((one) => Buffer.from(one)),
);

/** An answer with a few places cut out or overwritten, in the envelope and in the text about as often. */
const damaged = fc
  .tuple(
    fc.array(text, { maxLength: 20 }).map((parts) => parts.join('')),
    fc.array(fc.tuple(fc.integer({ min: 0, max: 1000 }), fc.nat(8), splinter), { minLength: 1, maxLength: 3 }),
  )
  .map(([sent, cuts]) =>
    cuts.reduce(
      (all, [permille, length, put]) => {
        const at = Math.floor((permille / 1000) * all.length);
        return Buffer.concat([all.subarray(0, at), put, all.subarray(at + length)]);
      },
      Buffer.from(onedSuccessXml(sent)),
    ),
  );

test('a damaged answer is refused or read as the codec reads it', () => {
  fc.assert(
    fc.property(damaged, (body) => {
      const value = readPlainAnswer(body);
      if (value) expect(codec(body)).toEqual({ kind: 'value', value });
    }),
    { numRuns: 3000 },
  );
});

test('an answer cut short anywhere is refused', () => {
  const body = Buffer.from(onedSuccessXml('<VM><NAME>a & b\r</NAME></VM>'));
  for (let length = 0; length < body.length; length++) expect(readPlainAnswer(body.subarray(0, length))).toBeUndefined();
});

const plain = onedSuccessXml('TEXT');
test.each([
  ['a byte more', `${plain}\n`],
  ['a byte order mark', `\ufeff${plain}`],
  ['another line end', plain.replaceAll('\r\n', '\n')],
  ['a failure', plain.replace('<boolean>1', '<boolean>0')],
  ['another code', plain.replace('<i4>0', '<i4>1')],
  ['a second text', plain.replace('TEXT', 'a</string></value>\r\n<value><string>b')],
  ['CDATA', plain.replace('TEXT', '<![CDATA[a]]>')],
  ['a comment', plain.replace('TEXT', 'a<!-- b -->')],
  ['a number reference of another writing', plain.replace('TEXT', '&#13;')],
  ['an HTML entity', plain.replace('TEXT', '&nbsp;')],
  ['an ampersand by itself', plain.replace('TEXT', 'a & b')],
  ['an entity that does not end', plain.replace('TEXT', '&amp')],
  ['another type', plain.replaceAll('string>', 'base64>')],
])('%s is left to the codec', (_what, body) => {
  expect(readPlainAnswer(Buffer.from(body))).toBeUndefined();
});

test('a reference is exactly one of the four that oned writes', () => {
  const read = (reference: string): unknown => readPlainAnswer(Buffer.from(plain.replace('TEXT', reference)))?.[1];
  expect(['&lt;', '&gt;', '&amp;', '&#x0d;'].map(read)).toEqual(['<', '>', '&', '\r']);
  for (const known of ['&lt;', '&gt;', '&amp;', '&#x0d;']) {
    for (let at = 1; at < known.length; at++) expect(read(`${known.slice(0, at)}~${known.slice(at + 1)}`)).toBeUndefined();
  }
});

test('what is no UTF-8 is left to the codec', () => {
  const body = Buffer.from(plain.replace('TEXT', '\u00ff'), 'latin1');
  expect(readPlainAnswer(body)).toBeUndefined();
});

test('a beginning is known for what it is however it is cut', () => {
  const begun = Buffer.from(plain).subarray(0, 400);
  for (let at = 0; at < begun.length; at++) {
    expect(mayBePlain(begun.subarray(at), at)).toBe(true);
    expect(mayBePlain(begun.subarray(0, at))).toBe(true);
  }
  expect(mayBePlain(Buffer.from('<html>'))).toBe(false);
  expect(mayBePlain(Buffer.from('html'), 1)).toBe(false);
});

describe.each(['7.0.2', '7.4.0'])('oned %s', async (version) => {
  const exchanges = await readRecordedExchanges(fileURLToPath(new URL(`fixtures/oned-${version}`, import.meta.url)));
  test('every recorded success that carries text is a plain answer, and nothing else is', () => {
    const bodies = exchanges.map(({ response }) => Buffer.from(`${response}\r\n`)); // the reader trims the recording's own line end with oned's
    const isTextSuccess = (body: Buffer): boolean => /<boolean>1<\/boolean><\/value>\r\n<value><string>/.test(body.toString());
    expect(bodies.filter(isTextSuccess).length).toBeGreaterThan(5);
    for (const body of bodies) {
      const value = readPlainAnswer(body);
      expect(value !== undefined).toBe(isTextSuccess(body));
      if (value) expect(codec(body)).toEqual({ kind: 'value', value });
    }
  });
});
