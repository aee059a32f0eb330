import { fileURLToPath } from 'node:url';
import { Secret } from '@onevault/base';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import Deserializer from 'xmlrpc/lib/deserializer.js';
import { parseBody, splitPool } from '../src/body.ts';
import { OneError } from '../src/errors.ts';
import { parseImage } from '../src/parse-image.ts';
import { parseVm, parseVmSummary } from '../src/parse-vm.ts';
import { encodeCall, ResponseDecoder } from '../src/wire-codec.ts';
import { readRecordedExchanges } from '../testing/index.ts';
import { successXml } from './scripted-oned.ts';

/** How a server reads a request: the same parser oned's peers use, not the encoder's inverse. */
function decodeRequest(xml: string): readonly unknown[] {
  let read: readonly unknown[] | undefined;
  const deserializer = new Deserializer('utf8');
  deserializer.deserializeMethodCall({ setEncoding: () => undefined, on: () => undefined, pipe: () => undefined }, (error, _method, params) => {
    if (error) throw error;
    read = params;
  });
  deserializer.parser.write(Buffer.from(xml));
  deserializer.parser.end();
  return read ?? [];
}

const session = new Secret('oneadmin:secret');
const encode = (args: readonly (string | number | boolean)[]): string => encodeCall({ method: 'one.test', session, args, idempotent: true });

/** Text rich in what breaks XML. */
const nasty = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc
    .array(fc.constantFrom('<', '>', '&', ']]>', '<![CDATA[', '"', "'", '\\', '\n', '\r', '\t', ' ', 'a', '&amp;', '&#13;', '</string>', 'é', '😀'))
    .map((parts) => parts.join('')),
);

test('every text and number arrives as it was sent, and only as many as were sent', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(nasty, fc.integer({ min: -0x7fffffff, max: 0x7fffffff }), fc.boolean()), { maxLength: 5 }), (args) => {
      fc.pre(args.every((arg) => typeof arg !== 'string' || !/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(arg)));
      expect(decodeRequest(encode(args))).toEqual(['oneadmin:secret', ...args]);
    }),
  );
});

test('text that ends CDATA twice does not become further arguments', () => {
  const injection = 'a<b]]>x]]></string></value></param><param><value><string>INJECTED';
  expect(decodeRequest(encode([injection, 1]))).toEqual(['oneadmin:secret', injection, 1]);
});

test('a carriage return survives a parser that normalises line ends', () => {
  expect(encode(['a\r\nb'])).toContain('a&#xD;\nb');
});

test('what XML cannot carry is refused, and named', () => {
  for (const bad of ['\u0000', '\u001b', '\ufffe', '\ud800', 'x\u0008y']) {
    expect(() => encode([bad])).toThrow(expect.objectContaining({ code: 'ONE_ARGUMENT_INVALID' }));
  }
  expect(() => encode(['a\u001bb'])).toThrow(/argument 1 has the character U\+001b/);
});

test('what is no 32-bit integer is refused', () => {
  for (const bad of [Number.NaN, 1.5, 2 ** 31, -(2 ** 31), Number.POSITIVE_INFINITY, 1e21]) {
    expect(() => encode([bad])).toThrow(expect.objectContaining({ code: 'ONE_ARGUMENT_INVALID' }));
  }
});

test('a value decodes the same however it is cut into chunks', () => {
  fc.assert(
    fc.property(nasty, fc.infiniteStream(fc.integer({ min: 1, max: 40 })), (text, sizes) => {
      fc.pre(!/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(text));
      const bytes = Buffer.from(successXml(text));
      const decoder = new ResponseDecoder();
      for (let at = 0; at < bytes.length; ) {
        const size = sizes.next().value ?? 1;
        expect(decoder.write(bytes.subarray(at, at + size))).toBeUndefined();
        at += size;
      }
      expect(decoder.end()).toEqual({ kind: 'value', value: [true, text, 0] });
    }),
  );
});

const recorded = await readRecordedExchanges(fileURLToPath(new URL('fixtures/oned-7.0.2', import.meta.url)));
const responseOf = (name: string): string => recorded.find((exchange) => exchange.name.startsWith(name))?.response ?? '';

/** A text with a few places cut out, doubled or overwritten. */
function mutated(text: string): fc.Arbitrary<string> {
  const cut = fc.tuple(
    fc.nat(text.length),
    fc.nat(60),
    fc.oneof(fc.constant(''), fc.string({ unit: 'binary', maxLength: 12 }), fc.constantFrom('<', '</VM>', ']]>', '<ID>', '&x;', '<__proto__>', '<VM>')),
  );
  return fc
    .array(cut, { minLength: 1, maxLength: 4 })
    .map((cuts) => cuts.reduce((all, [at, length, put]) => all.slice(0, at) + put + all.slice(at + length), text));
}

test('a damaged response is a value, a fault or invalid, never an exception', () => {
  fc.assert(
    fc.property(mutated(responseOf('041')), (damaged) => {
      const decoder = new ResponseDecoder();
      const decoded = decoder.write(Buffer.from(damaged)) ?? decoder.end();
      expect(['value', 'fault', 'invalid']).toContain(decoded.kind);
    }),
    { numRuns: 200 },
  );
});

test('a damaged body is read or refused with ONE_RESPONSE_INVALID, never anything else', () => {
  const body = (name: string): string => unescapeXml(/<string>(.*)<\/string>/s.exec(responseOf(name))?.[1] ?? '');
  const bodies = [
    [body('001'), parseVm],
    [body('001'), parseVmSummary],
    [body('006'), parseImage],
    [body('003'), (xml: string) => splitPool(xml, 'IMAGE_POOL', 'IMAGE')],
  ] as const;
  for (const [xml, parse] of bodies) {
    expect(() => parse(xml)).not.toThrow();
    fc.assert(
      fc.property(mutated(xml), (damaged) => {
        try {
          parse(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(OneError);
          expect(error).toMatchObject({ code: 'ONE_RESPONSE_INVALID' });
        }
      }),
      { numRuns: 60 },
    );
  }
});

test('text in an element comes back as it was, by entity or in CDATA', () => {
  fc.assert(
    fc.property(nasty, (text) => {
      fc.pre(!text.includes(']]>') && !/[^\t\n\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(text));
      const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
      expect(parseBody(`<VM><A>${escaped}</A><B><![CDATA[${text}]]></B></VM>`, 'VM')).toEqual({ A: text, B: text });
    }),
  );
});

function unescapeXml(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&apos;', "'").replaceAll('&amp;', '&');
}
