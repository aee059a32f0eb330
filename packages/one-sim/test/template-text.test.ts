import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { attributeElements } from '../src/bodies/element.ts';
import { parseTemplate, TemplateSyntaxError } from '../src/template/parse-template.ts';

describe('template text', () => {
  test.each<readonly [string, string, ReturnType<typeof parseTemplate>]>([
    ['bare and quoted values', 'cpu=1\nNAME = "a b"', { CPU: ['1'], NAME: ['a b'] }],
    ['a vector over several lines', 'DISK = [ image_id = "3",\n  TARGET=vda ]', { DISK: [{ IMAGE_ID: '3', TARGET: 'vda' }] }],
    ['equal names in order', 'DISK=[A="1"]\nDISK=[A="2"]', { DISK: [{ A: '1' }, { A: '2' }] }],
    ['escapes', 'A="say \\"hi\\" \\\\ C:\\dir"', { A: ['say "hi" \\ C:\\dir'] }],
    ['comments and blank lines', '# x\n\nA="1" # y\nB=2', { A: ['1'], B: ['2'] }],
    ['line breaks inside quotes', 'A="1\n2"', { A: ['1\n2'] }],
    ['an empty vector and an empty value', 'A=[]\nB=""', { A: [{}], B: [''] }],
    ['nothing', ' \n', {}],
    ['XML', '<T><A>1</A><DISK><B><![CDATA[x<y]]></B></DISK><DISK><B>2</B></DISK></T>', { A: ['1'], DISK: [{ B: 'x<y' }, { B: '2' }] }],
  ])('%s', (_what, text, expected) => {
    expect(parseTemplate(text)).toEqual(expected);
  });

  test.each(['A', 'A=[B="1"', 'A="1', '="1"', '<T><A>'])('%j is no template', (text) => {
    expect(() => parseTemplate(text)).toThrow(TemplateSyntaxError);
  });

  test('a quoted value of any text comes back as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ unit: 'binary', maxLength: 40 }), (single, inner) => {
        const quote = (value: string): string => `"${value.replace(/(["\\])/g, '\\$1')}"`;
        expect(parseTemplate(`A=${quote(single)}\nV=[K=${quote(inner)}]`)).toEqual({ A: [single], V: [{ K: inner }] });
      }),
    );
  });
});

test('elements come in byte order of their names, whatever order they were given in', () => {
  expect(attributeElements({ VCPU: ['1'], CPU: ['2'], A_B: ['x'], A: [{ Z: '1', B: '2' }] })).toBe(
    '<A><B><![CDATA[2]]></B><Z><![CDATA[1]]></Z></A><A_B><![CDATA[x]]></A_B><CPU><![CDATA[2]]></CPU><VCPU><![CDATA[1]]></VCPU>',
  );
});
