import type { GuestWrite } from './disk-file.ts';

export interface RandomWrites {
  readonly seed: number;
  readonly count: number;
  readonly blockBytes: number;
}

/** Aligned blocks of random bytes at random places: the same for the same seed and disk size, so that a test can model them. */
export function* randomWrites(pattern: RandomWrites, diskBytes: number): Generator<GuestWrite> {
  const blocks = Math.floor(diskBytes / pattern.blockBytes);
  if (blocks === 0) return;
  const next = generator(pattern.seed);
  for (let n = 0; n < pattern.count; n++) {
    const index = Math.floor((next() / 2 ** 32) * blocks);
    const bytes = Buffer.allocUnsafe(pattern.blockBytes);
    for (let at = 0; at < bytes.length; at++) {
      if (at % 4 === 0 && at + 4 <= bytes.length) {
        bytes.writeUInt32LE(next(), at);
        at += 3;
      } else bytes[at] = next() & 255;
    }
    yield { offset: index * pattern.blockBytes, bytes };
  }
}

/** mulberry32: small, seeded, good enough to be incompressible. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}
