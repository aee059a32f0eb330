import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isZero } from '../src/zero.ts';

describe('isZero', () => {
  it('is true of zeros of any length, whatever lies around them', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), (before, length) => {
        const bytes = Buffer.alloc(before + length + 100, 0xff).fill(0, before, before + length);
        expect(isZero(bytes, before, before + length)).toBe(true);
      }),
    );
  });

  it('sees any single byte', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.nat(999), fc.integer({ min: 1, max: 255 }), (length, position, value) => {
        const bytes = Buffer.alloc(length + 64);
        bytes[32 + (position % length)] = value;
        expect(isZero(bytes, 32, 32 + length)).toBe(false);
      }),
    );
  });

  it('is not fooled by contents that repeat every 64 bytes', () => {
    const bytes = Buffer.alloc(4096);
    for (let at = 63; at < bytes.length; at += 64) bytes[at] = 1;
    expect(isZero(bytes, 0, 4096)).toBe(false);
    expect(isZero(bytes, 0, 63)).toBe(true);
  });
});
