import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isOwnSerial, newSerial, parseSerial } from '../src/index.ts';

describe('newSerial', () => {
  it('is the prefix and 16 characters of lower-case base32hex', () => {
    expect(newSerial(() => new Uint8Array(10))).toBe('ov-0000000000000000');
    expect(newSerial(() => new Uint8Array(10).fill(0xff))).toBe('ov-vvvvvvvvvvvvvvvv');
    expect(newSerial(() => Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]))).toBe(`ov-${base32hex([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])}`);
  });

  it('differs each time with a real source of randomness', () => {
    expect(new Set(Array.from({ length: 1_000 }, () => newSerial(randomBytes))).size).toBe(1_000);
  });

  it('refuses a source that gives fewer bits than asked', () => {
    expect(() => newSerial(() => new Uint8Array(4))).toThrow(RangeError);
  });
});

describe('parseSerial and isOwnSerial', () => {
  it('accept the serial that a real 7.4.0 passed to its guest unchanged', () => {
    expect(isOwnSerial('ov-1234567890abcdef')).toBe(true);
    expect(parseSerial('ov-1234567890abcdef\0')).toBe('ov-1234567890abcdef');
  });

  it.each([
    undefined,
    '',
    '   ',
    'drive-scsi0-0-10-0',
    'ov8abc',
    'ov-',
    'OV-1234567890ABCDEF',
    'ov-1234567890abcde',
    'ov-1234567890abcdef0',
    'xov-1234567890abcdef',
  ])('reject %s', (text) => {
    expect(parseSerial(text)).toBeUndefined();
    expect(isOwnSerial(text ?? '')).toBe(false);
  });
});

/** Straight from RFC 4648: bits in order, five to a character. */
function base32hex(bytes: readonly number[]): string {
  const bits = bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{5}/g) ?? []).map((five) => Number.parseInt(five, 2).toString(32)).join('');
}
