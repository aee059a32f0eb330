import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOwnSerial, newSerial, parseSerial, SERIAL_MAX_LENGTH } from '../src/index.ts';

const bits = fc.uint8Array({ minLength: 10, maxLength: 10 });

describe('newSerial (properties)', () => {
  it('fits into 20 characters that OpenNebula passes on unchanged', () => {
    fc.assert(
      fc.property(bits, (bytes) => {
        const serial = newSerial(() => bytes);
        expect(serial.length).toBeLessThanOrEqual(SERIAL_MAX_LENGTH);
        expect(serial.replace(/[^0-9A-Za-z\-._]/g, '')).toBe(serial);
        expect(serial).toMatch(/^ov-/);
        expect(isOwnSerial(serial)).toBe(true);
      }),
    );
  });

  it('loses none of the 80 bits: the random bytes can be read back', () => {
    fc.assert(
      fc.property(bits, (bytes) => {
        let value = 0n;
        for (const character of newSerial(() => bytes).slice(3)) value = value * 32n + BigInt(Number.parseInt(character, 32));
        let expected = 0n;
        for (const byte of bytes) expected = expected * 256n + BigInt(byte);
        expect(value).toBe(expected);
      }),
    );
  });

  it('is recognised through any padding a device adds, and only then', () => {
    fc.assert(
      fc.property(bits, fc.stringMatching(/^[ \0\n]{0,5}$/), fc.stringMatching(/^[ \0\n]{0,5}$/), (bytes, before, after) => {
        const serial = newSerial(() => bytes);
        expect(parseSerial(before + serial + after)).toBe(serial);
      }),
    );
  });

  it('no other text is taken for ours', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 30 }), (text) => {
        const looksOurs = /^ov-[0-9a-v]{16}$/.test(text.replace(/^[\s\0]+|[\s\0]+$/g, ''));
        expect(parseSerial(text) !== undefined).toBe(looksOurs);
      }),
    );
  });
});
