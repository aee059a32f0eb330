import { blockGrid } from '@onevault/base';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HoleMap } from '../src/holes.ts';
import { planSpans, type Span } from '../src/spans.ts';

const MIB = 2 ** 20;

/** Alternating data and hole, by length, starting with a hole. */
function holeMapOf(lengths: readonly number[]): { readonly map: HoleMap; readonly sizeBytes: number; readonly data: readonly (readonly [number, number])[] } {
  const data: [number, number][] = [];
  let at = 0;
  lengths.forEach((length, i) => {
    if (i % 2 === 1) data.push([at, at + length]);
    at += length;
  });
  const map: HoleMap = {
    async nextData(offset) {
      const stretch = data.find(([, end]) => end > offset);
      return stretch && Math.max(offset, stretch[0]);
    },
    async nextHole(offset) {
      const stretch = data.find(([from, end]) => from <= offset && offset < end);
      if (!stretch) throw new Error(`${offset} is not in data`);
      return stretch[1];
    },
  };
  return { map, sizeBytes: at, data };
}

async function spansOf(sizeBytes: number, blockSizeBytes: number, extentBytes: number, holes?: HoleMap): Promise<Span[]> {
  const spans: Span[] = [];
  for await (const span of planSpans(blockGrid(sizeBytes, blockSizeBytes), { extentBytes, holes })) spans.push(span);
  return spans;
}

describe('planSpans', () => {
  it('covers the disk once, in whole blocks and bounded extents, and reads every byte that is not in a hole', async () => {
    const length = fc.oneof(fc.integer({ min: 1, max: 8192 }), fc.integer({ min: 1, max: 6 * MIB }));
    await fc.assert(
      fc.asyncProperty(fc.array(length, { maxLength: 24 }), fc.constantFrom(65_536, MIB), fc.constantFrom(MIB, 8 * MIB), async (lengths, block, extent) => {
        const { map, sizeBytes, data } = holeMapOf(lengths);
        const spans = await spansOf(sizeBytes, block, extent, map);
        let at = 0;
        for (const span of spans) {
          expect(span.offset).toBe(at);
          expect(span.length).toBeGreaterThan(0);
          at += span.length;
          expect(at % block === 0 || at === sizeBytes).toBe(true);
          if (span.kind === 'data') expect(span.length).toBeLessThanOrEqual(extent);
          else expect(data.some(([from, end]) => from < at && end > span.offset)).toBe(false);
        }
        expect(at).toBe(sizeBytes);
      }),
      { numRuns: 300 },
    );
  });

  it('cuts a disk without holes into equal extents', async () => {
    expect(await spansOf(20 * MIB + 1, MIB, 8 * MIB)).toEqual([
      { kind: 'data', offset: 0, length: 8 * MIB },
      { kind: 'data', offset: 8 * MIB, length: 8 * MIB },
      { kind: 'data', offset: 16 * MIB, length: 4 * MIB + 1 },
    ]);
  });

  it('reads through short holes and leaves out long ones', async () => {
    const { map, sizeBytes } = holeMapOf([0, 2 * MIB, 65_536, 2 * MIB, 4 * MIB, 1, 3 * MIB]);
    expect(await spansOf(sizeBytes, 65_536, 8 * MIB, map)).toEqual([
      { kind: 'data', offset: 0, length: 4 * MIB + 65_536 },
      { kind: 'hole', offset: 4 * MIB + 65_536, length: 4 * MIB },
      { kind: 'data', offset: 8 * MIB + 65_536, length: 65_536 },
      { kind: 'hole', offset: 8 * MIB + 2 * 65_536, length: sizeBytes - 8 * MIB - 2 * 65_536 },
    ]);
  });

  it('comes to an end when the map contradicts itself, as that of a file being truncated does', async () => {
    let questions = 0;
    const map: HoleMap = { nextData: async (offset) => (questions++ % 2 === 0 ? offset : undefined), nextHole: async () => 0 };
    const spans = await spansOf(64 * MIB, 65_536, 8 * MIB, map);
    expect(spans.reduce((sum, span) => sum + span.length, 0)).toBe(64 * MIB);
  });
});
