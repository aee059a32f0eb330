import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BODY_LISTS, parseAnyBody, parseBody, splitPool } from '../src/body.ts';
import { readPlainBody } from '../src/plain-body.ts';
import { recordedBody } from './recorded-body.ts';

const LISTS = { VM: { inner: { A: { isList: true }, T: { inner: { D: { isList: true } } } } } };
const plain = (xml: string): unknown => readPlainBody(xml, 'VM', LISTS);

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const cdata = (text: string): string => `<![CDATA[${text.replaceAll(']]>', ']]]]><![CDATA[>')}]]>`;

const words = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', ' ', '<', '>', '&', '"', "'", ';', ']', '\n', 'é', '😀', 'lt;', '&amp;'), maxLength: 6 }),
  fc.constantFrom('', 'YES', '0', ']]>', 'x > y', '&#13;', '&unknown;'),
);
const leaf = fc.tuple(words, fc.boolean()).map(([text, inCdata]) => (inCdata ? cdata(text) : escaped(text)));
const name = fc.constantFrom('A', 'B', 'TEMPLATE', 'DISK', 'SNAPSHOTS', 'SNAPSHOT', 'X_1');

/** A body as oned prints one. */
const body: fc.Arbitrary<string> = fc
  .letrec<{ content: string }>((tie) => ({
    content: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc
        .array(fc.tuple(name, fc.option(tie('content'))), { minLength: 1, maxLength: 4 })
        .map((inner) => inner.map(([tag, content]) => (content === null ? `<${tag}/>` : `<${tag}>${content}</${tag}>`)).join('')),
    ),
  }))
  .content.map((content) => `<VM>${content}</VM>`);

test('a plain body has the value that the parser reads', () => {
  fc.assert(
    fc.property(body, (xml) => {
      const value = readPlainBody(xml, 'VM', BODY_LISTS);
      expect(value).not.toBeUndefined();
      expect(value).toEqual(parseAnyBody(xml, 'VM'));
    }),
    { numRuns: 1000 },
  );
});

const splinter = fc.constantFrom(
  '<',
  '>',
  '/',
  '&',
  ';',
  '<A>',
  '</A>',
  '<A/>',
  '<A b="c">',
  '<!-- x -->',
  '<![CDATA[',
  ']]>',
  '<?x?>',
  '\r',
  ' ',
  '\n',
  '<!DOCTYPE a>',
  '</VM>',
);
const damaged = fc.tuple(body, fc.array(fc.tuple(fc.nat(1000), fc.nat(6), splinter), { minLength: 1, maxLength: 3 })).map(([xml, cuts]) =>
  cuts.reduce((all, [permille, length, put]) => {
    const at = Math.floor((permille / 1000) * all.length);
    return all.slice(0, at) + put + all.slice(at + length);
  }, xml),
);

test('a damaged body is left to the parser or read as the parser reads it', () => {
  fc.assert(
    fc.property(damaged, (xml) => {
      const value = readPlainBody(xml, 'VM', BODY_LISTS);
      if (value !== undefined) expect(value).toEqual(parseAnyBody(xml, 'VM'));
    }),
    { numRuns: 5000 },
  );
});

test('what may stand many times is a list where it stands once', () => {
  expect(plain('<VM><A>1</A><T><D></D><A>2</A></T></VM>')).toEqual({ A: ['1'], T: { D: [''], A: '2' } });
  expect(plain('<VM><B>1</B><B>2</B><B>3</B></VM>')).toEqual({ B: ['1', '2', '3'] });
});

test.each([
  ['an attribute', '<VM><A b="c">1</A></VM>'],
  ['white space between elements', '<VM>\n<A>1</A></VM>'],
  ['text beside elements', '<VM>x<A>1</A></VM>'],
  ['a comment', '<VM><A>1<!-- 2 --></A></VM>'],
  ['a declaration', '<?xml version="1.0"?><VM></VM>'],
  ['a name that begins with a digit', '<VM><2FA>1</2FA></VM>'],
  ['a name that means something to JavaScript', '<VM><__proto__>1</__proto__></VM>'],
  ['a reference by number', '<VM><A>&#13;</A></VM>'],
  ['a carriage return', '<VM><A>\r</A></VM>'],
  ['another root', '<IMAGE></IMAGE>'],
  ['something behind', '<VM></VM> '],
  ['too many levels', `<VM>${'<A>'.repeat(40)}${'</A>'.repeat(40)}</VM>`],
])('%s is left to the parser', (_what, xml) => {
  expect(plain(xml)).toBeUndefined();
});

test('every recorded body is plain, and cut short anywhere it is not', async () => {
  const pools: readonly (readonly ['7.0.2' | '7.4.0', string, string, string])[] = [
    ['7.0.2', '002-vmpool', 'VM_POOL', 'VM'],
    ['7.4.0', '026-vmpool', 'VM_POOL', 'VM'],
    ['7.4.0', '027-vmpool', 'VM_POOL', 'VM'],
    ['7.4.0', '028-imagepool', 'IMAGE_POOL', 'IMAGE'],
    ['7.4.0', '029-datastorepool', 'DATASTORE_POOL', 'DATASTORE'],
    ['7.0.2', '005-hostpool', 'HOST_POOL', 'HOST'],
    ['7.4.0', '032-templatepool', 'VMTEMPLATE_POOL', 'VMTEMPLATE'],
  ];
  for (const [version, recording, pool, child] of pools) {
    for (const xml of splitPool(await recordedBody(version, recording), pool, child)) {
      expect(readPlainBody(xml, child, {}), recording).not.toBeUndefined();
      expect(parseBody(xml, child)).toEqual(parseAnyBody(xml, child));
      for (let end = 0; end < xml.length; end += 13) expect(readPlainBody(xml.slice(0, end), child, {})).toBeUndefined();
    }
  }
});
