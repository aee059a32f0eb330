import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cut } from '../src/answer-read.ts';
import { decodeOptionHeader } from '../src/codec/option-codec.ts';
import { describeExtents } from '../src/codec/reply-codec.ts';
import { decodeRequest, encodeRequest } from '../src/codec/request-codec.ts';
import type { Extent } from '../src/export.ts';
import { answerOption, beginHaggling, type Haggling } from '../src/option-haggling.ts';
import { OPTION } from '../src/protocol.ts';
import { memoryExport } from '../testing/index.ts';
import { contextData, infoData, splitReplies } from '../testing/raw-client.ts';

const directory = { exports: new Map([['disk', memoryExport(Buffer.alloc(100))]]) };
const bytes = (max: number): fc.Arbitrary<Buffer> => fc.uint8Array({ maxLength: max }).map((array) => Buffer.from(array));
const name = fc.oneof(fc.constant('disk'), fc.string({ unit: 'binary', maxLength: 20 }));

/** Well-formed data, and the same with bytes changed, cut or added. */
const optionData = fc
  .oneof(
    bytes(200),
    fc.tuple(name, fc.array(fc.nat(0xffff), { maxLength: 5 })).map(([text, wanted]) => infoData(text, wanted)),
    fc.tuple(name, fc.array(name, { maxLength: 5 })).map(([text, queries]) => contextData(text, queries)),
  )
  .chain((data) =>
    fc.oneof(
      fc.constant(data),
      bytes(10).map((more) => Buffer.concat([data, more])),
      fc.nat(data.length).map((length) => data.subarray(0, length)),
      fc
        .tuple(fc.nat(Math.max(0, data.length - 1)), fc.nat(255))
        .map(([at, value]) => Buffer.concat([data.subarray(0, at), Buffer.from([value]), data.subarray(at + 1)])),
    ),
  );

function answerAll(begun: Haggling, options: readonly [number, Buffer][]): void {
  let state = begun;
  for (const [option, data] of options) {
    const step = answerOption(state, { option, data }, directory);
    const sent = Buffer.concat(step.replies);
    if (option !== OPTION.EXPORT_NAME) expect(splitReplies(sent).length > 0 || step.next === 'close').toBe(true);
    if (step.next !== 'option') return;
    state = step.state;
  }
}

describe('the codec', () => {
  it('answers any options, in any order, with well-formed replies or an end', () => {
    const option = fc.oneof(fc.constantFrom(...Object.values(OPTION)), fc.nat(0xffffffff));
    const client = fc.record({ fixedNewstyle: fc.boolean(), noZeroes: fc.boolean() });
    fc.assert(
      fc.property(
        client,
        fc.constantFrom('none' as const, 'required' as const),
        fc.array(fc.tuple(option, optionData), { maxLength: 12 }),
        (flags, tls, options) => answerAll(beginHaggling(flags, tls), options),
      ),
    );
  });

  it('reads back every request it can write, and nothing without the magic', () => {
    const request = fc.record({
      flags: fc.nat(0xffff),
      command: fc.nat(0xffff),
      cookie: fc.bigInt(0n, 2n ** 64n - 1n),
      offset: fc.maxSafeNat(),
      length: fc.nat(0xffffffff),
    });
    fc.assert(fc.property(request, (given) => void expect(decodeRequest(encodeRequest(given))).toEqual(given)));
    fc.assert(fc.property(fc.uint8Array({ minLength: 28, maxLength: 28 }), (raw) => void expect(decodeRequest(Buffer.from(raw))).toBeUndefined()));
    fc.assert(fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (raw) => void expect(decodeOptionHeader(Buffer.from(raw))).toBeUndefined()));
  });
});

const extents = fc.array(
  fc.record({
    kind: fc.constantFrom('data' as const, 'zero' as const, 'hole' as const),
    length: fc.oneof(fc.integer({ min: 1, max: 9000 }), fc.integer({ min: 1, max: 2 ** 34 })),
  }),
  { minLength: 1, maxLength: 20 },
);
const kindAt = (list: readonly Extent[], at: number): string | undefined => {
  let end = 0;
  for (const { kind, length } of list) {
    end += length;
    if (at < end) return kind;
  }
  return undefined;
};
const total = (list: readonly { readonly length: number }[]): number => list.reduce((sum, { length }) => sum + length, 0);

describe('descriptors of extents', () => {
  it('tell the truth, are joined, and only the last one reaches beyond the request', () => {
    fc.assert(
      fc.property(extents, fc.integer({ min: 1, max: 2 ** 32 - 1 }), fc.boolean(), (given, length, one) => {
        const described = describeExtents(given, length, one);
        expect(described.length).toBeGreaterThan(0);
        let at = 0;
        for (const [n, descriptor] of described.entries()) {
          expect(descriptor.length).toBeGreaterThan(0);
          expect(descriptor.length).toBeLessThan(2 ** 32);
          expect(kindAt(given, at)).toBe(descriptor.kind);
          expect(kindAt(given, at + descriptor.length - 1)).toBe(descriptor.kind);
          if (n < described.length - 1) expect(at + descriptor.length).toBeLessThan(length);
          at += descriptor.length;
        }
        expect(at).toBeLessThanOrEqual(total(given));
        if (one) expect([described.length, at <= length]).toEqual([1, true]);
      }),
    );
  });
});

describe('the pieces of a read', () => {
  it('follow one another, end with the request or the extents, and call nothing zero that is data', () => {
    fc.assert(
      fc.property(
        extents.map((list) => list.map(({ kind, length }) => ({ kind, length: Math.min(length, 5_000_000) }))),
        fc.nat(1000),
        fc.integer({ min: 1, max: 10_000_000 }),
        (given, from, length) => {
          const pieces = cut(given, from, from + length);
          let at = from;
          for (const piece of pieces) {
            expect(piece.offset).toBe(at);
            expect(piece.length).toBeGreaterThan(0);
            if (!piece.zero) expect(piece.length).toBeLessThanOrEqual(1024 * 1024);
            if (piece.zero) {
              expect(kindAt(given, at - from)).not.toBe('data');
              expect(kindAt(given, at - from + piece.length - 1)).not.toBe('data');
            }
            at += piece.length;
          }
          expect(at).toBe(Math.min(from + length, from + total(given)));
        },
      ),
    );
  });
});
