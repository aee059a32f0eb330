import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { AnswerDecoder } from '../src/answer-decoder.ts';
import { type Decoded, ResponseDecoder } from '../src/wire-codec.ts';
import { onedSuccessXml } from './oned-answer.ts';
import { faultXml, successXml } from './scripted-oned.ts';

async function decode(body: Uint8Array, chunkBytes: number): Promise<Decoded> {
  const decoder = new AnswerDecoder();
  for (let at = 0; at < body.length; at += chunkBytes) {
    const early = await decoder.write(body.subarray(at, at + chunkBytes));
    if (early) return early;
  }
  return await decoder.end();
}

const LARGE = '<VM><NAME><![CDATA[a & b é]]></NAME></VM>\r'.repeat(2000);
const asOned = Buffer.from(onedSuccessXml(LARGE));

test('an answer decodes the same however large it is, whoever wrote it and however it is cut', async () => {
  const writers = fc.constantFrom(onedSuccessXml, successXml);
  await fc.assert(
    fc.asyncProperty(
      writers,
      fc.constantFrom('', 'short <&> ', LARGE),
      fc.string({ unit: 'grapheme' }),
      fc.integer({ min: 1, max: 70_000 }),
      async (write, most, end, size) => {
        const text = most + end;
        fc.pre(Buffer.from(end).toString() === end);
        const chunkBytes = text.length < 1000 ? (size % 60) + 1 : size + 500;
        expect(await decode(Buffer.from(write(text)), chunkBytes)).toEqual({ kind: 'value', value: [true, text, 0] });
      },
    ),
    { numRuns: 60 },
  );
});

test('of what oned writes, large texts alone pass the codec by', async () => {
  using codec = vi.spyOn(ResponseDecoder.prototype, 'write');
  await decode(asOned, 8192);
  expect(codec).not.toHaveBeenCalled();
  await decode(Buffer.from(onedSuccessXml('<VM/>')), 8192);
  expect(codec).toHaveBeenCalledTimes(1);
});

test('a large answer that only begins as oned writes goes to the codec whole, and the event loop turns meanwhile', async () => {
  let turns = 0;
  const counting = setInterval(() => turns++);
  try {
    const otherEnd = Buffer.from(onedSuccessXml(LARGE).replaceAll('\r\n</', '\n</'));
    expect(await decode(otherEnd, 4096)).toEqual({ kind: 'value', value: [true, LARGE, 0] });
    expect(turns).toBeGreaterThan(0);
  } finally {
    clearInterval(counting);
  }
});

test('a large answer cut short is invalid', async () => {
  for (const missing of [1, 30, 200, asOned.length / 2]) {
    const { kind } = await decode(asOned.subarray(0, asOned.length - missing), 8192);
    expect(kind, `${missing} bytes missing`).toBe(missing <= 2 ? 'value' : 'invalid'); // a line end is no part of the document
  }
});

test('markup smuggled into a large text is not read as text', async () => {
  const smuggled = Buffer.from(onedSuccessXml(LARGE).replace('&lt;/VM&gt;', '</string></value>\r\n<value><string>'));
  expect(await decode(smuggled, 8192)).toMatchObject({ kind: 'value', value: { length: 4 } });
});

test('a page that is no answer is known at its first bytes', async () => {
  const decoder = new AnswerDecoder();
  expect(await decoder.write(Buffer.from('<html><br></br>'))).toMatchObject({ kind: 'invalid' });
});

test('a fault is a fault', async () => {
  expect(await decode(Buffer.from(faultXml(-506, 'no such method')), 10)).toEqual({ kind: 'fault', faultCode: -506, faultString: 'no such method' });
});

test('nothing at all is invalid', async () => {
  expect(await decode(Buffer.alloc(0), 1)).toMatchObject({ kind: 'invalid' });
});
