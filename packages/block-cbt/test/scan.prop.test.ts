import fc from 'fast-check';
import { expect, it } from 'vitest';
import { scanWith } from '../src/scan.ts';
import { fileDevice, imageBytes, type Piece } from '../testing/index.ts';
import { blockOf, mapOf, oneShot, scanToEnd, trueKinds } from './scan-to-end.ts';

const UNIT_BYTES = 4096;

/** An image as one letter a unit: 0 a hole, 1 written zeros, others contents of that seed; and a tail of an odd length. */
interface Picture {
  readonly units: readonly number[];
  readonly tailBytes: number;
  readonly tailSeed: number;
}

const unit = fc.integer({ min: 0, max: 4 });
const stretch = fc.tuple(unit, fc.integer({ min: 1, max: 9 })).map(([letter, count]) => Array<number>(count).fill(letter));
const picture: fc.Arbitrary<Picture> = fc.record({
  units: fc.array(stretch, { maxLength: 12 }).map((parts) => parts.flat()),
  tailBytes: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: UNIT_BYTES - 1 })),
  tailSeed: unit,
});

/** A later state of the same disk: some units written to, and perhaps another size. */
function later(before: Picture): fc.Arbitrary<Picture> {
  const edits = fc.array(fc.tuple(fc.nat(60), unit), { maxLength: 6 });
  return fc.tuple(edits, fc.oneof(fc.constant(undefined), fc.nat(80)), picture).map(([writes, newLength, other]) => {
    const units = [...before.units];
    for (const [at, letter] of writes) if (at < units.length) units[at] = letter;
    if (newLength === undefined) return { ...before, units };
    while (units.length < newLength) units.push(other.tailSeed);
    return { units: units.slice(0, newLength), tailBytes: other.tailBytes, tailSeed: other.tailSeed };
  });
}

function piecesOf({ units, tailBytes, tailSeed }: Picture): Piece[] {
  const letters = units.map((letter) => ({ letter, length: UNIT_BYTES }));
  if (tailBytes > 0) letters.push({ letter: tailSeed, length: tailBytes });
  return letters.map(({ letter, length }) => {
    if (letter === 0) return { kind: 'hole', length };
    return letter === 1 ? { kind: 'zero', length } : { kind: 'data', length, seed: letter };
  });
}

const scene = fc.record({
  states: picture.chain((before) => fc.tuple(fc.constant(before), later(before))),
  blockUnits: fc.constantFrom(0.25, 1, 2, 4),
  algorithm: fc.constantFrom('blake3' as const, 'sha256' as const),
  withParent: fc.boolean(),
  direct: fc.constantFrom('auto' as const, 'off' as const),
  extentUnits: fc.constantFrom(4, 8, 64),
  workers: fc.constantFrom(1, 2),
});

it('says of every block what really became of it, once, with its data and digest', async () => {
  await fc.assert(
    fc.asyncProperty(scene, async ({ states: [before, now], blockUnits, algorithm, withParent, direct, extentUnits, workers }) => {
      const blockSizeBytes = blockUnits * UNIT_BYTES;
      const pieces = piecesOf(now);
      const image = imageBytes(pieces);
      const old = imageBytes(piecesOf(before));
      await using subject = await fileDevice(pieces, { direct });
      const parent = withParent ? { parent: mapOf(old, blockSizeBytes, algorithm) } : {};
      const outcome = await scanToEnd(
        scanWith(subject.device, { blockSizeBytes, digest: algorithm, workers, ...parent }, { extentBytes: extentUnits * UNIT_BYTES }),
      );

      expect(outcome.kinds).toEqual(trueKinds(image, withParent ? old : undefined, blockSizeBytes));
      const { grid } = outcome.summary;
      for (const [index, data] of outcome.data) {
        expect(data.equals(blockOf(image, grid, index))).toBe(true);
        expect(outcome.digests.get(index)).toBe(oneShot(algorithm, data));
      }
      const count = (kind: string): number => outcome.kinds.filter((each) => each === kind).length;
      expect(outcome.summary).toMatchObject({ changedBlocks: count('changed'), zeroBlocks: count('zero'), unchangedBlocks: count('unchanged') });
      expect(outcome.summary.readBytes + outcome.summary.holeBytes).toBe(image.byteLength);
    }),
    { numRuns: 60 },
  );
}, 60_000);
