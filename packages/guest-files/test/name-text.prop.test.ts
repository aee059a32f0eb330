import fc from 'fast-check';
import { expect, it } from 'vitest';
import { escapeName, isGuestFilesError, unescapeName } from '../src/index.ts';

it('any bytes can be shown, read back, and hold nothing that a terminal would act on', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const text = escapeName(bytes);
      expect(unescapeName(text)).toEqual(Buffer.from(bytes));
      expect(text).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    }),
  );
});

it('text that is made of visible characters stays as it is, but for the backslash', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme-composite', maxLength: 20 }), (text) => {
      fc.pre(!/[\p{C}\p{Zl}\p{Zp}]/u.test(text));
      expect(escapeName(Buffer.from(text))).toBe(text.replaceAll('\\', '\\\\'));
    }),
  );
});

it.each([
  ['Größe', 'Größe'],
  ['a\nb', 'a\\x0ab'],
  ['\u202egnp.exe', '\\xe2\\x80\\xaegnp.exe'],
  ['\u001b[2J', '\\x1b[2J'],
])('%j is shown as %s', (name, shown) => {
  expect(escapeName(Buffer.from(name))).toBe(shown);
});

it.each(['\\', '\\x', '\\x4', '\\n', 'a\\xg0'])('%s is refused as an escaped name', (text) => {
  expect(() => unescapeName(text)).toThrow(expect.toSatisfy((error) => isGuestFilesError(error, 'FILES_PATH_INVALID')));
});
